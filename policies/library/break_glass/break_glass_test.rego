package portcullis.break_glass_test

import data.portcullis.break_glass

test_a_grant_and_a_reason_open if {
	answer := break_glass.answer with input as asked("DELETE", "/orders/7", ada, why) with data.break_glass as world with time.now_ns as noon
	answer.allowed
	answer.reason == "break glass by ada of corp until 2026-11-26T18:00:00Z: INC-4711 orders are stuck"
	answer.dynamic_metadata.break_glass == {
		"provider": "corp",
		"subject": "ada",
		"until": "2026-11-26T18:00:00Z",
		"reason": "INC-4711 orders are stuck",
	}
}

test_a_reason_must_be_given if {
	every words in ["", " ", "INC", "incident", "            x            "] {
		not break_glass.answer with input as asked("DELETE", "/orders/7", ada, words) with data.break_glass as world with time.now_ns as noon
	}
	silent := object.remove(asked("DELETE", "/orders/7", ada, why), ["attributes"])
	not break_glass.answer with input as object.union(silent, {"attributes": {"request": {"http": {"method": "DELETE", "path": "/orders/7", "headers": {}}}}})
		with data.break_glass as world with time.now_ns as noon
}

test_ten_letters_are_a_reason if {
	break_glass.answer.allowed with input as asked("DELETE", "/orders/7", ada, "0123456789") with data.break_glass as world with time.now_ns as noon
	not break_glass.answer with input as asked("DELETE", "/orders/7", ada, "012345678") with data.break_glass as world with time.now_ns as noon
}

test_without_one_the_holder_learns_what_is_missing if {
	answer := break_glass.unexplained with input as asked("DELETE", "/orders/7", ada, " ") with data.break_glass as world with time.now_ns as noon
	not answer.allowed
	answer.http_status == 403
	answer.body == "say why in x-break-glass-reason"
	answer.reason == "break glass by ada of corp without a reason"
}

test_nobody_else_does if {
	not break_glass.unexplained with input as asked("DELETE", "/orders/7", token("corp", "eve"), "") with data.break_glass as world
		with time.now_ns as noon
	not break_glass.unexplained with input as asked("DELETE", "/orders/7", ada, why) with data.break_glass as world with time.now_ns as noon
}

test_a_grant_has_its_time if {
	every at in ["2026-11-26T10:00:00Z", "2026-11-26T17:59:59Z"] {
		break_glass.answer.allowed with input as asked("DELETE", "/orders/7", ada, why) with data.break_glass as world
			with time.now_ns as time.parse_rfc3339_ns(at)
	}
	every at in ["2026-11-26T09:59:59Z", "2026-11-26T18:00:00Z", "2027-11-26T12:00:00Z"] {
		not break_glass.answer with input as asked("DELETE", "/orders/7", ada, why) with data.break_glass as world
			with time.now_ns as time.parse_rfc3339_ns(at)
	}
}

test_a_grant_that_is_not_whole_is_none if {
	every grant in [
		{}, {"from": "2026-11-26T10:00:00Z"}, {"until": "2026-11-26T18:00:00Z"},
		{"from": "2026-11-26", "until": "2026-11-27"}, {"from": 0, "until": 4102444800},
		{"from": "", "until": "2026-11-26T18:00:00Z"}, {"from": "2026-11-26T10:00:00Z", "until": null}, null, true, "ada",
	] {
		not break_glass.answer with input as asked("DELETE", "/orders/7", ada, why)
			with data.break_glass as {"entries": world.entries, "grants": {"corp": {"ada": grant}}} with time.now_ns as noon
	}
}

test_a_grant_of_more_than_a_day_is_none if {
	day := {"from": "2026-11-26T10:00:00Z", "until": "2026-11-27T10:00:00Z"}
	longer := {"from": "2026-11-26T10:00:00Z", "until": "2026-11-27T10:00:01Z"}
	break_glass.answer.allowed with input as asked("DELETE", "/orders/7", ada, why)
		with data.break_glass as {"entries": world.entries, "grants": {"corp": {"ada": day}}} with time.now_ns as noon
	not break_glass.answer with input as asked("DELETE", "/orders/7", ada, why)
		with data.break_glass as {"entries": world.entries, "grants": {"corp": {"ada": longer}}} with time.now_ns as noon
}

test_a_grant_is_for_what_is_listed if {
	every path in ["/users", "/orders-archive", "/orders/../users", "/orders%2f..%2fusers"] {
		not break_glass.answer with input as asked("DELETE", path, ada, why) with data.break_glass as world with time.now_ns as noon
	}
	not break_glass.answer with input as asked("PATCH", "/orders/7", ada, why) with data.break_glass as world with time.now_ns as noon
	not break_glass.answer with input as asked("DELETE", "/orders/7", ada, why) with data.break_glass.grants as world.grants
		with time.now_ns as noon
}

test_a_grant_is_one_subject_s if {
	every verified in [
		token("partner", "ada"), token("corp", "Ada"), token("corp", "eve"), token("corp", ""), {},
		{"api_key": {"subject": "ada"}}, {"jwt": {"provider": "corp", "claims": {"role": "break-glass"}}},
	] {
		not break_glass.answer with input as asked("DELETE", "/orders/7", verified, why) with data.break_glass as world with time.now_ns as noon
	}
}

test_without_data_there_are_no_grants if {
	not break_glass.answer with input as asked("DELETE", "/orders/7", ada, why) with time.now_ns as noon with data.break_glass as {}
}

noon := time.parse_rfc3339_ns("2026-11-26T12:00:00Z")

why := " INC-4711 orders are stuck "

world := {
	"entries": [{"methods": ["GET", "DELETE"], "path": "/orders"}],
	"grants": {"corp": {"ada": {"from": "2026-11-26T10:00:00Z", "until": "2026-11-26T18:00:00Z"}}},
}

ada := token("corp", "ada")

token(provider, subject) := {"jwt": {"provider": provider, "claims": {"sub": subject}}}

asked(method, path, verified, words) := {
	"attributes": {"request": {"http": {"method": method, "path": path, "headers": {"x-break-glass-reason": words}}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"verified": verified,
}
