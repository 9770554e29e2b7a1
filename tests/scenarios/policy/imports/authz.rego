# Names that are imported, where another reading would allow.
package envoy.authz

import data.lists
import data.lists.banned as is_banned

default allow := false

# An import stands before a rule of its name.
is_banned := false

allow if {
	input.parsed_path[0] == "orders"
	not is_banned
}

# A rule of a package that is imported, which takes members one after another.
allow if {
	input.parsed_path[0] == "listed"
	lists.listed
}

# An argument stands before an import.
allow if {
	input.parsed_path[0] == "argument"
	same(false)
}

same(is_banned) if is_banned

# What else is in the package does not count.
allow if {
	input.parsed_path[0] == "beside"
	lists.beside
}
