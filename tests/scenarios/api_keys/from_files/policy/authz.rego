package envoy.authz

default allow := false

allow if input.verified.api_key
