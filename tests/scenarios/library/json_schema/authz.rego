package envoy.authz

default allow := false

allow if {
	data.portcullis.json_schema.claims_match("person")
	data.portcullis.json_schema.query_matches("search")
}
