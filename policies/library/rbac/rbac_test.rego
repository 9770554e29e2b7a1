package portcullis.rbac_test

import data.portcullis.rbac

test_a_role_permits_what_it_lists if {
	rbac.permitted with input as asked("GET", "/orders/7", token("corp", "alice")) with data.rbac as world
}

test_a_role_permits_nothing_else if {
	not rbac.permitted with input as asked("DELETE", "/orders/7", token("corp", "alice")) with data.rbac as world
	not rbac.permitted with input as asked("GET", "/users", token("corp", "alice")) with data.rbac as world
}

test_the_roles_that_permit_are_told if {
	rbac.grants == {"admin"} with input as asked("DELETE", "/orders", token("corp", "carol")) with data.rbac as world
	rbac.roles == {"admin", "clerk"} with input as asked("DELETE", "/orders", token("corp", "carol")) with data.rbac as world
}

test_a_name_of_another_issuer_is_another_subject if {
	rbac.roles == set() with input as asked("GET", "/orders", token("partner", "alice")) with data.rbac as world
}

test_a_name_in_another_case_is_another_subject if {
	every name in ["Alice", "alice ", "", null, 7] {
		rbac.roles == set() with input as asked("GET", "/orders", token("corp", name)) with data.rbac as world
	}
}

test_an_issuer_may_state_roles_where_the_data_says if {
	rbac.roles == {"clerk"} with input as asked("GET", "/orders", stated("partner", ["clerk"])) with data.rbac as world
	rbac.permitted with input as asked("GET", "/orders", stated("partner", ["clerk"])) with data.rbac as world
}

test_another_issuer_may_not if {
	rbac.roles == set() with input as asked("GET", "/orders", stated("corp", ["admin"])) with data.rbac as world
}

test_what_is_no_list_of_texts_states_no_roles if {
	every value in ["admin", {"a": "admin"}, true, null, [], [["admin"]], [7]] {
		rbac.roles == set() with input as asked("GET", "/orders", stated("partner", value)) with data.rbac as world
	}
}

test_a_role_that_is_not_in_the_data_permits_nothing if {
	not rbac.permitted with input as asked("GET", "/orders", stated("partner", ["root", ""])) with data.rbac as world
}

test_without_proof_there_are_no_roles if {
	every verified in [{}, {"api_key": {"subject": "alice"}}, {"jwt": {"provider": "corp", "claims": {}}}] {
		rbac.roles == set() with input as asked("GET", "/orders", verified) with data.rbac as world
	}
	claimed := {"attributes": {"request": {"http": {
		"method": "GET", "path": "/orders",
		"headers": {"x-user": "alice", "x-roles": "admin", "authorization": "Bearer alice"},
	}}}, "parsed_path": ["orders"]}
	not rbac.permitted with input as claimed with data.rbac as world
}

test_without_data_nothing_is_permitted if {
	not rbac.permitted with input as asked("GET", "/orders", token("corp", "alice")) with data.rbac as {}
	not rbac.permitted with input as asked("GET", "/orders", token("corp", "alice"))
		with data.rbac as object.remove(world, ["roles"])
}

world := {
	"subjects": {"corp": {"alice": ["clerk"], "carol": ["clerk", "admin"]}},
	"claims": {"partner": ["realm_access", "roles"]},
	"roles": {
		"clerk": [{"methods": ["GET", "POST"], "path": "/orders"}],
		"admin": [{"methods": ["DELETE"], "path": "/"}],
	},
}

token(provider, subject) := {"jwt": {"provider": provider, "claims": {"sub": subject}}}

stated(provider, value) := {"jwt": {"provider": provider, "claims": {"sub": "zoe", "realm_access": {"roles": value}}}}

asked(method, path, verified) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": verified,
}
