package envoy.authz

default allow := false

allow if may("GET")

allow if {
	count([path | walk(input.parsed_query, [path, "open sesame"])]) > 0
}

may(method) if {
	method_is with data.wanted as method
}

method_is if {
	input.attributes.request.http.method == data.wanted
	input.parsed_path[0] == "read"
}
