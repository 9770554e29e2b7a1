package envoy.authz

default allow := false

allow if input.verified.jwt

allow if input.parsed_path[0] in {"strict", "lenient"}

allow := {"allowed": true, "headers": {"x-zone": ext.zone}} if {
	input.parsed_path[0] == "zone"
	ext := input.attributes.contextExtensions
}
