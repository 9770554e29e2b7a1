package envoy.authz

import input.attributes.request.http

key := input.verified.api_key

default allow := {"allowed": false, "reason": "nothing allows it"}

allow if {
	"orders:read" in key.scopes
	http.method == "GET"
	input.parsed_path[0] == "orders"
	not data.closed[input.parsed_path[1]]
}

allow := {"allowed": true, "headers": {"x-tier": data.tiers[key.subject]}} if {
	"orders:write" in key.scopes
	http.method == "POST"
	input.parsed_body.amount < data.limits[key.subject]
}

# The moment of the decision.
allow := {"allowed": true, "reason": "an even millisecond"} if {
	http.path == "/clock"
	(time.now_ns() / 1000) % 2 == 0
}

allow if {
	input.parsed_path[0] == "query"
	some word in input.parsed_query.word
	glob.match("open-*", ["-"], word)
	input.attributes.contextExtensions.stage == "test"
	net.cidr_contains("127.0.0.0/8", input.attributes.source.address.socketAddress.address)
}

# It gives no answer of its own, and what takes too much is none.
allow := 7 if input.parsed_path[0] == "wrong"

allow if {
	input.parsed_path[0] == "endless"
	some i in numbers.range(1, 1000000)
	i == 0
}
