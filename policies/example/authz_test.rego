package envoy.authz_test

import data.envoy.authz

# By the data beside it. What each rule does with odd data is tested where the rule stands.

test_a_role_lets_in_and_the_upstream_learns_who_it_is if {
	decision := authz.allow with input as asked("POST", "/tenants/acme/orders", alice)
	decision.allowed
	decision.reason == "as clerk"
	decision.headers == {"x-user": "alice", "x-roles": "clerk", "x-tenant": "acme"}
	decision.request_headers_to_remove == {"cookie", "origin"}
	decision.response_headers_to_add["access-control-allow-origin"] == "https://shop.example.com"
}

test_a_client_s_own_identity_is_overwritten if {
	forged := object.union(asked("GET", "/tenants/acme/orders", alice), {"attributes": {"request": {"http": {"headers": {
		"x-user": "root",
		"x-roles": "admin",
		"x-tenant": "evil",
	}}}}})
	decision := authz.allow with input as forged
	decision.headers == {"x-user": "alice", "x-roles": "clerk", "x-tenant": "acme"}
	decision.request_headers_to_remove == {"cookie", "origin"}
}

test_a_request_of_no_page_gets_no_cors_headers if {
	asked_plainly := object.union(object.remove(asked("GET", "/tenants/acme/orders", alice), ["attributes"]), {"attributes": {
		"request": {"http": {"method": "GET", "path": "/tenants/acme/orders", "headers": {}}},
		"source": {"address": {"socketAddress": {"address": "192.0.2.7"}}},
	}})
	decision := authz.allow with input as asked_plainly
	decision.allowed
	decision.response_headers_to_add == {}
}

test_what_no_role_permits_is_denied if {
	decision := authz.allow with input as asked("GET", "/tenants/acme/users", alice)
	not decision.allowed
	decision.reason == "no role of clerk permits it"
}

test_another_tenant_is_not_there if {
	decision := authz.allow with input as asked("GET", "/tenants/evil/orders", alice)
	not decision.allowed
	decision.http_status == 404
}

test_without_a_token_the_client_is_asked_for_one if {
	decision := authz.allow with input as asked("GET", "/tenants/acme/orders", {})
	not decision.allowed
	decision.http_status == 401
}

test_a_probe_needs_none if {
	decision := authz.allow with input as asked("GET", "/healthz", {})
	decision == {"allowed": true, "reason": "probe"}
}

test_a_preflight_is_answered if {
	question := object.union(asked("OPTIONS", "/tenants/acme/orders", {}), {"attributes": {"request": {"http": {"headers": {
		"access-control-request-method": "DELETE",
	}}}}})
	decision := authz.allow with input as question
	not decision.allowed
	decision.http_status == 204
}

test_who_is_on_a_list_is_turned_away_whatever_else_holds if {
	every path in ["/tenants/acme/orders", "/healthz"] {
		decision := authz.allow with input as asked("GET", path, token("mallory", "acme", ["admin"]))
		not decision.allowed
		decision.reason == "subject mallory of corp: left in March"
	}
}

test_a_grant_opens_more_with_a_reason if {
	decision := authz.allow with input as explained("INC-4711 orders are stuck") with time.now_ns as noon
	decision.allowed
	startswith(decision.reason, "break glass by alice of corp")
	decision.headers["x-user"] == "alice"
	decision.dynamic_metadata.break_glass.reason == "INC-4711 orders are stuck"
}

test_and_asks_for_one if {
	decision := authz.allow with input as explained("") with time.now_ns as noon
	not decision.allowed
	decision.body == "say why in x-break-glass-reason"
}

test_but_not_in_another_tenant if {
	elsewhere := object.union(asked("DELETE", "/tenants/evil/orders/7", alice), {"attributes": {"request": {"http": {"headers": {
		"x-break-glass-reason": "INC-4711 orders are stuck",
	}}}}})
	decision := authz.allow with input as elsewhere with time.now_ns as noon
	decision.http_status == 404
}

test_nor_on_another_day if {
	decision := authz.allow with input as explained("INC-4711 orders are stuck")
		with time.now_ns as time.parse_rfc3339_ns("2026-01-16T12:00:00Z")
	not decision.allowed
	decision.reason == "no role of clerk permits it"
}

noon := time.parse_rfc3339_ns("2026-01-15T12:00:00Z")

alice := token("alice", "acme", ["clerk"])

token(subject, tenant, roles) := {"jwt": found, "jwts": {"corp": found}} if {
	found := {"provider": "corp", "claims": {"sub": subject, "org": {"tenant": tenant}, "realm_access": {"roles": roles}}}
}

explained(words) := object.union(asked("DELETE", "/tenants/acme/orders/7", alice), {"attributes": {"request": {"http": {"headers": {
	"x-break-glass-reason": words,
}}}}})

asked(method, path, verified) := {
	"attributes": {
		"request": {"http": {
			"method": method,
			"path": path,
			"headers": {"origin": "https://shop.example.com", "accept": "*/*", "cookie": "a=b"},
		}},
		"source": {"address": {"socketAddress": {"address": "192.0.2.7"}}},
	},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": verified,
}
