package envoy.authz_test

import data.envoy.authz

test_a_scope_lets_in if {
	authz.allow.allowed with input as asked("GET", "/orders/7", token("orders:read"))
	authz.allow.allowed with input as asked("POST", "/orders", token("orders:read orders:write"))
}

test_too_few_scopes_are_told if {
	decision := authz.allow with input as asked("POST", "/orders", token("orders:read"))
	not decision.allowed
	decision.http_status == 403
	contains(decision.headers["www-authenticate"], "orders:write")
}

test_a_service_calls_what_is_listed if {
	decision := authz.allow with input as asked("GET", "/orders/7", peer("web"))
	decision.allowed
	decision.headers == {"x-caller": "spiffe://cluster.local/ns/shop/sa/web"}
}

test_and_nothing_else if {
	every request in [
		asked("DELETE", "/orders/7", peer("web")), asked("GET", "/payments", peer("web")), asked("GET", "/orders", peer("other")),
		asked("GET", "/", token("orders:read")), asked("GET", "/orders-archive", token("orders:read")),
	] {
		decision := authz.allow with input as request
		decision == {"allowed": false, "reason": "no rule decided"}
	}
}

test_who_is_nobody_is_asked_for_credentials if {
	decision := authz.allow with input as asked("GET", "/orders", {})
	decision.http_status == 401
}

asked(method, path, verified) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_prefix(path, "/"), "/"),
	"verified": verified,
}

token(scope) := {"jwt": {"provider": "corp", "claims": {"sub": "alice", "scope": scope}}}

peer(account) := {"peer": {"spiffe_id": sprintf("spiffe://cluster.local/ns/shop/sa/%s", [account])}}
