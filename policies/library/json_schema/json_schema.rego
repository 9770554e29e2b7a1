# Claims, query parameters, headers and bodies held against a JSON Schema (draft 4 to 7, as OPA has it)
# that stands in the data under a name.
package portcullis.json_schema

claims_match(name) if matches(input.verified.jwt.claims, data.json_schema[name])

headers_match(name) if matches(input.attributes.request.http.headers, data.json_schema[name])

# Every parameter is a list of texts. The schema must be closed: a parameter that it does not know may be
# one that the upstream does.
query_matches(name) if {
	data.json_schema[name].additionalProperties == false
	matches(input.parsed_query, data.json_schema[name])
}

# A body that came whole. Of a form every field is a list, as a parameter is. Closed for the same reason.
body_matches(name) if {
	input.truncated_body == false
	data.json_schema[name].additionalProperties == false
	matches(input.parsed_body, data.json_schema[name])
}

# A schema that does not say that it is for an object would take anything, or nothing at all.
matches(document, schema) if {
	is_object(document)
	schema.type == "object"
	json.match_schema(document, schema)[0]
}

# What is wrong, for logs: it may hold what the client sent.
problems(document, schema) := [problem.error | some problem in json.match_schema(document, schema)[1]]
