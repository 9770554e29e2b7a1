# A service of several tenants, put together from the library: who is turned away, who needs no
# credential, whose tenant it is, who may what, and what the upstream gets to see.
package envoy.authz

default allow := {"allowed": false, "reason": "no rule decided"}

# The first line that fits decides.
allow := {"allowed": false, "reason": concat("; ", data.portcullis.deny_lists.denials)} if {
	data.portcullis.deny_lists.denied
} else := {"allowed": true, "reason": "probe"} if {
	data.portcullis.health_and_metrics.permitted
} else := data.portcullis.cors_preflight.answer if {
	data.portcullis.cors_preflight.permitted
} else := {"allowed": false, "http_status": 401, "reason": "nothing says who asks"} if {
	not input.verified.jwt
} else := {"allowed": false, "http_status": 404, "reason": "not the token's tenant"} if {
	not data.portcullis.tenant_isolation.is_own
} else := object.union(way_in, {"reason": sprintf("as %s", [concat(", ", data.portcullis.rbac.grants)])}) if {
	data.portcullis.rbac.permitted
} else := object.union(way_in, data.portcullis.break_glass.answer) if {
	data.portcullis.break_glass.answer
} else := data.portcullis.break_glass.unexplained if {
	data.portcullis.break_glass.unexplained
} else := {"allowed": false, "reason": sprintf("no role of %s permits it", [concat(", ", data.portcullis.rbac.roles)])}

# What goes along with a request that is allowed.
way_in := {
	"allowed": true,
	"headers": identity,
	"request_headers_to_remove": data.portcullis.data_minimisation.request_headers_to_remove - object.keys(identity),
	"response_headers_to_add": object.union_n([found | found := data.portcullis.cors_preflight.response_headers]),
}

# What is written is not removed: the gate sets first, and removes then.
identity := object.union(data.portcullis.data_minimisation.headers, {
	"x-roles": concat(",", data.portcullis.rbac.roles),
	"x-tenant": data.portcullis.tenant_isolation.tenant,
})
