# How the person behind a token authenticated, and how long ago; and what the client is told where that
# is too little (RFC 9470).
package portcullis.step_up

import data.portcullis.acl

# Every entry that lists the request must be met, so that a broad one cannot loosen a narrow one.
permitted if {
	count(matching) > 0
	count(unmet) == 0
}

# The answer to a token that says too little (RFC 9470 section 3). Of several entries that are not met
# the first is told: its `acr_values` stand in the order in which they are preferred.
insufficient := {
	"allowed": false,
	"http_status": 401,
	"headers": {"www-authenticate": sprintf(`%s error="insufficient_user_authentication", %s`, [scheme, asked])},
	"reason": sprintf("needs another authentication: %s", [asked]),
} if {
	input.verified.jwt
	entry := data.step_up.entries[min(unmet)]
	asked := concat(", ", array.concat(acr_parameter(entry), age_parameter(entry)))
}

matching contains index if {
	some index, entry in data.step_up.entries
	acl.lists(entry)
}

unmet contains index if {
	some index in matching
	not met(data.step_up.entries[index])
}

met(entry) if {
	input.verified.jwt
	acr_is_met(entry.acr_values)
	age_is_met(entry)
}

acr_is_met(values) if values == "any"

acr_is_met(values) if {
	is_array(values)
	is_string(input.verified.jwt.claims.acr)
	input.verified.jwt.claims.acr in values
}

age_is_met(entry) if not "max_age" in object.keys(entry)

# A minute ahead is a clock's difference, more is no time at which anybody did anything.
age_is_met(entry) if {
	is_count(entry.max_age)
	is_number(input.verified.jwt.claims.auth_time)
	age := (time.now_ns() / 1000000000) - input.verified.jwt.claims.auth_time
	age <= entry.max_age
	age >= -60
}

acr_parameter(entry) := [] if entry.acr_values == "any"

# Without spaces and quotes, which would make other values of them.
acr_parameter(entry) := [sprintf(`acr_values="%s"`, [concat(" ", entry.acr_values)])] if {
	is_array(entry.acr_values)
	count(entry.acr_values) > 0
	every value in entry.acr_values {
		regex.match(`^[!#-\[\]-~]+$`, value)
	}
}

age_parameter(entry) := [] if not "max_age" in object.keys(entry)

age_parameter(entry) := [sprintf(`max_age="%d"`, [entry.max_age])] if is_count(entry.max_age)

is_count(number) if {
	is_number(number)
	number >= 0
	number == floor(number)
}

default scheme := "Bearer"

# That of a token which is bound to a key (RFC 9449 section 7.1).
scheme := "DPoP" if input.verified.jwt.claims.cnf.jkt
