package envoy.authz

http := input.attributes.request.http

# Whatever a policy makes of a request, in its own words; but for what Envoy adds.
default allow := false

allow := {"allowed": true, "reason": sprintf("%v %v %v", [http.path, headers, object.get(input, "parsed_body", "none")])}

headers := object.remove(http.headers, ["x-forwarded-proto"])
