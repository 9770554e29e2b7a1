package envoy.authz

default allow := false

allow if input.verified.body.signed

allow if {
	not input.verified.body
	input.attributes.request.http.method == "GET"
}
