# The path of a request in whole segments, and nothing of a path that two hops may read differently.
package portcullis.paths

# Unescaped. Undefined where the path is ambiguous, so that whatever asks for them fails.
segments := input.parsed_path if {
	startswith(raw, "/")
	not is_ambiguous
}

# Whether the path is the pattern or below it. `*` stands for one segment.
within(pattern) if {
	wanted := pieces(pattern)
	count(segments) >= count(wanted)
	fit(wanted)
}

# Whether the path is the pattern and nothing else: `/orders/` is not `/orders`.
exactly(pattern) if {
	startswith(pattern, "/")
	wanted := split(substring(pattern, 1, -1), "/")
	count(segments) == count(wanted)
	fit(wanted)
}

# A pattern's segments; a slash at its end says nothing.
pieces(pattern) := [] if {
	pattern == "/"
} else := split(trim_suffix(substring(pattern, 1, -1), "/"), "/") if {
	startswith(pattern, "/")
}

fit(wanted) if count([i | some i, piece in wanted; fits(piece, segments[i])]) == count(wanted)

fits(piece, segment) if piece == segment

fits("*", segment) if segment != ""

# As it came, without the query.
raw := split(input.attributes.request.http.path, "?")[0]

is_ambiguous if {
	some mark in marks
	contains(lower(raw), mark)
}

is_ambiguous if {
	some segment in split(raw, "/")
	segment in {".", ".."}
}

# Doubled slashes and backslashes, parameters, fragments; the same escaped, escaped dots, escapes of
# escapes, control characters, and bytes that are in no UTF-8.
marks := {
	"//", "\\", ";", "#",
	"%2f", "%5c", "%3b", "%23", "%2e", "%25",
	"%0", "%1", "%7f", "%c0", "%c1", "%e0%8", "%e0%9", "%f0%8",
}
