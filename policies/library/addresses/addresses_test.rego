package portcullis.addresses_test

import data.portcullis.addresses

test_the_client_is_who_is_connected if {
	addresses.client == "192.0.2.7" with input as from("192.0.2.7")
	addresses.client == "2001:db8::7" with input as from("2001:DB8::7")
}

test_ipv4_in_ipv6_is_ipv4 if {
	addresses.client == "192.0.2.7" with input as from("::ffff:192.0.2.7")
	addresses.client == "192.0.2.7" with input as from("::FFFF:192.0.2.7")
	addresses.within("192.0.2.0/24") with input as from("::ffff:192.0.2.7")
}

test_what_is_no_address_is_nobody if {
	every text in ["", "localhost", "192.0.2", "192.0.2.0/24", "192.0.2.7:80", "::ffff:cb00:7107x", 7, null, ["192.0.2.7"]] {
		not addresses.client with input as from(text)
		not addresses.within("0.0.0.0/0") with input as from(text)
		not addresses.within("::/0") with input as from(text)
	}
	not addresses.client with input as {}
}

test_an_address_is_in_its_networks if {
	every cidr in ["192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0"] {
		addresses.within(cidr) with input as from("192.0.2.7")
	}
	addresses.within("2001:db8::/32") with input as from("2001:db8::7")
}

test_and_in_no_others if {
	every cidr in ["192.0.3.0/24", "192.0.2.8/32", "::/0"] {
		not addresses.within(cidr) with input as from("192.0.2.7")
	}
	not addresses.within("0.0.0.0/0") with input as from("2001:db8::7")
}

test_what_is_no_network_is_nobody_s if {
	every cidr in ["", "192.0.2.7", "192.0.2.0/33", "192.0.2/24", "*", 7, null, ["192.0.2.0/24"]] {
		not addresses.within(cidr) with input as from("192.0.2.7")
	}
}

test_a_header_is_no_address if {
	claimed := {"attributes": {"request": {"http": {"headers": {"x-forwarded-for": "192.0.2.7"}}}}}
	not addresses.client with input as claimed
}

from(text) := {"attributes": {"source": {"address": {"socketAddress": {"address": text}}}}}
