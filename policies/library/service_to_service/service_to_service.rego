# Which service may call what, by the SPIFFE ID of its verified certificate.
package portcullis.service_to_service

import data.portcullis.acl

permitted if {
	some call in data.service_to_service.calls
	is_from(call)
	acl.lists(call)
}

# Undefined unless the certificate names a workload of a trust domain that is listed.
caller := id if {
	id := input.verified.peer.spiffe_id
	is_id(id)
	count(split(id, "/")) > 3
	split(id, "/")[2] in data.service_to_service.trust_domains
}

is_from(call) if call.caller == caller

# Whole segments: below /ns/shop is /ns/shop/sa/orders, never /ns/shopping. An entry that says both
# means the narrower.
is_from(call) if {
	not "caller" in object.keys(call)
	is_id(call.callers_below)
	startswith(caller, concat("", [call.callers_below, "/"]))
}

# As the SPIFFE ID standard has it (section 2): small letters in the trust domain, no empty or dot
# segments, no query, no port, nothing escaped.
is_id(text) if {
	regex.match(`^spiffe://[a-z0-9._-]+(/[a-zA-Z0-9._-]+)*$`, text)
	every segment in split(text, "/") {
		not segment in {".", ".."}
	}
}
