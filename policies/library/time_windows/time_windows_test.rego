package portcullis.time_windows_test

import data.portcullis.time_windows

# 26 November 2026 is a Thursday. Berlin is an hour ahead of UTC in winter, two in summer.

test_office_hours_are_open if {
	every at in ["2026-11-26T07:00:00Z", "2026-11-26T12:00:00Z", "2026-11-26T16:59:59Z", "2026-07-02T06:00:00Z"] {
		time_windows.in_hours("office") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns(at)
	}
}

test_before_and_after_they_are_not if {
	every at in ["2026-11-26T06:59:59Z", "2026-11-26T17:00:00Z", "2026-11-26T23:30:00Z", "2026-07-02T05:59:59Z"] {
		not time_windows.in_hours("office") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns(at)
	}
}

test_on_other_days_they_are_not if {
	every at in ["2026-11-28T12:00:00Z", "2026-11-29T12:00:00Z"] {
		not time_windows.in_hours("office") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns(at)
	}
}

test_on_a_date_that_is_left_out_they_are_not if {
	not time_windows.in_hours("office") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns("2026-12-25T12:00:00Z")
}

test_the_day_is_the_zone_s if {
	# Sunday evening in UTC, Monday in Tokyo.
	time_windows.in_hours("tokyo") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns("2026-11-29T15:30:00Z")
	not time_windows.in_hours("tokyo") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns("2026-11-30T15:30:00Z")
}

test_a_day_may_end_at_midnight if {
	time_windows.in_hours("tokyo") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns("2026-11-30T14:59:59Z")
}

test_a_window_that_is_not_whole_is_never_open if {
	every change in [
		{"zone": ""}, {"zone": "Local"}, {"zone": "Nowhere/Land"}, {"zone": null}, {"zone": 7},
		{"days": []}, {"days": "Thursday"}, {"days": ["thursday"]}, {"days": null},
		{"from": "7:00"}, {"from": "00:00:00"}, {"from": ""}, {"from": 7}, {"from": null}, {"from": "08:60"}, {"from": "25:00"},
		{"to": "9:00"}, {"to": "24:01"}, {"to": "99:00"}, {"to": ["18:00"]}, {"to": {"h": 18}}, {"to": null}, {"to": ""},
		{"except": null}, {"except": ""}, {"except": {}}, {"except": "2026-12-25"}, {"except": ["25.12.2026"]}, {"except": [20261225]},
		{"from": "18:00", "to": "08:00"}, {"from": "12:00", "to": "12:00"},
	] {
		window := object.union(object.remove(world.hours.office, object.keys(change)), change)
		not time_windows.in_hours("odd") with data.time_windows as {"hours": {"odd": window}} with time.now_ns as noon
	}
	every key in ["zone", "days", "from", "to", "except"] {
		not time_windows.in_hours("odd") with data.time_windows as {"hours": {"odd": object.remove(world.hours.office, [key])}}
			with time.now_ns as noon
	}
}

test_an_unknown_window_is_never_open if {
	not time_windows.in_hours("weekend") with data.time_windows as world with time.now_ns as noon
	not time_windows.in_period("always") with data.time_windows as world with time.now_ns as noon
	not time_windows.in_hours("office") with time.now_ns as noon with data.time_windows as {}
	not time_windows.in_period("audit") with time.now_ns as noon with data.time_windows as {}
}

test_a_period_has_its_first_and_last_day if {
	every at in ["2026-10-31T23:00:00Z", "2026-11-26T12:00:00Z", "2026-11-30T22:59:59Z"] {
		time_windows.in_period("audit") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns(at)
	}
	every at in ["2026-10-31T22:59:59Z", "2026-11-30T23:00:00Z", "2025-11-26T12:00:00Z", "2027-11-26T12:00:00Z"] {
		not time_windows.in_period("audit") with data.time_windows as world with time.now_ns as time.parse_rfc3339_ns(at)
	}
}

test_a_period_that_is_not_whole_is_never_open if {
	every change in [
		{"zone": ""}, {"zone": "Local"}, {"zone": null},
		{"first": "2026-1-1"}, {"first": ""}, {"first": 2026}, {"first": null}, {"first": "01.11.2026"}, {"first": "2026-00-01"},
		{"last": "2026-13-01"}, {"last": "9999"}, {"last": ["2026-11-30"]}, {"last": null}, {"last": "2026-12-32"}, {"last": "31.12.2026"},
	] {
		window := object.union(object.remove(world.periods.audit, object.keys(change)), change)
		not time_windows.in_period("odd") with data.time_windows as {"periods": {"odd": window}} with time.now_ns as noon
	}
}

test_the_machine_s_zone_is_nobody_s if {
	not time_windows.local("Local") with time.now_ns as noon
	not time_windows.local("") with time.now_ns as noon
	time_windows.local("UTC") == {"day": "Thursday", "date": "2026-11-26", "time": "12:00"} with time.now_ns as noon
}

noon := time.parse_rfc3339_ns("2026-11-26T12:00:00Z")

world := {
	"hours": {
		"office": {
			"zone": "Europe/Berlin",
			"days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
			"from": "08:00",
			"to": "18:00",
			"except": ["2026-12-24", "2026-12-25"],
		},
		"tokyo": {"zone": "Asia/Tokyo", "days": ["Monday"], "from": "00:00", "to": "24:00", "except": []},
	},
	"periods": {"audit": {"zone": "Europe/Berlin", "first": "2026-11-01", "last": "2026-11-30"}},
}
