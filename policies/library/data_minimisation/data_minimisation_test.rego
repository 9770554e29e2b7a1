package portcullis.data_minimisation_test

import data.portcullis.data_minimisation

test_what_is_not_listed_goes if {
	data_minimisation.request_headers_to_remove == {"cookie", "x-debug", "x_user"}
		with input as asked({"accept": "*/*", "cookie": "a=b", "x-debug": "1", "x_user": "root"}, alice) with data.data_minimisation as world
}

test_what_frames_the_message_stays if {
	data_minimisation.request_headers_to_remove == set()
		with input as asked({
			":method": "GET", ":path": "/", ":authority": "a", "host": "a", "content-length": "2", "content_length": "2",
			"transfer-encoding": "chunked", "x-request-id": "7", "x-forwarded-proto": "https", "te": "trailers",
		}, {}) with data.data_minimisation as world
}

test_a_listed_name_has_no_case if {
	data_minimisation.request_headers_to_remove == set() with input as asked({"content-type": "text/plain"}, {}) with data.data_minimisation as world
}

test_claims_that_are_listed_are_written if {
	data_minimisation.headers == {"x-user": "alice", "x-level": "3", "x-staff": "false"} with input as asked({}, alice) with data.data_minimisation as world
}

test_a_claim_may_stand_deeper if {
	data_minimisation.headers == {"x-city": "Bonn"} with input as asked({}, {"address": {"city": "Bonn", "street": "1"}})
		with data.data_minimisation as {"claims": {"x-city": ["address", "city"]}}
}

test_a_header_of_a_claim_is_the_claim_s_or_nobody_s if {
	forged := {"x-user": "root", "x-level": "9"}
	data_minimisation.request_headers_to_remove == {"x-user", "x-level"} with input as asked(forged, {}) with data.data_minimisation as world
	data_minimisation.request_headers_to_remove == {"x-level"} with input as asked(forged, {"sub": "alice"}) with data.data_minimisation as world
	data_minimisation.headers == {"x-user": "alice"} with input as asked(forged, {"sub": "alice"}) with data.data_minimisation as world
}

test_even_where_it_is_listed if {
	both := object.union(world, {"keep": ["accept", "X-User"]})
	data_minimisation.request_headers_to_remove == {"x-user"} with input as asked({"x-user": "root", "accept": "*/*"}, {}) with data.data_minimisation as both
}

test_what_is_no_text_is_not_written if {
	every value in ["", null, [], ["alice"], {}, {"name": "alice"}] {
		data_minimisation.headers == {} with input as asked({}, {"sub": value}) with data.data_minimisation as world
	}
}

test_without_a_token_nothing_is_written if {
	data_minimisation.headers == {} with input as {"claims": alice} with data.data_minimisation as world
}

test_without_data_everything_goes if {
	data_minimisation.request_headers_to_remove == {"accept", "x-user"} with input as asked({"accept": "*/*", "x-user": "root", "host": "a"}, alice) with data.data_minimisation as {}
	data_minimisation.headers == {} with input as asked({}, alice) with data.data_minimisation as {}
	every keep in ["accept", {"a": "b"}, null, [7], []] {
		data_minimisation.request_headers_to_remove == {"accept"} with input as asked({"accept": "*/*"}, {})
			with data.data_minimisation as {"keep": keep, "claims": {}}
	}
}

alice := {"sub": "alice", "level": 3, "staff": false, "email": "alice@example.com", "groups": ["a"]}

world := {
	"keep": ["accept", "Content-Type"],
	"claims": {"x-user": "sub", "X-Level": "level", "x-staff": "staff", "x-groups": "groups"},
}

asked(headers, claims) := {
	"attributes": {"request": {"http": {"headers": headers}}},
	"verified": {"jwt": {"provider": "corp", "claims": claims}},
}
