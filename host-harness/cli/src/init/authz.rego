package envoy.authz

# Refused, unless a rule below allows it.
default allow := false

# Anybody may ask whether the service is up.
allow if input.parsed_path == ["health"]

# Who has a role may do what data.roles says of it. A token that was not verified is not in
# input.verified, so its claims prove nothing here.
allow if {
	some role in input.verified.jwt.claims.roles
	input.attributes.request.http.method in data.roles[role]
}
