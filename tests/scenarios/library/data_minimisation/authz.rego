package envoy.authz

default allow := false

allow := {
	"allowed": true,
	"headers": data.portcullis.data_minimisation.headers,
	"request_headers_to_remove": data.portcullis.data_minimisation.request_headers_to_remove,
} if {
	input.verified.jwt
}
