package envoy.authz

import data.extra

default allow := false

allow := {"allowed": true, "headers": {"x-limit": sprintf("%d", [data.limits.orders])}} if {
	extra.has(input.attributes.request.http.headers["x-user"], "reader")
}
