package portcullis.step_up_test

import data.portcullis.step_up

test_a_good_authentication_is_enough if {
	permitted("POST", "/payments", {"acr": "mfa", "auth_time": now - 300})
	permitted("POST", "/payments", {"acr": "phr", "auth_time": now})
	permitted("POST", "/payments", {"acr": "mfa", "auth_time": now + 60})
	permitted("GET", "/payments/7", {"acr": "mfa"})
	permitted("GET", "/orders", {})
}

test_another_one_is_not if {
	every acr in ["pwd", "MFA", "", null, true, ["mfa"], {"mfa": "mfa"}] {
		not permitted("GET", "/payments", {"acr": acr})
	}
	not permitted("GET", "/payments", {})
}

test_an_old_one_is_not if {
	not permitted("POST", "/payments", {"acr": "mfa", "auth_time": now - 301})
	not permitted("POST", "/payments", {"acr": "mfa", "auth_time": now + 61})
	not permitted("POST", "/payments", {"acr": "mfa"})
	every time_of in [null, "0", sprintf("%d", [now]), [now], true] {
		not permitted("POST", "/payments", {"acr": "mfa", "auth_time": time_of})
	}
}

test_every_entry_that_lists_it_must_be_met if {
	not permitted("POST", "/payments/large", {"acr": "mfa", "auth_time": now})
	permitted("POST", "/payments/large", {"acr": "phr", "auth_time": now})
	not permitted("POST", "/payments/large", {"acr": "phr", "auth_time": now - 301})
}

test_what_no_entry_lists_is_not_permitted if {
	not permitted("GET", "/users", {"acr": "phr", "auth_time": now})
	not permitted("DELETE", "/payments", {"acr": "phr", "auth_time": now})
	not step_up.permitted with input as asked("GET", "/orders", {}) with data.step_up as {}
}

test_any_means_any_token if {
	not step_up.permitted with input as object.remove(asked("GET", "/orders", {}), ["verified"]) with data.step_up as world
}

test_entries_of_other_kinds_permit_nothing if {
	every acr_values in [[], null, "mfa", {"x": "mfa"}, true, "*"] {
		not permitted_by({"acr_values": acr_values}, {"acr": "mfa", "auth_time": now})
	}
	not permitted_by({}, {"acr": "mfa", "auth_time": now})
	not permitted_by({"acr_values": [null]}, {"acr": null})
	not permitted_by({"acr_values": [true]}, {"acr": true})
	every max_age in [null, "300", -1, 1.5, [300], true, false] {
		not permitted_by({"acr_values": "any", "max_age": max_age}, {"auth_time": now})
	}
	not permitted_by({"acr_values": "any", "max_age": -1}, {"auth_time": now + 5})
	not permitted_by({"acr_values": "any", "max_age": "300"}, {"auth_time": now})
	permitted_by({"acr_values": "any", "max_age": 0}, {"auth_time": now})
}

test_what_is_missing_is_told_as_the_rfc_has_it if {
	answer := insufficient("POST", "/payments", {"acr": "pwd", "auth_time": now})
	not answer.allowed
	answer.http_status == 401
	answer.headers["www-authenticate"] == `Bearer error="insufficient_user_authentication", acr_values="mfa phr", max_age="300"`
	answer.reason == `needs another authentication: acr_values="mfa phr", max_age="300"`
}

test_only_what_is_asked_is_told if {
	insufficient("GET", "/payments", {}).headers["www-authenticate"] == `Bearer error="insufficient_user_authentication", acr_values="mfa phr"`
	insufficient("GET", "/statements", {}).headers["www-authenticate"] == `Bearer error="insufficient_user_authentication", max_age="60"`
}

test_the_first_that_is_not_met_is_told if {
	contains(insufficient("POST", "/payments/large", {}).reason, `acr_values="mfa phr"`)
	contains(insufficient("POST", "/payments/large", {"acr": "mfa", "auth_time": now}).reason, `acr_values="phr"`)
}

test_the_scheme_is_the_tokens if {
	startswith(challenge_to({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), "DPoP error=")
	every claims in [{}, {"cnf": {}}, {"cnf": "jkt"}, {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}] {
		startswith(challenge_to(claims), "Bearer error=")
	}
}

test_enough_is_not_told if {
	not insufficient("GET", "/payments", {"acr": "mfa"})
	not insufficient("GET", "/users", {})
}

test_nor_is_a_request_without_a_token if {
	not step_up.insufficient with input as object.remove(asked("GET", "/payments", {}), ["verified"]) with data.step_up as world
}

test_an_entry_of_another_kind_is_not_told if {
	every acr_values in [[], [""], ["a b"], [`a"b`], [`a\b`], ["a\r\nb"], ["é"], [7], [null], {"x": "mfa"}, "mfa", null] {
		not told_by({"acr_values": acr_values})
		not told_by({"acr_values": acr_values, "max_age": 60})
	}
	every max_age in [null, "300", -1, 1.5] {
		not told_by({"acr_values": ["mfa"], "max_age": max_age})
	}
	not told_by({"max_age": 60})
	told_by({"acr_values": ["urn:example:loa:3"], "max_age": 60})
}

test_a_header_states_no_authentication if {
	claimed := object.union(asked("GET", "/payments", {}), {"attributes": {"request": {"http": {"headers": {"acr": "mfa"}}}}})
	not step_up.permitted with input as claimed with data.step_up as world
}

permitted(method, path, claims) if {
	step_up.permitted with input as asked(method, path, claims) with data.step_up as world with time.now_ns as now * 1000000000
}

permitted_by(entry, claims) if {
	step_up.permitted with input as asked("GET", "/x", claims)
		with data.step_up as {"entries": [object.union({"methods": ["GET"], "path": "/x"}, entry)]}
		with time.now_ns as now * 1000000000
}

insufficient(method, path, claims) := answer if {
	answer := step_up.insufficient with input as asked(method, path, claims) with data.step_up as world with time.now_ns as now * 1000000000
}

told_by(entry) if {
	step_up.insufficient with input as asked("GET", "/x", {})
		with data.step_up as {"entries": [object.union({"methods": ["GET"], "path": "/x"}, entry)]}
		with time.now_ns as now * 1000000000
}

challenge_to(claims) := insufficient("GET", "/payments", claims).headers["www-authenticate"]

now := 1800000000

world := {"entries": [
	{"methods": ["GET"], "path": "/payments", "acr_values": ["mfa", "phr"]},
	{"methods": ["POST"], "path": "/payments", "acr_values": ["mfa", "phr"], "max_age": 300},
	{"methods": ["POST"], "path": "/payments/large", "acr_values": ["phr"]},
	{"methods": ["GET"], "path": "/statements", "acr_values": "any", "max_age": 60},
	{"methods": ["GET"], "path": "/orders", "acr_values": "any"},
]}

asked(method, path, claims) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {}}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": {"jwt": {"provider": "corp", "claims": claims}},
}
