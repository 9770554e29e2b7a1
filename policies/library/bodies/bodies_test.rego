package portcullis.bodies_test

import data.portcullis.bodies

test_a_body_that_fits_is_permitted if {
	bodies.permitted with input as asked("POST", "/orders", json_type, good) with data.bodies as entries with data.json_schema as schemas
	bodies.permitted with input as asked("POST", "/orders", "Application/JSON ; charset=utf-8", good) with data.bodies as entries with data.json_schema as schemas
}

test_another_type_is_wrong if {
	every type in ["text/plain", "application/json5", "application/vnd.api+json", "text/plain; application/json", "application/x-www-form-urlencoded", ""] {
		bodies.wrong == {"type"} with input as asked("POST", "/orders", type, good) with data.bodies as entries with data.json_schema as schemas
	}
	not bodies.permitted with input as asked("POST", "/orders", "text/plain", good) with data.bodies as entries with data.json_schema as schemas
}

test_no_type_is_wrong if {
	headers := {"op": "remove", "path": "/attributes/request/http/headers/content-type"}
	bodies.wrong == {"type"} with input as json.patch(asked("POST", "/orders", json_type, good), [headers]) with data.bodies as entries with data.json_schema as schemas
}

test_a_body_may_be_as_large_as_it_says if {
	every length, permitted in {"98": true, "99": false} {
		text := concat("", ["x" | some _ in numbers.range(1, to_number(length))])
		body := asked("POST", "/notes", json_type, text)
		bodies.size == to_number(length) + 2 with input as body
		allowed(body) == permitted
	}
	bodies.wrong == {"size"} with input as asked("POST", "/notes", json_type, concat("", ["x" | some _ in numbers.range(1, 99)])) with data.bodies as entries with data.json_schema as schemas
}

test_a_size_is_in_bytes if {
	bodies.size == 6 with input as asked("POST", "/notes", json_type, "éé")
	bodies.size == 4 with input as {"attributes": {"request": {"http": {"body": "éé"}}}}
	bodies.size == 1 with input as {"attributes": {"request": {"http": {"rawBody": "/w=="}}}}
	bodies.size == 2 with input as {"attributes": {"request": {"http": {"rawBody": "//8="}}}}
	bodies.size == 3 with input as {"attributes": {"request": {"http": {"rawBody": "////"}}}}
	bodies.size == 0 with input as {"attributes": {"request": {"http": {}}}}
}

test_the_bytes_count_before_the_text if {
	bodies.size == 3 with input as {"attributes": {"request": {"http": {"body": "x", "rawBody": "////"}}}}
}

test_a_body_may_be_as_deep_as_it_says if {
	allowed(asked("POST", "/trees", json_type, {"a": {"b": [1]}}))
	allowed(asked("POST", "/trees", json_type, {"a": {"b": []}}))
	bodies.wrong == {"depth"} with input as asked("POST", "/trees", json_type, {"a": {"b": [[1]]}}) with data.bodies as entries with data.json_schema as schemas
	bodies.wrong == {"depth"} with input as asked("POST", "/trees", json_type, {"a": {"b": [{"c": 1}]}}) with data.bodies as entries with data.json_schema as schemas
}

test_what_is_too_large_is_not_looked_into if {
	long := concat("", ["x" | some _ in numbers.range(1, 300)])
	bodies.wrong == {"size"} with input as asked("POST", "/orders", json_type, {"item": [[[long]]]}) with data.bodies as entries with data.json_schema as schemas
	bodies.wrong == {"size"} with input as asked("POST", "/trees", json_type, [[[[long]]]]) with data.bodies as entries with data.json_schema as schemas
}

test_a_body_of_another_shape_is_wrong if {
	every body in [{}, {"item": 7, "count": 1}, {"item": "x", "count": 0}, object.union(good, {"admin": true}), [good], "x", null] {
		bodies.wrong == {"schema"} with input as asked("POST", "/orders", json_type, body) with data.bodies as entries with data.json_schema as schemas
	}
}

