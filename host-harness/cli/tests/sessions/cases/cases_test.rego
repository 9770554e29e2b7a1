package cases_test

test_each[name] if {
	some name, case in {
		"empty": {"given": [], "sum": 0},
		"one": {"given": [1], "sum": 1},
		"wrong": {"given": [1, 2], "sum": 4},
	}
	sum(case.given) == case.sum
}

test_of_notes[case.note] if {
	some case in [{"note": "first", "ok": true}, {"note": "second", "ok": true}]
	case.ok
}

test_in_groups[group][name] if {
	some group, names in {"even": {"two": 2, "three": 3}, "odd": {"one": 1}}
	some name, number in names
	number % 2 == {"even": 0, "odd": 1}[group]
}

test_nothing_begins[name] if {
	some name in []
}

test_same if true

test_same if false

roles.test_reader if true
