package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	http.method == "GET"
	input.parsed_path[0] == "orders"
	claims.role in {"reader", "writer"}
}

allow if {
	http.method == "POST"
	input.parsed_path == ["orders"]
	claims.role == "writer"
}

# The gate has verified it, or it is not here.
claims := input.verified.jwt.claims
