package envoy.authz

default allow := false

allow if data.portcullis.step_up.permitted

# Tells the client to authenticate its user again, and how.
allow := data.portcullis.step_up.insufficient
