package door

default open := false

open if {
	input.badge == "staff"
	input.hour >= 8
}

# Two values for one rule.
level := 1 if input.badge

level := 2 if input.hour
