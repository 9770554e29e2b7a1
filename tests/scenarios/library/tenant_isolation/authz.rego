package envoy.authz

default allow := {"allowed": false, "http_status": 404, "reason": "not the token's tenant"}

allow := {"allowed": true, "headers": {"x-tenant": data.portcullis.tenant_isolation.tenant}} if {
	data.portcullis.tenant_isolation.is_own
}
