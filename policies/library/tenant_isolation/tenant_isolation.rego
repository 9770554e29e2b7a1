# A token is of one tenant, and so must be everything that the request names one by.
package portcullis.tenant_isolation

import data.portcullis.paths

# Every place that the data lists must name the token's tenant. One that names none, or another, or a
# place that nobody knows, is not the token's own.
is_own if {
	count(places) > 0
	count([place | some place, _ in places; named(place) == tenant]) == count(places)
}

# The token's: from the claim that the data names for its provider.
tenant := found if {
	token := input.verified.jwt
	found := object.get(token.claims, data.tenant_isolation.claims[token.provider], "")
	is_string(found)
	found != ""
}

# The segment behind a prefix: with `/tenants`, that is `acme` in `/tenants/acme/orders`.
named("path") := segment if {
	paths.within(places.path)
	segment := data.portcullis.paths.segments[count(paths.pieces(places.path))]
}

# The label before a domain: with `api.example.com`, that is `acme` in `acme.api.example.com`. Names of
# hosts have no case (RFC 9110 section 4.2.3).
named("host") := label if {
	host := split(lower(input.attributes.request.http.host), ":")[0]
	domain := concat("", [".", places.host])
	endswith(host, domain)
	label := trim_suffix(host, domain)
	not contains(label, ".")
}

# A header is what the client says; that it must be the token's makes it harmless.
named("header") := input.attributes.request.http.headers[lower(places.header)]

places := data.tenant_isolation.places
