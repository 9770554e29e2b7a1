package envoy.authz

default allow := false

allow := results[input.parsed_path[0]]

results["open"] := {"allowed": true}

results["page"] := {
	"allowed": false,
	"http_status": 404,
	"headers": {"content-type": "text/html", "x-a": "1", "x-b": ["2", "3"]},
	"body": "<h1>nothing here</h1>",
	"reason": "hidden",
	"dynamic_metadata": {"seen": true},
	"response_headers_to_add": {"x-not": "used"},
}

results["redirect"] := {"allowed": false, "http_status": 302, "headers": {"location": "https://login.test/"}}

results["no-content"] := {"allowed": false, "http_status": 204, "body": "HTTP/1.1 200 OK"}

results["login"] := {"allowed": false, "http_status": 401}

results["own-challenge"] := {"allowed": false, "http_status": 401, "headers": {"www-authenticate": "Custom"}}

results["ok"] := {"allowed": false, "http_status": 200, "body": "served by the gate"}

results["empty"] := {"allowed": false, "body": ""}
