package portcullis.oauth_scopes_test

import data.portcullis.oauth_scopes

test_scopes_are_parted_by_spaces if {
	oauth_scopes.scopes == {"orders:read", "orders:write"} with input as asked("GET", "/", {"scope": "orders:read  orders:write "})
}

test_scopes_may_be_a_list if {
	oauth_scopes.scopes == {"a", "b"} with input as asked("GET", "/", {"scope": ["a", "b"]})
	oauth_scopes.scopes == {"a", "b"} with input as asked("GET", "/", {"scp": ["a", "b"]})
	oauth_scopes.scopes == {"a b"} with input as asked("GET", "/", {"scope": ["a b"]})
}

test_scp_counts_where_there_is_no_scope if {
	oauth_scopes.scopes == {"a"} with input as asked("GET", "/", {"scp": "a"})
	oauth_scopes.scopes == {"a"} with input as asked("GET", "/", {"scope": "a", "scp": "admin"})
	oauth_scopes.scopes == set() with input as asked("GET", "/", {"scope": false, "scp": "admin"})
}

test_other_values_are_no_scopes if {
	every value in ["", " ", null, true, 7, {"a": "orders:read"}, [], [""], [7, ["orders:read"]]] {
		oauth_scopes.scopes == set() with input as asked("GET", "/", {"scope": value})
	}
	oauth_scopes.scopes == set() with input as {}
}

test_a_request_with_the_scope_is_permitted if {
	oauth_scopes.permitted with input as asked("GET", "/orders/7", {"scope": "orders:read"}) with data.oauth_scopes as world
}

test_a_request_without_it_is_not if {
	every scope in ["orders:write", "orders", "ORDERS:READ", "orders:read,x", "orders:read:all", "xorders:read", ""] {
		not oauth_scopes.permitted with input as asked("GET", "/orders/7", {"scope": scope}) with data.oauth_scopes as world
	}
}

test_every_entry_that_lists_it_must_be_satisfied if {
	not oauth_scopes.permitted with input as asked("GET", "/orders/audit", {"scope": "orders:read"}) with data.oauth_scopes as world
	not oauth_scopes.permitted with input as asked("GET", "/orders/audit", {"scope": "audit"}) with data.oauth_scopes as world
	oauth_scopes.permitted with input as asked("GET", "/orders/audit", {"scope": "orders:read audit"}) with data.oauth_scopes as world
}

test_what_no_entry_lists_is_not_permitted if {
	not oauth_scopes.permitted with input as asked("GET", "/users", {"scope": "orders:read"}) with data.oauth_scopes as world
	not oauth_scopes.permitted with input as asked("DELETE", "/orders", {"scope": "orders:read"}) with data.oauth_scopes as world
	not oauth_scopes.permitted with input as asked("GET", "/orders/../x", {"scope": "orders:read"}) with data.oauth_scopes as world
}

test_an_entry_without_scopes_permits_nothing if {
	every scopes in [[], "orders:read", null, {"a": "orders:read"}] {
		not oauth_scopes.permitted with input as asked("GET", "/orders", {"scope": "orders:read"})
			with data.oauth_scopes as {"entries": [{"methods": ["GET"], "path": "/orders", "scopes": scopes}]}
	}
	not oauth_scopes.permitted with input as asked("GET", "/orders", {"scope": "orders:read"}) with data.oauth_scopes as {}
}

test_all_means_all_and_at_least_one if {
	oauth_scopes.has_all(["a", "b"]) with input as asked("GET", "/", {"scope": "b a c"})
	not oauth_scopes.has_all(["a", "b"]) with input as asked("GET", "/", {"scope": "a c"})
	not oauth_scopes.has_all([]) with input as asked("GET", "/", {"scope": "a"})
	not oauth_scopes.has_all("a") with input as asked("GET", "/", {"scope": "a"})
	not oauth_scopes.has_all({"x": "a"}) with input as asked("GET", "/", {"scope": "a"})
	not oauth_scopes.has_all([""]) with input as asked("GET", "/", {"scope": " "})
}

test_too_little_is_told_as_the_rfc_has_it if {
	answer := oauth_scopes.insufficient with input as asked("GET", "/orders/audit", {"scope": "audit x"}) with data.oauth_scopes as world
	not answer.allowed
	answer.http_status == 403
	answer.headers["www-authenticate"] == `Bearer error="insufficient_scope", scope="audit orders:read"`
	answer.reason == "needs audit orders:read, has audit x"
}

test_enough_is_not if {
	not oauth_scopes.insufficient with input as asked("GET", "/orders", {"scope": "orders:read"}) with data.oauth_scopes as world
}

test_nor_is_a_request_without_a_token if {
	not oauth_scopes.insufficient with input as object.remove(asked("GET", "/orders", {}), ["verified"]) with data.oauth_scopes as world
}

test_a_header_states_no_scope if {
	claimed := object.union(asked("GET", "/orders", {}), {"attributes": {"request": {"http": {"headers": {"scope": "orders:read"}}}}})
	not oauth_scopes.permitted with input as claimed with data.oauth_scopes as world
}

world := {"entries": [
	{"methods": ["GET"], "path": "/orders", "scopes": ["orders:read"]},
	{"methods": ["GET"], "path": "/orders/audit", "scopes": ["audit"]},
]}

asked(method, path, claims) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": {"jwt": {"provider": "corp", "claims": claims}},
}
