# Who may do what with orders: a user or a machine by the scopes of its token, a service by the SPIFFE ID of its
# certificate. Which that are stands in data.json.
package envoy.authz

default allow := {"allowed": false, "reason": "no rule decided"}

# The first line that fits decides.
allow := {"allowed": true, "reason": "service", "headers": {"x-caller": data.portcullis.service_to_service.caller}} if {
	data.portcullis.service_to_service.permitted
} else := {"allowed": true, "reason": "scope"} if {
	data.portcullis.oauth_scopes.permitted
} else := data.portcullis.oauth_scopes.insufficient if {
	data.portcullis.oauth_scopes.insufficient
} else := {"allowed": false, "http_status": 401, "reason": "nothing says who asks"} if {
	not is_known
}

is_known if input.verified.jwt

is_known if data.portcullis.service_to_service.caller
