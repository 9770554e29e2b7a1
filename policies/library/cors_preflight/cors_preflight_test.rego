package portcullis.cors_preflight_test

import data.portcullis.cors_preflight

test_a_listed_origin_gets_an_answer if {
	answer := cors_preflight.answer with input as preflight({"access-control-request-headers": "Content-Type, authorization"})
		with data.cors_preflight as world
	not answer.allowed
	answer.http_status == 204
	answer.headers == {
		"access-control-allow-origin": "https://shop.example.com",
		"access-control-allow-methods": "GET, POST",
		"access-control-allow-headers": "authorization, content-type",
		"access-control-max-age": "600",
		"vary": "origin",
	}
}

test_credentials_are_said_where_the_data_does if {
	every value in [false, "true", null, 1] {
		answer := cors_preflight.answer with input as preflight({}) with data.cors_preflight as object.union(world, {"credentials": value})
		not "access-control-allow-credentials" in object.keys(answer.headers)
	}
	answer := cors_preflight.answer with input as preflight({}) with data.cors_preflight as object.union(world, {"credentials": true})
	answer.headers["access-control-allow-credentials"] == "true"
}

test_another_origin_gets_none if {
	every origin in [
		"https://evil.example", "http://shop.example.com", "https://shop.example.com:8443", "https://shop.example.com.evil.test",
		"https://SHOP.example.com", "https://shop.example.com/", "https://shop.example.com,https://evil.example",
		"null", "*", "", " https://shop.example.com",
	] {
		not cors_preflight.answer with input as preflight({"origin": origin}) with data.cors_preflight as world
		not cors_preflight.permitted with input as preflight({"origin": origin}) with data.cors_preflight as world
		not cors_preflight.response_headers with input as preflight({"origin": origin}) with data.cors_preflight as world
	}
}

test_what_cannot_be_an_origin_is_none_even_where_it_is_listed if {
	every origin in ["null", "*", ""] {
		not cors_preflight.permitted with input as preflight({"origin": origin})
			with data.cors_preflight as {"origins": ["null", "*", ""], "methods": ["POST"], "headers": []}
	}
	not cors_preflight.permitted with input as preflight({}) with data.cors_preflight as {"origins": ["*"], "methods": ["POST"], "headers": []}
}

test_another_method_gets_none if {
	every method in ["DELETE", "post", "GET,POST", "", "*"] {
		not cors_preflight.permitted with input as preflight({"access-control-request-method": method}) with data.cors_preflight as world
	}
}

test_another_header_gets_none if {
	every names in ["x-debug", "content-type,x-debug", "*", "content_type", "content-type x-debug"] {
		not cors_preflight.permitted with input as preflight({"access-control-request-headers": names}) with data.cors_preflight as world
	}
	every names in ["", ",", "CONTENT-TYPE", "content-type,,authorization"] {
		cors_preflight.permitted with input as preflight({"access-control-request-headers": names}) with data.cors_preflight as world
	}
}

test_options_alone_is_no_preflight if {
	every name in ["origin", "access-control-request-method"] {
		asked := without(name)
		not cors_preflight.is_preflight with input as asked with data.cors_preflight as world
		not cors_preflight.permitted with input as asked with data.cors_preflight as world
	}
	cors_preflight.is_preflight with input as preflight({}) with data.cors_preflight as world
}

test_another_method_is_no_preflight if {
	every method in ["GET", "POST", "options"] {
		asked := object.union(preflight({}), {"attributes": {"request": {"http": {"method": method}}}})
		not cors_preflight.is_preflight with input as asked with data.cors_preflight as world
		not cors_preflight.answer with input as asked with data.cors_preflight as world
	}
}

test_the_request_that_follows_gets_its_headers if {
	asked := {"attributes": {"request": {"http": {"method": "POST", "headers": {"origin": "https://shop.example.com"}}}}}
	cors_preflight.response_headers == {"access-control-allow-origin": "https://shop.example.com", "vary": "origin"} with input as asked
		with data.cors_preflight as world
}

test_without_data_nobody_gets_an_answer if {
	not cors_preflight.permitted with input as preflight({}) with data.cors_preflight as {}
	every name in ["origins", "methods", "headers"] {
		not cors_preflight.permitted with input as preflight({"access-control-request-headers": "content-type"})
			with data.cors_preflight as object.remove(world, [name])
	}
	every value in ["https://shop.example.com", {}, null, true, []] {
		not cors_preflight.permitted with input as preflight({}) with data.cors_preflight as object.union(world, {"origins": value})
	}
	answer := cors_preflight.answer with input as preflight({}) with data.cors_preflight as object.remove(world, ["max_age"])
	answer.headers["access-control-max-age"] == "0"
}

world := {
	"origins": ["https://shop.example.com", "https://admin.example.com"],
	"methods": ["GET", "POST"],
	"headers": ["Authorization", "content-type"],
	"max_age": 600,
}

preflight(headers) := {"attributes": {"request": {"http": {
	"method": "OPTIONS",
	"headers": object.union({"origin": "https://shop.example.com", "access-control-request-method": "POST"}, headers),
}}}}

without(name) := {"attributes": {"request": {"http": {
	"method": "OPTIONS",
	"headers": object.remove({"origin": "https://shop.example.com", "access-control-request-method": "POST"}, [name]),
}}}}
