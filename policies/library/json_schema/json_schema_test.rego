package portcullis.json_schema_test

import data.portcullis.json_schema

test_claims_that_fit_match if {
	json_schema.claims_match("claims") with input as asked({}, {}, good) with data.json_schema as world
}

test_claims_that_do_not_fit_do_not if {
	every change in [
		{"sub": ""}, {"sub": 7}, {"sub": null}, {"sub": ["alice"]}, {"level": "3"}, {"level": 0}, {"level": 6}, {"level": 2.5},
		{"kind": "robot"}, {"kind": "Person"},
	] {
		not json_schema.claims_match("claims") with input as asked({}, {}, object.union(good, change)) with data.json_schema as world
	}
	every name in ["sub", "level", "kind"] {
		not json_schema.claims_match("claims") with input as asked({}, {}, object.remove(good, [name])) with data.json_schema as world
	}
}

test_without_a_token_no_claims_match if {
	not json_schema.claims_match("claims") with input as {"claims": good} with data.json_schema as world
	not json_schema.claims_match("open") with input as {"claims": good} with data.json_schema as world
}

test_parameters_that_fit_match if {
	every query in [{}, {"page": ["7"]}, {"page": ["12"], "sort": ["name"]}] {
		json_schema.query_matches("query") with input as asked(query, {}, {}) with data.json_schema as world
	}
}

test_parameters_that_do_not_fit_do_not if {
	every query in [
		{"page": ["-1"]}, {"page": ["1 OR 1"]}, {"page": [""]}, {"page": ["1", "2"]}, {"page": []}, {"page": "1"},
		{"sort": ["password"]}, {"debug": ["1"]}, {"PAGE": ["1"]}, {"page": ["1"], "admin": [""]},
	] {
		not json_schema.query_matches("query") with input as asked(query, {}, {}) with data.json_schema as world
	}
}

test_parameters_need_a_closed_schema if {
	json_schema.headers_match("open") with input as asked({}, {"a": "b"}, {}) with data.json_schema as world
	not json_schema.query_matches("open") with input as asked({}, {}, {}) with data.json_schema as world
	not json_schema.query_matches("loose") with input as asked({}, {}, {}) with data.json_schema as world
}

test_headers_that_fit_match if {
	json_schema.headers_match("headers") with input as asked({}, {"x-request-kind": "batch", "accept": "*/*"}, {}) with data.json_schema as world
	every headers in [{}, {"x-request-kind": "other"}, {"x-request-kind": "batch,single"}, {"x-request-kind": ""}] {
		not json_schema.headers_match("headers") with input as asked({}, headers, {}) with data.json_schema as world
	}
}

test_bodies_that_fit_match if {
	every body in [{}, {"page": ["7"]}, {"page": ["12"], "sort": ["name"]}] {
		json_schema.body_matches("query") with input as sent(body) with data.json_schema as world
	}
}

test_bodies_that_do_not_fit_do_not if {
	every body in [{"page": "7"}, {"page": ["-1"]}, {"page": ["1"], "admin": ["1"]}, {"Page": ["1"]}, [], ["7"], "{}", null, 7] {
		not json_schema.body_matches("query") with input as sent(body) with data.json_schema as world
	}
}

test_bodies_need_a_closed_schema if {
	every name in ["open", "loose"] {
		not json_schema.body_matches(name) with input as sent({}) with data.json_schema as world
	}
}

test_a_body_that_is_not_whole_does_not_match if {
	every change in [{"truncated_body": true}, {"truncated_body": null}] {
		not json_schema.body_matches("query") with input as object.union(sent({}), change) with data.json_schema as world
	}
	not json_schema.body_matches("query") with input as {"parsed_body": {}} with data.json_schema as world
	not json_schema.body_matches("query") with input as {"truncated_body": false} with data.json_schema as world
}

test_a_schema_that_is_none_takes_nothing if {
	every schema in [{}, true, "", null, [], {"type": "array"}, {"type": ["object", "string"]}, {"properties": {}}, {"type": "object", "properties": 7}] {
		not json_schema.claims_match("odd") with input as asked({}, {}, good) with data.json_schema as {"odd": schema}
		not json_schema.headers_match("odd") with input as asked({}, {"a": "b"}, good) with data.json_schema as {"odd": schema}
		not json_schema.query_matches("odd") with input as asked({}, {}, good) with data.json_schema as {"odd": schema}
		not json_schema.body_matches("odd") with input as sent({}) with data.json_schema as {"odd": schema}
	}
}

test_a_schema_that_nobody_wrote_takes_nothing if {
	not json_schema.claims_match("other") with input as asked({}, {}, good) with data.json_schema as world
	not json_schema.claims_match("claims") with input as asked({}, {}, good) with data.json_schema as {}
}

test_only_an_object_matches if {
	every document in ["{}", 7, null, [], true] {
		not json_schema.matches(document, {"type": "object"})
	}
	not json_schema.matches(`{"sub": "x"}`, {"type": "object"})
	json_schema.matches({}, {"type": "object"})
}

test_what_is_wrong_is_told if {
	json_schema.problems({"sub": 7}, world.claims) != [] with input as {}
	json_schema.problems(good, world.claims) == []
}

good := {"sub": "alice", "level": 3, "kind": "person"}

world := {
	"claims": {
		"type": "object",
		"required": ["sub", "level", "kind"],
		"properties": {
			"sub": {"type": "string", "minLength": 1},
			"level": {"type": "integer", "minimum": 1, "maximum": 5},
			"kind": {"enum": ["person", "service"]},
		},
	},
	"query": {
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"page": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string", "pattern": "^[0-9]{1,4}$"}},
			"sort": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"enum": ["name", "date"]}},
		},
	},
	"headers": {"type": "object", "required": ["x-request-kind"], "properties": {"x-request-kind": {"enum": ["batch", "single"]}}},
	"open": {"type": "object"},
	"loose": {"type": "object", "additionalProperties": true},
}

asked(query, headers, claims) := {
	"attributes": {"request": {"http": {"headers": headers}}},
	"parsed_query": query,
	"verified": {"jwt": {"provider": "corp", "claims": claims}},
}

sent(body) := {"parsed_body": body, "truncated_body": false}
