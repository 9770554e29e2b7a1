# What the bench asks: the subject's role must permit the method and the path's prefix, and the deny
# list goes before. The native chains of bench/chains.rs say the same in Envoy's words.
package envoy.authz

default allow := {"allowed": false, "reason": "no role permits this"}

allow := {"allowed": false, "reason": denial} if {
	denial
} else := {"allowed": true, "reason": role} if {
	some permission in data.roles[role]
	permission.method == http.method
	startswith(http.path, permission.path)
}

http := input.attributes.request.http

subject := input.verified.jwt.claims.sub

denial := data.denied[subject]

role := data.users[subject]
