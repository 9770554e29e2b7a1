package envoy.authz

default allow := false

allow if data.portcullis.rbac.permitted
