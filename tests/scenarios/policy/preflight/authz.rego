package envoy.authz

default allow := false

allow if input.verified.jwt

# A browser sends no credentials with a preflight.
allow if {
	http := input.attributes.request.http
	http.method == "OPTIONS"
	http.headers.origin in data.origins
	http.headers["access-control-request-method"]
}
