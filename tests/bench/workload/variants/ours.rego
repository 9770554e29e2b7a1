package envoy.authz

default allow := false

allow if {
	input.verified.jwt
	count([1 | some _ in numbers.range(1, 100); not upper(header) == "X"]) == 100
}

header := input.attributes.request.http.method
