package envoy.authz

default allow := false

allow if data.portcullis.oauth_scopes.permitted

# Tells the client which scope it lacks.
allow := data.portcullis.oauth_scopes.insufficient
