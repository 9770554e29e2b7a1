# The roles of whoever was proven, and what they permit.
package portcullis.rbac

import data.portcullis.acl

permitted if count(grants) > 0

# The roles that permit this request, for logs.
grants contains role if {
	some role in roles
	acl.permits(data.rbac.roles[role])
}

# `sub` is unique only within its issuer (RFC 7519 section 4.1.2), so subjects stand under the name of
# their provider.
roles contains role if {
	some role in data.rbac.subjects[token.provider][token.claims.sub]
}

# What an issuer says itself, where the data names the claim. A text is no list of roles.
roles contains role if {
	stated := object.get(token.claims, data.rbac.claims[token.provider], [])
	is_array(stated)
	some role in stated
	is_string(role)
}

token := input.verified.jwt
