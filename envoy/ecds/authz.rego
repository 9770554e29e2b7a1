# An API key with the scope reads; nothing else is allowed.
package envoy.authz

default allow := {"allowed": false, "reason": "no scope allows this"}

allow if {
	input.attributes.request.http.method in {"GET", "HEAD"}
	"orders:read" in input.verified.api_key.scopes
}
