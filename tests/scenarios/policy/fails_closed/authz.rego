package envoy.authz

default allow := false

path := input.parsed_path

allow if path[0] == "open"

# What is missing is no reason to say yes.
allow if input.verified.jwt.claims.role == "admin"

allow if {
	path[0] == "not-blocked"
	not blocked
}

# A conflict between complete rules is an error, also under `not`.
blocked := true if input.attributes.request.http.headers["x-a"]

blocked := false if input.attributes.request.http.headers["x-b"]

allow if {
	path[0] == "divide"
	10 / to_number(path[1]) > 1
}
