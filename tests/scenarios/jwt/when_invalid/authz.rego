package envoy.authz

default allow := false

allow if input.verified.jwt.claims.sub == "alice"

allow := {"allowed": true, "headers": {"x-refused": reasons}} if {
	input.parsed_path[0] == "public"
	reasons := concat(" ", [sprintf("%s:%s", [r.check, r.reason]) | some r in input.refused])
}
