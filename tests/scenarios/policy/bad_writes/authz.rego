package envoy.authz

default allow := false

allow := results[input.parsed_path[0]]

allowing(headers) := {"allowed": true, "headers": headers}

denying(status) := {"allowed": false, "http_status": status}

results["good"] := allowing({"x-a": "1"})

results["teapot"] := denying(429)

results["path"] := allowing({":path": "/admin"})

results["method"] := allowing({":method": "DELETE"})

results["host"] := allowing({"Host": "internal"})

results["envoy"] := allowing({"x-envoy-original-dst-host": "10.0.0.1"})

results["forwarded"] := allowing({"X-Forwarded-For": "10.0.0.1"})

results["connection"] := allowing({"connection": "x-user"})

results["transfer"] := allowing({"transfer-encoding": "chunked"})

results["remove-framing"] := {"allowed": true, "request_headers_to_remove": ["content-length"]}

results["line-end"] := allowing({"x-a": "1\r\nx-admin: true"})

results["line-feed"] := allowing({"x-a": "1\nx-admin: true"})

results["nul"] := allowing({"x-a": "1\u0000"})

results["name"] := allowing({"x a": "1"})

results["name-colon"] := allowing({"x-a: 1\r\nx-b": "1"})

results["name-empty"] := allowing({"": "1"})

results["response-line-end"] := {"allowed": true, "response_headers_to_add": {"x-a": "1\r\nset-cookie: a=b"}}

results["denied-line-end"] := {"allowed": false, "headers": {"x-a": "1\r\nset-cookie: a=b"}}

results["status-0"] := denying(0)

results["status-99"] := denying(99)

results["status-101"] := denying(101)

results["status-199"] := denying(199)

results["status-600"] := denying(600)

results["status-1000"] := denying(1000)

results["status-65939"] := denying(65939)

results["status-half"] := denying(403.5)

results["status-negative"] := denying(-1)
