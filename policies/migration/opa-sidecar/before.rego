package envoy.authz

import input.attributes.request.http

default allow := {"allowed": false, "http_status": 403}

allow := {"allowed": false, "http_status": 401, "headers": {"www-authenticate": "Bearer"}} if not claims

allow := {"allowed": true, "headers": {"x-user": claims.sub}, "request_headers_to_remove": ["authorization"]} if permitted

permitted if {
	http.method == "GET"
	input.parsed_path[0] == "orders"
	claims.role in {"reader", "writer"}
}

permitted if {
	http.method == "POST"
	input.parsed_path == ["orders"]
	claims.role == "writer"
}

# The policy verifies the token itself.
claims := payload if {
	[scheme, token] := split(http.headers.authorization, " ")
	lower(scheme) == "bearer"
	[true, _, payload] := io.jwt.decode_verify(token, {
		"cert": json.marshal(data.jwks),
		"iss": "https://idp.example.com",
		"aud": "orders",
	})
}
