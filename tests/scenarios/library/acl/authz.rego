package envoy.authz

default allow := false

# Whoever has a token may do what the list says.
allow if {
	input.verified.jwt
	data.portcullis.acl.permitted
}
