package envoy.authz

import input.attributes.request.http

default allow := {"allowed": false, "http_status": 403}

allow := {"allowed": true} if {
	http.method in {"GET", "POST"}
	not subject in data.banned
}

allow := {"allowed": true} if "admin" in input.verified.jwt.claims.roles

subject := input.verified.jwt.claims.sub
