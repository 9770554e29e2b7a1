# The scopes of a verified token, and which of them a request needs.
package portcullis.oauth_scopes

import data.portcullis.acl

# Every entry that lists the request must be satisfied, so that a broad one cannot loosen a narrow one.
permitted if {
	count(matching) > 0
	every entry in matching {
		has_all(entry.scopes)
	}
}

# No scopes at all are no condition: asked for nothing, the answer is no.
has_all(wanted) if {
	is_array(wanted)
	count(wanted) > 0
	every scope in wanted {
		scope in scopes
	}
}

scopes contains scope if {
	some scope in listed
	is_string(scope)
	scope != ""
}

# The answer to a token that has too little (RFC 6750 section 3.1).
insufficient := {
	"allowed": false,
	"http_status": 403,
	"headers": {"www-authenticate": sprintf(`Bearer error="insufficient_scope", scope="%s"`, [concat(" ", needed)])},
	"reason": sprintf("needs %s, has %s", [concat(" ", needed), concat(" ", scopes)]),
} if {
	input.verified.jwt
	count(needed - scopes) > 0
}

needed contains scope if {
	some entry in matching
	some scope in entry.scopes
}

matching contains entry if {
	some entry in data.oauth_scopes.entries
	acl.lists(entry)
}

# Parted by spaces (RFC 8693 section 4.2), or a list, as some issuers have it. `scp` counts where there
# is no `scope`.
listed := split(claim, " ") if is_string(claim)

listed := claim if is_array(claim)

claim := input.verified.jwt.claims.scope

claim := input.verified.jwt.claims.scp if not "scope" in object.keys(input.verified.jwt.claims)
