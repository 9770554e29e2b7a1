package envoy.authz

case := input.parsed_path[0]

allow if case == "true"

allow := false if case == "false"

allow := results[case]

results := {
	"object": {"allowed": true},
	"object-denied": {"allowed": false, "reason": "not on the list"},
	"empty-object": {},
	"allowed-text": {"allowed": "true"},
	"allowed-number": {"allowed": 1},
	"allowed-null": {"allowed": null},
	"text": "true",
	"number": 1,
	"list": [true],
	"null": null,
	"set": {true},
	"headers-number": {"allowed": true, "headers": {"x-a": 1}},
	"headers-text": {"allowed": true, "headers": "x-a: 1"},
	"headers-nested": {"allowed": true, "headers": {"x-a": [["b"]]}},
	"status-text": {"allowed": false, "http_status": "403"},
	"body-object": {"allowed": false, "body": {"a": 1}},
	"remove-text": {"allowed": true, "request_headers_to_remove": "x-a"},
	"query-number": {"allowed": true, "query_parameters_to_set": {"a": 1}},
	"metadata-list": {"allowed": true, "dynamic_metadata": [1]},
	"reason-number": {"allowed": true, "reason": 7},
	"extra": {"allowed": true, "unknown": 1},
}

allow if case == "conflict"

allow := false if case == "conflict"
