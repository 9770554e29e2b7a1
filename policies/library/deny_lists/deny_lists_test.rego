package portcullis.deny_lists_test

import data.portcullis.deny_lists

test_who_is_on_no_list_is_not_denied if {
	deny_lists.denials == set() with input as asked("192.0.2.7", token("corp", "alice")) with data.deny_lists as world
	not deny_lists.denied with input as asked("192.0.2.7", token("corp", "alice")) with data.deny_lists as world
}

test_a_subject_is if {
	deny_lists.denied with input as asked("192.0.2.7", token("corp", "mallory")) with data.deny_lists as world
	deny_lists.denials == {"subject mallory of corp: left in March"} with input as asked("192.0.2.7", token("corp", "mallory"))
		with data.deny_lists as world
}

test_a_subject_of_any_of_several_tokens_is if {
	two := object.union(token("corp", "mallory"), token("partner", "bob"))
	deny_lists.denied with input as asked("192.0.2.7", two) with data.deny_lists as world
}

test_one_token_or_signature_is_enough if {
	deny_lists.denied with input as asked("192.0.2.7", {"jwt": {"provider": "corp", "claims": {"sub": "mallory"}}}) with data.deny_lists as world
	deny_lists.denied with input as asked("192.0.2.7", {"signature": {"key_id": "acme-0"}}) with data.deny_lists as world
}

test_a_name_of_another_issuer_is_another_subject if {
	not deny_lists.denied with input as asked("192.0.2.7", token("partner", "mallory")) with data.deny_lists as world
	not deny_lists.denied with input as asked("192.0.2.7", token("corp", "Mallory")) with data.deny_lists as world
}

test_an_api_key_is if {
	deny_lists.denials == {"key acme-0: leaked"} with input as asked("192.0.2.7", {"api_key": {"id": "acme-0"}}) with data.deny_lists as world
	not deny_lists.denied with input as asked("192.0.2.7", {"api_key": {"id": "acme-1"}}) with data.deny_lists as world
}

test_a_signing_key_is if {
	signed := {"signatures": {"a": {"key_id": "billing-1"}, "b": {"key_id": "acme-0"}}}
	deny_lists.denials == {"key acme-0: leaked"} with input as asked("192.0.2.7", signed) with data.deny_lists as world
	not deny_lists.denied with input as asked("192.0.2.7", {"signatures": {"a": {"key_id": "billing-1"}}}) with data.deny_lists as world
}

test_a_peer_is if {
	shown := {"peer": {"spiffe_id": "spiffe://example.org/ns/old"}}
	deny_lists.denials == {"peer spiffe://example.org/ns/old: switched off"} with input as asked("192.0.2.7", shown) with data.deny_lists as world
	not deny_lists.denied with input as asked("192.0.2.7", {"peer": {"spiffe_id": "spiffe://example.org/ns/new"}}) with data.deny_lists as world
}

test_an_address_is if {
	every address in ["203.0.113.9", "::ffff:203.0.113.9"] {
		deny_lists.denials == {"address 203.0.113.9: scans"} with input as asked(address, {}) with data.deny_lists as world
	}
	deny_lists.denied with input as asked("2001:db8:bad::1", {}) with data.deny_lists as world
	not deny_lists.denied with input as asked("2001:db8:900d::1", {}) with data.deny_lists as world
}

test_whatever_why_says_is_a_denial if {
	every why in [false, null, "", 0, {}] {
		deny_lists.denied with input as asked("192.0.2.7", token("corp", "eve"))
			with data.deny_lists as object.union(world, {"subjects": {"corp": {"eve": why}}})
	}
}

test_a_list_that_is_missing_denies_everybody if {
	every name in ["subjects", "keys", "peers", "addresses"] {
		deny_lists.denials == {sprintf("no list of %s", [name])} with input as asked("192.0.2.7", {})
			with data.deny_lists as object.remove(world, [name])
	}
	deny_lists.denied with input as asked("192.0.2.7", {}) with data.deny_lists as {}
}

test_a_list_of_another_kind_denies_everybody if {
	every name in ["subjects", "keys", "peers", "addresses"] {
		every value in ["mallory", ["mallory"], null, true] {
			changed := object.union(object.remove(world, [name]), {name: value})
			deny_lists.denied with input as asked("192.0.2.7", {}) with data.deny_lists as changed
		}
	}
}

test_subjects_that_are_no_list_by_name_deny_everybody if {
	every value in ["mallory", ["mallory"], null] {
		deny_lists.denials == {"no list of subjects of partner"} with input as asked("192.0.2.7", {})
			with data.deny_lists as object.union(world, {"subjects": {"partner": value}})
	}
}

test_a_network_that_is_none_denies_everybody if {
	deny_lists.denials == {"203.0.113.9 is no network"} with input as asked("192.0.2.7", {})
		with data.deny_lists as object.union(world, {"addresses": {"203.0.113.9": "scans"}})
}

test_an_address_that_cannot_be_read_is_denied_where_addresses_are if {
	every address in ["", "unknown", null] {
		deny_lists.denials == {"no address to look for"} with input as asked(address, {}) with data.deny_lists as world
		not deny_lists.denied with input as asked(address, {}) with data.deny_lists as object.union(object.remove(world, ["addresses"]), {"addresses": {}})
	}
}

test_empty_lists_deny_nobody if {
	empty := {"subjects": {}, "keys": {}, "peers": {}, "addresses": {}}
	not deny_lists.denied with input as asked("192.0.2.7", token("corp", "mallory")) with data.deny_lists as empty
}

world := {
	"subjects": {"corp": {"mallory": "left in March"}, "partner": {}},
	"keys": {"acme-0": "leaked"},
	"peers": {"spiffe://example.org/ns/old": "switched off"},
	"addresses": {"203.0.113.0/24": "scans", "2001:db8:bad::/48": "scans"},
}

token(provider, subject) := {"jwts": {provider: {"claims": {"sub": subject}}}}

asked(address, verified) := {
	"attributes": {"source": {"address": {"socketAddress": {"address": address}}}},
	"verified": verified,
}
