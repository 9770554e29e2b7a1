package envoy.authz

http := input.attributes.request.http

# Whatever a policy makes of a request, in its own words.
allow := {"allowed": true, "reason": sprintf("%v %v", [http, object.get(input, "parsed_body", "none")])}
