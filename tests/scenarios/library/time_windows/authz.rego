package envoy.authz

default allow := false

allow if {
	input.verified.jwt
	may_at_this_time
}

may_at_this_time if {
	input.attributes.request.http.method == "GET"
	data.portcullis.time_windows.in_hours("support")
}

may_at_this_time if {
	input.attributes.request.http.method == "POST"
	data.portcullis.time_windows.in_hours("support")
	data.portcullis.time_windows.in_period("migration")
}