test_what_is_not_whole_is_wrong if {
	every change in [{"truncated_body": true}, {"truncated_body": null}, {"truncated_body": "false"}] {
		bodies.wrong == {"truncated"} with input as object.union(asked("POST", "/notes", json_type, "x"), change) with data.bodies as entries with data.json_schema as schemas
	}
}

test_where_bodies_are_not_read_nothing_is_permitted if {
	unread := {"attributes": {"request": {"http": {"method": "POST", "path": "/notes", "headers": {"content-type": json_type}}}}, "parsed_path": ["notes"]}
	not allowed(unread)
	not allowed(object.remove(asked("POST", "/notes", json_type, "x"), ["truncated_body"]))
}

test_no_body_has_no_type if {
	allowed(bodiless("GET", "/orders"))
	allowed(bodiless("POST", "/notes"))
	bodies.wrong == {"type", "size"} with input as asked("GET", "/orders", "text/plain", "x") with data.bodies as entries with data.json_schema as schemas
	bodies.wrong == {"schema"} with input as bodiless("POST", "/orders") with data.bodies as entries with data.json_schema as schemas
}

test_every_entry_counts if {
	allowed(asked("POST", "/orders/7", json_type, good))
	not allowed(asked("POST", "/orders/archive", json_type, good))
	bodies.wrong == {"type"} with input as asked("POST", "/orders/archive", json_type, good) with data.bodies as entries with data.json_schema as schemas
}

test_what_no_entry_lists_is_not_permitted if {
	not allowed(asked("PUT", "/orders", json_type, good))
	not allowed(asked("POST", "/other", json_type, good))
	not allowed(bodiless("GET", "/other"))
}

test_an_entry_that_says_too_little_permits_nothing if {
	every change in [{"max_bytes": null}, {"max_bytes": "9999"}, {"max_bytes": true}, {"max_depth": null}, {"max_depth": "9"}, {"types": null}, {"types": "application/json"}, {"types": []}, {"schema": "nobody's"}, {"schema": null}] {
		entry := object.union(loose, change)
		not bodies.permitted with input as asked("POST", "/notes", json_type, good) with data.bodies as {"entries": [entry]}
	}
	every name in ["max_bytes", "types", "methods", "path"] {
		entry := object.remove(loose, [name])
		not bodies.permitted with input as asked("POST", "/notes", json_type, good) with data.bodies as {"entries": [entry]}
	}
	bodies.permitted with input as asked("POST", "/notes", json_type, good) with data.bodies as {"entries": [loose]}
}

test_without_data_nothing_is_permitted if {
	every settings in [{}, {"entries": []}, {"entries": null}, {"entries": loose}, loose, null] {
		not bodies.permitted with input as asked("POST", "/notes", json_type, good) with data.bodies as settings
	}
}

json_type := "application/json"

good := {"item": "x", "count": 2}

loose := {"methods": ["POST"], "path": "/notes", "types": ["application/json"], "max_bytes": 100}

entries := {"entries": [
	{"methods": ["POST"], "path": "/orders", "types": ["application/json", "application/merge-patch+json"], "max_bytes": 200, "schema": "order"},
	{"methods": ["POST"], "path": "/orders/archive", "types": ["application/merge-patch+json"], "max_bytes": 200},
	{"methods": ["GET"], "path": "/orders", "max_bytes": 0},
	{"methods": ["POST"], "path": "/trees", "types": ["application/json"], "max_bytes": 200, "max_depth": 3},
	loose,
]}

schemas := {"order": {
	"type": "object",
	"additionalProperties": false,
	"required": ["item", "count"],
	"properties": {"item": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
}}

allowed(request) := count([true | bodies.permitted with input as request with data.bodies as entries with data.json_schema as schemas]) == 1

asked(method, path, type, body) := object.union(bodiless(method, path), {
	"attributes": {"request": {"http": {
		"headers": {"content-type": type},
		"rawBody": base64.encode(json.marshal(body)),
	}}},
	"parsed_body": body,
})

bodiless(method, path) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_prefix(path, "/"), "/"),
	"parsed_body": null,
	"truncated_body": false,
}
