# Hours of the week and spans of dates, in a time zone. A window that is not whole is never open.
package portcullis.time_windows

# On these days, from a minute and up to another, but not on these dates. Over midnight takes two windows.
in_hours(name) if {
	window := data.time_windows.hours[name]
	now := local(window.zone)
	now.day in window.days
	is_time(window.from)
	is_time(window.to)
	window.from <= now.time
	now.time < window.to
	is_array(window.except)
	every date in window.except {
		is_date(date)
		date != now.date
	}
}

# From the first date to the last, both included.
in_period(name) if {
	window := data.time_windows.periods[name]
	now := local(window.zone)
	is_date(window.first)
	is_date(window.last)
	window.first <= now.date
	now.date <= window.last
}

# What the clock on the wall says. `Local` would be the machine's zone, whatever that is.
local(zone) := {
	"day": time.weekday([now, zone]),
	"date": sprintf("%04d-%02d-%02d", time.date([now, zone])),
	"time": sprintf("%02d:%02d", [hour, minute]),
} if {
	not zone in {"", "Local"}
	now := time.now_ns()
	[hour, minute, _] := time.clock([now, zone])
}

# Two digits each, so that text sorts as time does. A number would be below every text.
is_time(text) if regex.match(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`, text)

is_date(text) if regex.match(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`, text)
