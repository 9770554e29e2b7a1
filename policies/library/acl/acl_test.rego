package portcullis.acl_test

import data.portcullis.acl

test_a_listed_method_and_path_are_permitted if {
	acl.permitted with input as asked("GET", "/orders/7") with data.acl as world
}

test_another_method_is_not if {
	every method in ["DELETE", "get", "HEAD", "", null] {
		not acl.permitted with input as asked(method, "/orders/7") with data.acl as world
	}
}

test_another_path_is_not if {
	every path in ["/orders-archive", "/users", "/", "/ORDERS", "/x/orders"] {
		not acl.permitted with input as asked("GET", path) with data.acl as world
	}
}

test_a_path_that_hops_read_differently_is_not if {
	every path in ["/orders/../users", "/orders//7", "/orders%2f..", "/orders/%2e%2e/users"] {
		not acl.permitted with input as asked("GET", path) with data.acl as world
	}
}

test_an_exact_entry_has_nothing_below if {
	acl.permitted with input as asked("POST", "/reports") with data.acl as world
	not acl.permitted with input as asked("POST", "/reports/") with data.acl as world
	not acl.permitted with input as asked("POST", "/reports/7") with data.acl as world
}

test_an_entry_that_says_both_means_the_narrower if {
	both := {"methods": ["GET"], "path": "/", "exact": "/status"}
	acl.permits([both]) with input as asked("GET", "/status")
	not acl.permits([both]) with input as asked("GET", "/orders")
	not acl.permits([object.union(both, {"exact": false})]) with input as asked("GET", "/orders")
}

test_an_entry_that_is_not_whole_lists_nothing if {
	every entry in [
		{}, {"methods": ["GET"]}, {"path": "/orders"}, {"methods": "GET", "path": "/orders"},
		{"methods": [], "path": "/orders"}, {"methods": ["GET"], "path": ""},
		{"methods": ["GET"], "path": ["/orders"]}, "GET /orders", null,
	] {
		not acl.permits([entry]) with input as asked("GET", "/orders")
	}
}

test_without_entries_nothing_is_permitted if {
	not acl.permitted with input as asked("GET", "/orders") with data.acl as {}
	every entries in [[], {}, "", "/orders", null, true] {
		not acl.permitted with input as asked("GET", "/orders") with data.acl as {"entries": entries}
	}
}

test_an_empty_request_is_not_permitted if {
	not acl.permitted with input as {} with data.acl as world
}

world := {"entries": [
	{"methods": ["GET", "PUT"], "path": "/orders"},
	{"methods": ["POST"], "exact": "/reports"},
]}

asked(method, path) := {
	"attributes": {"request": {"http": {"method": method, "path": path}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
}
