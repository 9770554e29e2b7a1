package envoy.authz_test

import data.envoy.authz

request(method, path, claims) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": path,
	"verified": {"jwt": {"claims": claims}},
}

test_anybody_asks_for_health if {
	authz.allow with input as request("GET", ["health"], {})
}

test_a_reader_reads if {
	authz.allow with input as request("GET", ["orders"], {"roles": ["reader"]})
}

test_a_reader_does_not_write if {
	not authz.allow with input as request("POST", ["orders"], {"roles": ["reader"]})
}

test_a_stranger_is_refused if {
	not authz.allow with input as request("GET", ["orders"], {})
}
