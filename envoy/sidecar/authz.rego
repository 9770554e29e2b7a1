# Who calls is who is on the connection, by the certificate; what it may call stands in data.json.
package envoy.authz

default allow := {"allowed": false, "reason": "no service may call this, or not this one"}

allow := {"allowed": true, "headers": {"x-caller": data.portcullis.service_to_service.caller}} if {
	data.portcullis.service_to_service.permitted
}
