package envoy.authz

default allow := false

# A browser's question carries no credentials, and is answered from here.
allow := data.portcullis.cors_preflight.answer

# The request that follows carries them.
allow := {
	"allowed": true,
	"response_headers_to_add": data.portcullis.cors_preflight.response_headers,
} if {
	input.verified.jwt
	not data.portcullis.cors_preflight.is_preflight
	data.portcullis.cors_preflight.response_headers
}

# So does one that no other origin's page makes.
allow if {
	input.verified.jwt
	not data.portcullis.cors_preflight.is_preflight
	not data.portcullis.cors_preflight.response_headers
}
