# Attributes of who asks, of what is asked for and of the circumstances, and ways to compare them. What
# must agree is for the policy to say.
package portcullis.abac

import data.portcullis.paths

# Of who asks: from the claims that the data names for the token's provider. What is empty is absent.
subject[attribute] := value if {
	some attribute, claim in data.abac.claims[token.provider]
	value := object.get(token.claims, claim, null)
	not value in [null, "", [], {}]
}

# Of what is asked for: those of the deepest entry above the path, and only of that one. Two entries as
# deep that differ are a mistake, and give nothing.
resource := attributes if {
	deepest := max({depth | some [depth, _] in candidates})
	found := {entry | some [depth, entry] in candidates; depth == deepest}
	count(found) == 1
	some attributes in found
}

# Of the circumstances: what the proxy knows and the configuration says.
context[name] := value if {
	some name, value in {
		"method": object.get(input, ["attributes", "request", "http", "method"], null),
		"address": object.get(input, ["attributes", "source", "address", "socketAddress", "address"], null),
		"extensions": object.get(input, ["attributes", "contextExtensions"], null),
	}
	value != null
}

# The subject's attribute is the resource's.
same(attribute) if subject[attribute] == resource[attribute]

# The subject's attribute is one of those that the resource lists.
among(attribute, listed) if {
	is_array(resource[listed])
	subject[attribute] in resource[listed]
}

# The subject's number reaches the resource's. Text is above every number in Rego, so it must be a number.
at_least(attribute) if {
	is_number(subject[attribute])
	is_number(resource[attribute])
	subject[attribute] >= resource[attribute]
}

token := input.verified.jwt

candidates contains [count(paths.pieces(entry.path)), entry.attributes] if {
	some entry in data.abac.resources
	paths.within(entry.path)
}
