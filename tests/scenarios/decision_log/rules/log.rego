package system.log

drop if input.request_path == "/health"

drop := 1 / 0 if input.request_path == "/drop-wrong"

drop if {
	input.request_path == "/drop-budget"
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	a * b < 0
}

mask contains "/input/attributes/request/http/headers/x-phone"

mask contains {"op": "upsert", "path": "/input/attributes/request/http/headers/x-city", "value": "Paris"} if {
	input.input.attributes.request.http.headers["x-city"]
}

mask contains "/input/parsed_query" if startswith(input.request_path, "/remove")

mask contains "/labels" if input.request_path == "/mask-wrong"

mask contains x if {
	input.request_path == "/mask-budget"
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	x := sprintf("/input/%d", [a * b])
}
