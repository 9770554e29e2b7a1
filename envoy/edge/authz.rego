# Who may do what at the edge. Nothing is allowed that no rule below allows.
package envoy.authz

default allow := {"allowed": false, "reason": "no scope allows this"}

# The first line that fits decides.
allow := {"allowed": false, "http_status": 401, "reason": "nothing says who asks"} if {
	not is_authenticated
} else := {"allowed": false, "reason": "a page of another site sent this"} if {
	is_from_elsewhere
} else := {"allowed": true, "headers": identity} if {
	method in {"GET", "HEAD"}
	"orders:read" in scopes
} else := {"allowed": true, "headers": identity} if {
	method in {"POST", "PUT", "DELETE"}
	"orders:write" in scopes
}

method := input.attributes.request.http.method

# What was proven: the token that `oauth2` took out of the browser's cookies or that a client sent itself,
# or an API key. The gate verifies both alike, and does not believe `oauth2` that it did.

token := input.verified.jwt

api_key := input.verified.api_key

is_authenticated if token

is_authenticated if api_key

scopes contains scope if some scope in split(token.claims.scope, " ")

scopes contains scope if some scope in api_key.scopes

# The user is in `x-user`, which the configuration writes.
identity := {"x-client": api_key.subject} if {
	api_key
} else := {}

# A browser sends its cookies along, whichever page asks it to. `SameSite=Lax` keeps them from a POST of
# another site's page, and this from one of a neighbour's, which is the same site (evil.example.com). A
# client that is no browser sends no `Origin`.
origins := {"https://shop.example.com"}

is_from_elsewhere if {
	not method in {"GET", "HEAD"}
	origin := input.attributes.request.http.headers.origin
	not origin in origins
}
