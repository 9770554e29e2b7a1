package envoy.authz

default allow := false

http := input.attributes.request.http

allow := {"allowed": true, "headers": {
	"x-echo-method": http.method,
	"x-echo-path": http.path,
	"x-echo-host": http.host,
	"x-echo-scheme": http.scheme,
	"x-echo-protocol": http.protocol,
	"x-echo-parsed-path": json.marshal(input.parsed_path),
	"x-echo-parsed-query": json.marshal(input.parsed_query),
	"x-echo-note": object.get(http.headers, "x-note", "none"),
	"x-echo-pseudo": http.headers[":path"],
	"x-echo-extensions": json.marshal(input.attributes.contextExtensions),
	"x-echo-source": input.attributes.source.address.socketAddress.address,
	"x-echo-version": input.version.ext_authz,
	"x-echo-verified": json.marshal(object.get(input, "verified", {})),
}}
