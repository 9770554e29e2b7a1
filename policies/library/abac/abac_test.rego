package portcullis.abac_test

import data.portcullis.abac

test_a_subject_has_the_claims_that_the_data_names if {
	abac.subject == {"department": "finance", "clearance": 3} with input as asked("/", ada) with data.abac as world
}

test_a_claim_may_stand_deeper if {
	deeper := {"jwt": {"provider": "partner", "claims": {"org": {"unit": "legal"}, "dept": "finance"}}}
	abac.subject == {"department": "legal"} with input as asked("/", deeper) with data.abac as world
}

test_what_is_empty_is_absent if {
	every value in ["", null, [], {}] {
		abac.subject == {"clearance": 3} with input as asked("/", with_claim("dept", value)) with data.abac as world
	}
}

test_a_provider_that_the_data_does_not_name_states_nothing if {
	stranger := {"jwt": {"provider": "other", "claims": {"dept": "finance", "clearance": 9}}}
	abac.subject == {} with input as asked("/", stranger) with data.abac as world
}

test_headers_state_nothing if {
	abac.subject == {} with input as object.union(asked("/", {}), {"attributes": {"request": {"http": {"headers": {"dept": "finance"}}}}})
		with data.abac as world
}

test_a_resource_has_the_attributes_of_the_deepest_entry_alone if {
	abac.resource == {"department": "finance", "clearance": 2, "departments": ["finance", "audit"]} with input as asked("/reports/finance/7", ada)
		with data.abac as world
	abac.resource == {"clearance": 1} with input as asked("/reports/sales", ada) with data.abac as world
}

test_two_entries_that_differ_give_nothing if {
	not abac.resource with input as asked("/twice", ada) with data.abac as world
	abac.resource == {"clearance": 0} with input as asked("/same", ada) with data.abac as world
}

test_what_is_not_listed_has_no_attributes if {
	every path in ["/", "/other", "/reportsx", "/reports/../same", "/reports//finance"] {
		not abac.resource with input as asked(path, ada) with data.abac as world
	}
	not abac.resource with input as asked("/reports", ada) with data.abac as {}
}

test_same_is_equal_and_there if {
	abac.same("department") with input as asked("/reports/finance", ada) with data.abac as world
	every value in ["sales", "Finance", "", ["finance"], null] {
		not abac.same("department") with input as asked("/reports/finance", with_claim("dept", value)) with data.abac as world
	}
	not abac.same("nothing") with input as asked("/reports/finance", ada) with data.abac as world
	not abac.same("department") with input as asked("/reports/finance", {}) with data.abac as world
}

test_same_needs_both_sides if {
	not abac.same("department") with input as asked("/reports/sales", ada) with data.abac as world
}

test_among_is_one_of_a_list if {
	abac.among("department", "departments") with input as asked("/reports/finance", ada) with data.abac as world
	not abac.among("department", "departments") with input as asked("/reports/finance", with_claim("dept", "sales"))
		with data.abac as world
	not abac.among("department", "nothing") with input as asked("/reports/finance", ada) with data.abac as world
}

test_among_takes_lists_only if {
	not abac.among("department", "by_name") with input as asked("/odd", ada) with data.abac as world
	not abac.among("department", "department") with input as asked("/odd", ada) with data.abac as world
}

test_at_least_compares_numbers if {
	abac.at_least("clearance") with input as asked("/reports/finance", ada) with data.abac as world
	abac.at_least("clearance") with input as asked("/reports/finance", with_claim("clearance", 2)) with data.abac as world
	not abac.at_least("clearance") with input as asked("/reports/finance", with_claim("clearance", 1)) with data.abac as world
}

test_at_least_compares_nothing_else if {
	every value in ["9", true, [9], {"n": 9}, null] {
		not abac.at_least("clearance") with input as asked("/reports/finance", with_claim("clearance", value))
			with data.abac as world
	}
	not abac.at_least("clearance") with input as asked("/odd", ada) with data.abac as world
	not abac.at_least("nothing") with input as asked("/reports/finance", ada) with data.abac as world
}

test_the_circumstances_are_the_proxy_s if {
	abac.context == {"method": "GET", "address": "192.0.2.7", "extensions": {"zone": "inner"}} with input as asked("/", {})
	not abac.context.method with input as {"method": "GET"}
}

world := {
	"claims": {
		"corp": {"department": "dept", "clearance": "clearance"},
		"partner": {"department": ["org", "unit"]},
	},
	"resources": [
		{"path": "/reports", "attributes": {"clearance": 1}},
		{"path": "/reports/finance", "attributes": {
			"department": "finance",
			"clearance": 2,
			"departments": ["finance", "audit"],
		}},
		{"path": "/twice", "attributes": {"clearance": 0}},
		{"path": "/twice/", "attributes": {"clearance": 9}},
		{"path": "/same", "attributes": {"clearance": 0}},
		{"path": "/same", "attributes": {"clearance": 0}},
		{"path": "/odd", "attributes": {"by_name": {"a": "finance"}, "department": "finance", "clearance": null}},
	],
}

ada := with_claim("dept", "finance")

with_claim(name, value) := {"jwt": {
	"provider": "corp",
	"claims": object.union({"dept": "finance", "clearance": 3, "title": "head"}, {name: value}),
}}

asked(path, verified) := {
	"attributes": {
		"request": {"http": {"method": "GET", "path": path}},
		"source": {"address": {"socketAddress": {"address": "192.0.2.7"}}},
		"contextExtensions": {"zone": "inner"},
	},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": verified,
}
