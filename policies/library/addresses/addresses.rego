# The address at the other end, and whether it is in a network.
package portcullis.addresses

# Undefined where it cannot be read. What the proxy says is the client's only where the listener is an
# edge; an IPv4 address in IPv6's clothes is the IPv4 address.
client := address if {
	address := trim_prefix(lower(input.attributes.source.address.socketAddress.address), "::ffff:")
	is_address(address)
}

# A network is written as a CIDR; one that is not is nobody's.
within(cidr) if net.cidr_contains(cidr, client)

is_address(text) if net.cidr_is_valid(concat("", [text, "/32"]))
