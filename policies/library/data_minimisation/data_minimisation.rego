# What the upstream need not see, it does not get: of the headers those that are listed, of the claims
# those that get a header. Both go into the policy's answer.
package portcullis.data_minimisation

# Everything that is not to be kept, and a client's own where a claim has nothing to write.
request_headers_to_remove contains name if {
	some name, _ in input.attributes.request.http.headers
	not name in kept
	not name in object.keys(headers)
}

# Of the verified token alone. A claim that is a list or an object is not reduced, so it is not written.
headers[lower(name)] := as_text(value) if {
	some name, claim in settings.claims
	value := object.get(input.verified.jwt.claims, claim, null)
}

as_text(value) := value if {
	is_string(value)
	value != ""
}

as_text(value) := json.marshal(value) if type_name(value) in {"number", "boolean"}

# What a policy cannot take away, since it frames the message or is the proxy's own.
kept contains name if {
	some name, _ in input.attributes.request.http.headers
	startswith(name, ":")
}

kept contains name if {
	some name, _ in input.attributes.request.http.headers
	replace(name, "_", "-") in {
		"host", "connection", "content-length", "http2-settings", "keep-alive", "proxy-connection", "te",
		"trailer", "transfer-encoding", "upgrade", "x-forwarded-proto", "x-request-id",
	}
}

# What the data lists, unless a claim is to be written there: then it is the claim's or nobody's.
kept contains lower(name) if {
	some name in settings.keep
	not lower(name) in written
}

written contains lower(name) if some name, _ in settings.claims

settings := data.data_minimisation
