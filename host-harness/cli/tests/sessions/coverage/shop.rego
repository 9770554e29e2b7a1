package shop

import rego.v1

default allow := false

allow if {
	input.method == "GET"
	some role in input.roles
	role in {"reader", "writer"}
}

allow if {
	input.method == "POST"
	"writer" in input.roles
}

reason := "read" if {
	input.method == "GET"
} else := "write" if {
	input.method == "POST"
} else := "neither"

# A value of several lines, which needs the body's variables.
answer := {
	"role": role,
	"first": [name |
		some name in input.names
		startswith(name, "a")
	][0],
} if {
	some role in input.roles
	role == "reader"
}

deny contains message if {
	input.method == "PUT"
	message := "no"
}

every_name_is_short if {
	count(input.names) > 0
	every name in input.names {
		count(name) < 5
	}
}

never_asked(x) := y if {
	y := x + 1
}
