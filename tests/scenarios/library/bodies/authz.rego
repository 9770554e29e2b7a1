package envoy.authz

default allow := false

allow if data.portcullis.bodies.permitted
