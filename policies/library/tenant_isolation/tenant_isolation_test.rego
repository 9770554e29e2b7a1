package portcullis.tenant_isolation_test

import data.portcullis.tenant_isolation

test_everything_names_the_token_s_tenant if {
	tenant_isolation.is_own with input as own with data.tenant_isolation as world
}

test_another_tenant_in_any_place_is_not_its_own if {
	every change in [
		{"path": "/tenants/evil/orders"}, {"host": "evil.api.example.com"}, {"headers": {"x-tenant": "evil"}},
	] {
		not tenant_isolation.is_own with input as changed(change) with data.tenant_isolation as world
	}
}

test_a_place_that_names_none_is_not_its_own if {
	every change in [
		{"path": "/tenants"}, {"path": "/tenants/"}, {"path": "/orders/acme"}, {"path": "/tenantsx/acme"},
		{"host": "api.example.com"}, {"host": ".api.example.com"}, {"host": "acme.example.com"}, {"host": "acme"},
		{"headers": {"x-tenant": ""}}, {"headers": {"x-tenants": "acme"}},
	] {
		not tenant_isolation.is_own with input as changed(change) with data.tenant_isolation as world
	}
}

test_what_only_looks_like_the_tenant_is_another if {
	every change in [
		{"path": "/tenants/Acme/orders"}, {"path": "/tenants/acme-2/orders"}, {"path": "/tenants/evil/../acme"},
		{"path": "/tenants//acme"}, {"path": "/tenants/acme%2f..%2fevil"}, {"path": "/x/tenants/acme"},
		{"host": "evil.acme.api.example.com"}, {"host": "acme.api.example.com.evil.test"},
		{"host": "acme-api.example.com"}, {"host": "acme.api.example.com."},
		{"headers": {"x-tenant": "acme,evil"}}, {"headers": {"x-tenant": "ACME"}}, {"headers": {"x-tenant": " acme"}},
	] {
		not tenant_isolation.is_own with input as changed(change) with data.tenant_isolation as world
	}
}

test_a_tenant_is_one_label_of_a_host if {
	dotted := object.union(changed({"host": "evil.acme.api.example.com"}), {"verified": {"jwt": {"provider": "corp", "claims": {"org": {"tenant": "evil.acme"}}}}})
	not tenant_isolation.is_own with input as dotted with data.tenant_isolation.claims as world.claims
		with data.tenant_isolation.places as {"host": "api.example.com"}
}

test_a_host_has_no_case_and_may_have_a_port if {
	every host in ["ACME.API.example.com", "acme.api.example.com:8443"] {
		tenant_isolation.is_own with input as changed({"host": host}) with data.tenant_isolation as world
	}
}

test_the_tenant_is_the_token_s_alone if {
	not tenant_isolation.tenant with input as object.remove(own, ["verified"]) with data.tenant_isolation as world
	not tenant_isolation.is_own with input as object.remove(own, ["verified"]) with data.tenant_isolation as world
	every value in ["", null, 7, true, ["acme"], {"id": "acme"}] {
		not tenant_isolation.tenant with input as of_token("corp", {"org": {"tenant": value}}) with data.tenant_isolation as world
	}
	not tenant_isolation.tenant with input as of_token("corp", {"tenant": "acme"}) with data.tenant_isolation as world
	not tenant_isolation.tenant with input as of_token("partner", {"org": {"tenant": "acme"}}) with data.tenant_isolation as world
}

test_an_empty_tenant_owns_nothing if {
	nobody := object.union(changed({"headers": {"x-tenant": ""}}), {"verified": {"jwt": {"provider": "corp", "claims": {"org": {"tenant": ""}}}}})
	not tenant_isolation.is_own with input as nobody
		with data.tenant_isolation as object.union(object.remove(world, ["places"]), {"places": {"header": "x-tenant"}})
}

test_one_place_is_enough_where_one_is_listed if {
	every places in [{"path": "/tenants"}, {"path": "/tenants/"}, {"host": "api.example.com"}, {"header": "X-Tenant"}] {
		tenant_isolation.is_own with input as own with data.tenant_isolation.claims as world.claims
			with data.tenant_isolation.places as places
	}
}

test_without_places_nothing_is_its_own if {
	every places in [{}, [], "", "path", null, {"cookie": "tenant"}, {"path": ""}, {"path": "tenants"}, {"header": null}, {"host": 7}] {
		not tenant_isolation.is_own with input as own with data.tenant_isolation.claims as world.claims
			with data.tenant_isolation.places as places
	}
	not tenant_isolation.is_own with input as own with data.tenant_isolation as {}
}

world := {
	"claims": {"corp": ["org", "tenant"]},
	"places": {"path": "/tenants", "host": "api.example.com", "header": "x-tenant"},
}

own := changed({})

of_token(provider, claims) := {"verified": {"jwt": {"provider": provider, "claims": claims}}}

changed(change) := {
	"attributes": {"request": {"http": http}},
	"parsed_path": split(trim_left(http.path, "/"), "/"),
	"verified": {"jwt": {"provider": "corp", "claims": {"org": {"tenant": "acme"}}}},
} if {
	usual := {"path": "/tenants/acme/orders", "host": "acme.api.example.com", "headers": {"x-tenant": "acme"}}
	http := object.union(object.remove(usual, object.keys(change)), change)
}
