package envoy.authz

default allow := false

# A report is for its department, and for those who are cleared for it.
allow if {
	data.portcullis.abac.context.method == "GET"
	data.portcullis.abac.same("department")
	data.portcullis.abac.at_least("clearance")
}

# Some others may read it as well.
allow if {
	data.portcullis.abac.context.method == "GET"
	data.portcullis.abac.among("department", "readers")
}
