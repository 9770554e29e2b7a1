package portcullis.service_to_service_test

import data.portcullis.service_to_service

test_a_listed_caller_may_call_what_is_listed if {
	service_to_service.permitted with input as asked("GET", "/invoices/7", peer("/ns/shop/sa/orders")) with data.service_to_service as world
}

test_and_nothing_else if {
	not service_to_service.permitted with input as asked("DELETE", "/invoices/7", peer("/ns/shop/sa/orders")) with data.service_to_service as world
	not service_to_service.permitted with input as asked("GET", "/payments", peer("/ns/shop/sa/orders")) with data.service_to_service as world
	not service_to_service.permitted with input as asked("GET", "/invoices/../payments", peer("/ns/shop/sa/orders"))
		with data.service_to_service as world
}

test_another_caller_may_not if {
	every path in ["/ns/shop/sa/billing", "/ns/shop/sa/orders2", "/ns/shop/sa/orders/x", "/ns/shop/sa/Orders", "/ns/shop"] {
		not service_to_service.permitted with input as asked("GET", "/invoices", peer(path)) with data.service_to_service as world
	}
}

test_everything_below_a_prefix_may if {
	every path in ["/ns/shop/sa/orders", "/ns/shop/sa/billing"] {
		service_to_service.permitted with input as asked("POST", "/events", peer(path)) with data.service_to_service as world
	}
}

test_a_prefix_ends_with_a_segment if {
	every path in ["/ns/shopping/sa/orders", "/ns/shop", "/ns", "/x/ns/shop/sa/orders"] {
		not service_to_service.permitted with input as asked("POST", "/events", peer(path)) with data.service_to_service as world
	}
}

test_a_trust_domain_that_is_not_listed_is_nobody if {
	every id in [
		"spiffe://evil.test/ns/shop/sa/orders", "spiffe://EXAMPLE.org/ns/shop/sa/orders",
		"spiffe://example.org.evil.test/ns/shop/sa/orders", "spiffe://sub.example.org/ns/shop/sa/orders",
	] {
		not service_to_service.caller with input as asked("GET", "/invoices", shown(id)) with data.service_to_service as world
	}
}

test_what_is_no_workload_s_id_is_nobody if {
	every id in [
		"spiffe://example.org", "spiffe://example.org/", "spiffe://example.org//ns", "spiffe://example.org/ns/../ns",
		"spiffe://example.org/ns/.", "spiffe://example.org/ns?x", "spiffe://example.org/ns#x", "spiffe://example.org/ns/",
		"spiffe://example.org:443/ns", "spiffe://user@example.org/ns", "spiffe://example.org/n%73", "SPIFFE://example.org/ns",
		"https://example.org/ns", "example.org/ns", "", " spiffe://example.org/ns", "spiffe://example.org/ns\n", null, 7, ["spiffe://example.org/ns"],
	] {
		not service_to_service.caller with input as asked("GET", "/invoices", shown(id)) with data.service_to_service as world
	}
	service_to_service.caller == "spiffe://example.org/ns" with input as asked("GET", "/", shown("spiffe://example.org/ns"))
		with data.service_to_service as world
}

test_a_trust_domain_as_a_whole_may_be_named if {
	whole := {"trust_domains": ["example.org"], "calls": [{"callers_below": "spiffe://example.org", "methods": ["GET"], "path": "/status"}]}
	service_to_service.permitted with input as asked("GET", "/status", peer("/ns/any")) with data.service_to_service as whole
}

test_a_prefix_that_is_no_id_is_nobody_s if {
	every prefix in ["", "/", "spiffe:/", "spiffe:", "spiffe://example.org/", "spiffe://example.org/.", null, 7, ["spiffe://example.org"]] {
		not service_to_service.permitted with input as asked("GET", "/status", peer("/ns/any"))
			with data.service_to_service as {"trust_domains": ["example.org"], "calls": [{"callers_below": prefix, "methods": ["GET"], "path": "/status"}]}
	}
	not service_to_service.permitted with input as asked("GET", "/status", peer("/./ns"))
		with data.service_to_service as {"trust_domains": ["example.org"], "calls": [{"callers_below": "spiffe://example.org/.", "methods": ["GET"], "path": "/status"}]}
}

test_an_entry_that_says_both_means_the_narrower if {
	both := {"caller": "spiffe://example.org/ns/a", "callers_below": "spiffe://example.org", "methods": ["GET"], "path": "/status"}
	every entry in [both, object.union(both, {"caller": null})] {
		not service_to_service.permitted with input as asked("GET", "/status", peer("/ns/b"))
			with data.service_to_service as {"trust_domains": ["example.org"], "calls": [entry]}
	}
}

test_nobody_else_is_a_caller if {
	claimed := {"attributes": {"request": {"http": {
		"method": "GET", "path": "/invoices",
		"headers": {"x-forwarded-client-cert": "URI=spiffe://example.org/ns/shop/sa/orders"},
	}}}, "parsed_path": ["invoices"], "source_principal": "spiffe://example.org/ns/shop/sa/orders"}
	not service_to_service.permitted with input as claimed with data.service_to_service as world
	not service_to_service.permitted with input as asked("GET", "/invoices", {"peer": {"uri_san": "spiffe://example.org/ns/shop/sa/orders"}})
		with data.service_to_service as world
}

test_without_data_nobody_may_call if {
	not service_to_service.permitted with input as asked("GET", "/invoices", peer("/ns/shop/sa/orders")) with data.service_to_service as {}
	not service_to_service.permitted with input as asked("GET", "/invoices", peer("/ns/shop/sa/orders"))
		with data.service_to_service as object.remove(world, ["trust_domains"])
	not service_to_service.permitted with input as asked("GET", "/invoices", peer("/ns/shop/sa/orders"))
		with data.service_to_service as object.union(world, {"trust_domains": "example.org"})
}

world := {
	"trust_domains": ["example.org"],
	"calls": [
		{"caller": "spiffe://example.org/ns/shop/sa/orders", "methods": ["GET"], "path": "/invoices"},
		{"callers_below": "spiffe://example.org/ns/shop", "methods": ["POST"], "path": "/events"},
	],
}

peer(path) := shown(concat("", ["spiffe://example.org", path]))

shown(id) := {"peer": {"spiffe_id": id}}

asked(method, path, verified) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": verified,
}
