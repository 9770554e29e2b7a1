# Methods and paths: a request is permitted where an entry lists it. There are no entries that forbid,
# since whatever is not listed is forbidden.
package portcullis.acl

import data.portcullis.paths

permitted if permits(data.acl.entries)

# For lists that stand elsewhere: a role's permissions, say.
permits(entries) if {
	some entry in entries
	lists(entry)
}

lists(entry) if {
	input.attributes.request.http.method in entry.methods
	is_there(entry)
}

is_there(entry) if paths.exactly(entry.exact)

# An entry that says both means the narrower.
is_there(entry) if {
	not "exact" in object.keys(entry)
	paths.within(entry.path)
}
