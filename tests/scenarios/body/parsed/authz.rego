package envoy.authz

default allow := false

allow if input.parsed_body.amount < 100

allow if {
	input.attributes.request.http.method == "GET"
	input.parsed_body == null
	input.truncated_body == false
}

allow if input.attributes.request.http.body == "plain"

allow if input.attributes.request.http.rawBody == "cmF3"
