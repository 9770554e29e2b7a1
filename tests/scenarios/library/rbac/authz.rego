package envoy.authz

default allow := {"allowed": false, "reason": "no role permits it"}

allow := {
	"allowed": true,
	"headers": {"x-roles": concat(",", data.portcullis.rbac.roles)},
	"reason": sprintf("as %s", [concat(", ", data.portcullis.rbac.grants)]),
} if {
	data.portcullis.rbac.permitted
}
