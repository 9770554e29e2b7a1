package envoy.authz

default allow := false

# The upstream learns what was read here; in base64, since a header cannot hold every path.
allow := {"allowed": true, "headers": object.union(known, {
	"x-read-path": base64.encode(http.path),
	"x-read-segments": base64.encode(json.marshal(input.parsed_path)),
	"x-read-query": base64.encode(json.marshal(input.parsed_query)),
	"x-read-route": object.get(input.attributes, ["contextExtensions", "route"], "none"),
})}

default known := {}

known := {"x-read-key": input.verified.api_key.id}

http := input.attributes.request.http
