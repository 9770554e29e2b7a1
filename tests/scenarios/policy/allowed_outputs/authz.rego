package envoy.authz

default allow := false

allow := results[input.parsed_path[0]]

results["all"] := {
	"allowed": true,
	"headers": {"x-set": "new", "X-Capital": "yes", "x-several": ["a", "b"]},
	"response_headers_to_add": {"x-frame-options": "DENY", "x-upstream": "from the gate"},
	"request_headers_to_remove": ["x-secret", "X-Other", ":path", "host"],
	"query_parameters_to_set": {"page": "2", "tag": ["x y", "z&=#"]},
	"query_parameters_to_remove": ["debug"],
	"dynamic_metadata": {"tenant": "blue", "level": 7},
	"reason": "on the list",
	"body": "not used",
	"http_status": 299,
}

results["headers-list"] := {"allowed": true, "headers": [{"x-a": "1"}, {"x-b": ["2", "3"]}]}

results["empty-value"] := {"allowed": true, "headers": {"x-set": ""}}

results["set-of-names"] := {"allowed": true, "request_headers_to_remove": {"x-secret"}}
