package library.door

# What an opa-envoy-plugin policy does that trusts no proxy: it takes the token itself.
card := claims if {
	["Bearer", compact] := split(input.attributes.request.http.headers.authorization, " ")
	[true, _, claims] := io.jwt.decode_verify(compact, {"secret": "not so secret", "alg": "HS256", "time": time.now_ns()})
}

granted if {
	some grant in data.grants[card.role]
	grant.method == input.attributes.request.http.method
	glob.match(grant.path, ["/"], concat("/", array.concat([""], input.parsed_path)))
}

answer := {
	"allowed": true,
	"headers": {"x-card": card.sub},
	"request_headers_to_remove": ["authorization"],
	"query_parameters_to_set": {"role": card.role, "seen": ["door", "shelf"]},
} if {
	granted
} else := {"allowed": false, "http_status": 403, "body": "not on this card"} if {
	card
} else := {
	"allowed": false,
	"http_status": 401,
	"body": "show a card",
	"headers": {"www-authenticate": "Bearer realm=library"},
}
