package envoy.authz

default allow := false

allow if input.verified.jwt.claims.sub == "alice"
