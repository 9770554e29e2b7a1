package envoy.authz

default allow := false

allow if data.portcullis.health_and_metrics.permitted

# Your own rules.
allow if input.verified.jwt
