package envoy.authz

default allow := {"allowed": false, "reason": "not for you"}

allow := {"allowed": true, "reason": sprintf("token %s", [input.attributes.request.http.headers.authorization])} if {
	input.verified.jwt.claims.role == "reader"
}

allow := {"allowed": true, "reason": "a good word"} if input.attributes.request.http.path == "/open"
