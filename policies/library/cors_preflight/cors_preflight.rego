# A browser asks before it sends credentials with a request to another origin (Fetch standard, section
# 3.2). Only listed origins, methods and headers get an answer that lets it go on.
package portcullis.cors_preflight

# The answer, from here: the upstream is not asked. A 204 is no way in, so `allowed` is false.
answer := {
	"allowed": false,
	"http_status": 204,
	"headers": object.union(response_headers, {
		"access-control-allow-methods": concat(", ", settings.methods),
		"access-control-allow-headers": concat(", ", requested),
		"access-control-max-age": sprintf("%d", [object.get(settings, "max_age", 0)]),
	}),
	"reason": "CORS preflight",
} if {
	permitted
}

# For a policy that lets its upstream answer.
permitted if {
	is_preflight
	is_listed
	http.headers["access-control-request-method"] in settings.methods
	count(requested - listed_headers) == 0
}

is_preflight if {
	http.method == "OPTIONS"
	http.headers.origin
	http.headers["access-control-request-method"]
}

# For the answer to the request that follows. Without a listed origin there are none, and the browser
# keeps the answer from the page.
response_headers := object.union(
	{"access-control-allow-origin": http.headers.origin, "vary": "origin"},
	credentials,
) if {
	is_listed
}

default credentials := {}

credentials := {"access-control-allow-credentials": "true"} if settings.credentials == true

# Letter for letter. `null` is the origin of every sandboxed page, and a star is nobody's.
is_listed if {
	http.headers.origin in settings.origins
	not http.headers.origin in {"null", "*", ""}
}

listed_headers contains lower(name) if some name in settings.headers

requested contains name if {
	some part in split(object.get(http.headers, "access-control-request-headers", ""), ",")
	name := lower(trim_space(part))
	name != ""
}

http := input.attributes.request.http

settings := data.cors_preflight
