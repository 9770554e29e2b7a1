# In an emergency: somebody who was granted it may do what is listed, for some hours, and only with
# words that say why. The words are recorded with the decision.
package portcullis.break_glass

import data.portcullis.acl

answer := {
	"allowed": true,
	"reason": sprintf("break glass by %s of %s until %s: %s", [token.claims.sub, token.provider, grant.until, words]),
	"dynamic_metadata": {"break_glass": {
		"provider": token.provider,
		"subject": token.claims.sub,
		"until": grant.until,
		"reason": words,
	}},
}

# For somebody who holds a grant and says nothing: what is missing.
unexplained := {
	"allowed": false,
	"http_status": 403,
	"body": "say why in x-break-glass-reason",
	"reason": sprintf("break glass by %s of %s without a reason", [token.claims.sub, token.provider]),
} if {
	grant
	not words
}

# Undefined outside of its time, for what is not listed, and for a grant that is no emergency: longer
# than a day.
grant := found if {
	acl.permits(data.break_glass.entries)
	found := data.break_glass.grants[token.provider][token.claims.sub]
	from := time.parse_rfc3339_ns(found.from)
	until := time.parse_rfc3339_ns(found.until)
	now := time.now_ns()
	from <= now
	now < until
	until - from <= time.parse_duration_ns("24h")
}

# The client's words, which prove nothing; that they are there is the point.
words := said if {
	said := trim_space(input.attributes.request.http.headers["x-break-glass-reason"])
	count(said) >= 10
}

token := input.verified.jwt
