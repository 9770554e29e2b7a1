package envoy.authz

default allow := false

allow := {"allowed": true, "headers": {
	"x-peer": json.marshal(object.get(input.verified, "peer", "absent")),
	"x-principal": object.get(input.attributes.source, "principal", "absent"),
	"x-source-principal": object.get(input, "source_principal", "absent"),
}} if {
	may
}

may if input.parsed_path[0] == "echo"

may if {
	input.parsed_path[0] == "orders"
	input.verified.peer.spiffe_id == "spiffe://example.org/ns/shop/sa/orders"
}
