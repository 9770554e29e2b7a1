# What a body may be, by method and path: its content type, how large and how deep it is, and its shape. It
# takes a proxy that hands bodies on and parses them; where none came, no entry is met.
package portcullis.bodies

import data.portcullis.acl
import data.portcullis.json_schema

# Every entry that lists the request must be met, so that a broad one cannot loosen a narrow one.
permitted if {
	count(matching) > 0
	count(wrong) == 0
}

# What is wrong, in words of this file: nothing of the client's is in it.
wrong contains "truncated" if not input.truncated_body == false

wrong contains "type" if {
	some entry in matching
	not is_typed(entry)
}

wrong contains "size" if {
	some entry in matching
	not is_small(entry)
}

# What is too large is not looked into.
wrong contains "depth" if {
	some entry in matching
	is_small(entry)
	not is_shallow(entry)
}

wrong contains "schema" if {
	some entry in matching
	is_small(entry)
	not fits(entry)
}

matching contains entry if {
	some entry in data.bodies.entries
	acl.lists(entry)
}

# No body has no type.
is_typed(_) if size == 0

is_typed(entry) if media_type in entry.types

is_small(entry) if {
	is_number(entry.max_bytes)
	size <= entry.max_bytes
}

is_shallow(entry) if not "max_depth" in object.keys(entry)

is_shallow(entry) if {
	is_number(entry.max_depth)
	not is_deeper(entry.max_depth)
}

is_deeper(levels) if {
	walk(input.parsed_body, [path, _])
	count(path) > levels
}

fits(entry) if not "schema" in object.keys(entry)

fits(entry) if json_schema.body_matches(entry.schema)

# Without its parameters: the gate has looked at those.
media_type := lower(trim_space(split(http.headers["content-type"], ";")[0]))

# In bytes, where the text has letters.
size := ((count(encoded) / 4) * 3) - (count(encoded) - count(trim_right(encoded, "=")))

# Envoy's ext_authz sends one of the two, the gate both.
encoded := http.rawBody if {
	"rawBody" in object.keys(http)
} else := base64.encode(http.body) if {
	"body" in object.keys(http)
} else := ""

http := input.attributes.request.http
