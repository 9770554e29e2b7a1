package envoy.authz_test

import data.envoy.authz

# Roles.

test_a_role_allows_what_it_lists if {
	authz.allow.allowed with input as asked("GET", "/orders/7", token("alice")) with data.rbac as world
}

test_a_role_allows_no_other_method if {
	decision := authz.allow with input as asked("DELETE", "/orders/7", token("alice")) with data.rbac as world
	not decision.allowed
	decision.reason == "no role, scope or service allows DELETE /orders/7"
}

test_a_prefix_ends_with_a_segment if {
	not authz.allow.allowed with input as asked("GET", "/orders-archive", token("alice")) with data.rbac as world
}

test_a_query_is_no_part_of_the_path if {
	authz.allow.allowed with input as asked("GET", "/orders?x=/../", token("alice")) with data.rbac as world
}

test_the_root_is_a_prefix_of_everything if {
	authz.allow.allowed with input as asked("DELETE", "/orders/7", token("carol")) with data.rbac as world
}

test_the_upstream_gets_the_roles if {
	decision := authz.allow with input as asked("GET", "/orders", token("carol")) with data.rbac as world
	decision.headers["x-roles"] == "admin,clerk"
}

test_a_subject_without_roles_gets_nothing if {
	not authz.allow.allowed with input as asked("GET", "/orders", token("zoe")) with data.rbac as world
}

test_a_name_that_another_issuer_gave_is_another_subject if {
	stranger := {"jwt": {"provider": "partner", "claims": {"sub": "carol"}}}
	not authz.allow.allowed with input as asked("GET", "/orders", stranger) with data.rbac as world
}

test_claims_that_nobody_verified_are_nothing if {
	claimed := object.union(
		asked("GET", "/orders", {}),
		{"attributes": {"request": {"http": {"headers": {"x-user": "carol", "x-roles": "admin"}}}}},
	)
	decision := authz.allow with input as claimed with data.rbac as world
	not decision.allowed
	decision.http_status == 401
}

# API keys.

test_a_scope_allows_what_it_lists if {
	authz.allow.allowed with input as asked("GET", "/orders", key("acme-1", ["orders:read"])) with data.rbac as world
}

test_the_upstream_gets_the_holder if {
	decision := authz.allow with input as asked("GET", "/orders", key("acme-1", ["orders:read"])) with data.rbac as world
	decision.headers == {"x-client": "acme"}
}

test_a_scope_allows_nothing_else if {
	not authz.allow.allowed with input as asked("POST", "/orders", key("acme-1", ["orders:read"])) with data.rbac as world
}

test_a_scope_that_is_not_in_the_data_allows_nothing if {
	not authz.allow.allowed with input as asked("GET", "/orders", key("acme-1", ["orders:all"])) with data.rbac as world
}

# Services that sign.

test_a_service_may_what_is_listed if {
	decision := authz.allow with input as asked("POST", "/events/7", signed("billing")) with data.rbac as world
	decision.allowed
	decision.headers == {"x-service": "billing"}
}

test_a_service_may_nothing_else if {
	decision := authz.allow with input as asked("POST", "/orders", signed("billing")) with data.rbac as world
	not decision.allowed
	decision.reason == "no role, scope or service allows POST /orders"
}

test_another_service_may_not if {
	not authz.allow.allowed with input as asked("POST", "/events", signed("shipping")) with data.rbac as world
}

test_a_denied_signing_key_is_denied if {
	revoked := {"signature": {"key_id": "acme-0", "subject": "billing"}}
	not authz.allow.allowed with input as asked("POST", "/events", revoked) with data.rbac as world
}

# The deny list.

test_a_denied_subject_is_denied_whatever_it_may if {
	decision := authz.allow with input as asked("GET", "/orders", token("mallory")) with data.rbac as world
	not decision.allowed
	decision.reason == "mallory is denied: left"
}

test_a_denied_subject_is_denied_what_is_public if {
	not authz.allow.allowed with input as asked("GET", "/status", token("mallory")) with data.rbac as world
}

test_a_denied_key_is_denied if {
	not authz.allow.allowed with input as asked("GET", "/orders", key("acme-0", ["orders:read"])) with data.rbac as world
}

# Without credentials.

test_what_is_public_needs_no_credential if {
	authz.allow.allowed with input as asked("GET", "/status", {}) with data.rbac as world
}

test_the_rest_asks_for_one if {
	decision := authz.allow with input as asked("GET", "/orders", {}) with data.rbac as world
	not decision.allowed
	decision.http_status == 401
}

test_a_preflight_from_a_listed_origin_is_allowed if {
	authz.allow.allowed with input as preflight("https://shop.example.com") with data.rbac as world
}

test_a_preflight_from_elsewhere_is_not if {
	not authz.allow.allowed with input as preflight("https://evil.example") with data.rbac as world
}

test_options_alone_is_no_preflight if {
	not authz.allow.allowed with input as asked("OPTIONS", "/orders", {}) with data.rbac as world
}

# Paths that two hops may read differently.

test_an_ambiguous_path_is_denied_even_to_an_admin if {
	every path in ["/orders/../users", "/orders//7", "/orders/%2e%2e/users", "/orders%2F7", "/orders;v=1", "/orders\\7"] {
		decision := authz.allow with input as asked("GET", path, token("carol")) with data.rbac as world
		decision.reason == "ambiguous path"
	}
}

# What the tests are about.

world := {
	"subjects": {"corp": {"alice": ["clerk"], "carol": ["clerk", "admin"], "mallory": ["admin"]}},
	"roles": {
		"clerk": [{"methods": ["GET", "POST"], "path": "/orders"}],
		"admin": [{"methods": ["GET", "DELETE"], "path": "/"}],
	},
	"scopes": {"orders:read": [{"methods": ["GET"], "path": "/orders/"}]},
	"services": {"billing": [{"methods": ["POST"], "path": "/events"}]},
	"public": [{"methods": ["GET"], "path": "/status"}],
	"origins": ["https://shop.example.com"],
	"denied": {"subjects": {"corp": {"mallory": "left"}}, "keys": {"acme-0": "leaked"}},
}

asked(method, path, verified) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_left(split(path, "?")[0], "/"), "/"),
	"verified": verified,
}

preflight(origin) := object.union(
	asked("OPTIONS", "/orders", {}),
	{"attributes": {"request": {"http": {"headers": {"origin": origin, "access-control-request-method": "POST"}}}}},
)

token(subject) := {"jwt": {"provider": "corp", "claims": {"sub": subject}}}

key(id, scopes) := {"api_key": {"id": id, "subject": "acme", "scopes": scopes}}

signed(subject) := {"signature": {"key_id": "billing-2026", "subject": subject}}
