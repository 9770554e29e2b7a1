package envoy.authz

default allow := false

allow if {
	some cidr in data.offices
	data.portcullis.addresses.within(cidr)
	input.parsed_path[0] == "office"
}

allow if {
	data.portcullis.addresses.within("10.0.0.0/8")
	input.parsed_path[0] == "inside"
}
