# Who may do what: a subject has roles, a role has permissions, an API key has scopes, a service that
# signs has permissions. All of that is data (data.json); here is only how it is read. Nothing is allowed that no rule below allows.
package envoy.authz

default allow := {"allowed": false, "reason": "no rule decided"}

# The first line that fits decides.
allow := {"allowed": false, "reason": concat("; ", denials)} if {
	count(denials) > 0
} else := {"allowed": true, "reason": "public"} if {
	is_public
} else := {"allowed": true, "reason": "CORS preflight"} if {
	is_preflight
} else := {"allowed": true, "reason": concat(", ", grants), "headers": identity} if {
	count(grants) > 0
} else := {"allowed": false, "http_status": 401, "reason": "nothing says who asks"} if {
	not is_authenticated
} else := {"allowed": false, "reason": sprintf("no role, scope or service allows %s %s", [http.method, path])}

http := input.attributes.request.http

path := split(http.path, "?")[0]

# Denials: whatever else would allow it.

denials contains "ambiguous path" if is_ambiguous

denials contains sprintf("%s is denied: %s", [token.claims.sub, why]) if {
	why := data.rbac.denied.subjects[token.provider][token.claims.sub]
}

denials contains sprintf("key %s is denied: %s", [api_key.id, why]) if {
	why := data.rbac.denied.keys[api_key.id]
}

denials contains sprintf("key %s is denied: %s", [signature.key_id, why]) if {
	why := data.rbac.denied.keys[signature.key_id]
}

# What two hops may read differently is nothing to decide on.
is_ambiguous if {
	some mark in ["//", "\\", ";", "%2f", "%5c", "%2e", "%3b", "%25"]
	contains(lower(path), mark)
}

is_ambiguous if {
	some segment in input.parsed_path
	segment in {".", ".."}
}

# Without credentials.

is_public if {
	some permission in data.rbac.public
	permits(permission)
}

# A browser asks before it sends credentials; only listed origins get an answer.
is_preflight if {
	http.method == "OPTIONS"
	http.headers["access-control-request-method"]
	http.headers.origin in data.rbac.origins
}

# What was proven. Nothing else says who asks: not a header, not an unverified token.

token := input.verified.jwt

api_key := input.verified.api_key

signature := input.verified.signature

is_authenticated if token

is_authenticated if api_key

is_authenticated if signature

# `sub` is unique only within its issuer (RFC 7519 section 4.1.2), so subjects stand under the
# provider's name.
roles contains role if {
	some role in data.rbac.subjects[token.provider][token.claims.sub]
}

# What the upstream learns, besides the claims that the configuration names.
identity := {"x-roles": concat(",", roles)} if {
	token
} else := {"x-client": api_key.subject} if {
	api_key
} else := {"x-service": signature.subject}

# What allows the request, for logs.

grants contains sprintf("role %s", [role]) if {
	some role in roles
	some permission in data.rbac.roles[role]
	permits(permission)
}

grants contains sprintf("scope %s", [scope]) if {
	some scope in api_key.scopes
	some permission in data.rbac.scopes[scope]
	permits(permission)
}

grants contains sprintf("service %s", [signature.subject]) if {
	some permission in data.rbac.services[signature.subject]
	permits(permission)
}

# Whole segments: /orders is /orders and /orders/7, never /orders-archive.
permits(permission) if {
	http.method in permission.methods
	prefix := trim_suffix(permission.path, "/")
	startswith(concat("", [path, "/"]), concat("", [prefix, "/"]))
}
