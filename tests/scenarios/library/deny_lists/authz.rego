package envoy.authz

default allow := false

allow := {"allowed": false, "reason": concat("; ", data.portcullis.deny_lists.denials)} if {
	data.portcullis.deny_lists.denied
} else if {
	may
}

# Your own rules.
may if input.verified.jwt

may if "orders:read" in input.verified.api_key.scopes
