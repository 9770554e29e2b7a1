package portcullis.paths_test

import data.portcullis.paths

test_segments_are_those_of_the_path if {
	paths.segments == ["orders", "7"] with input as asked("/orders/7")
}

test_a_query_is_no_part_of_them if {
	paths.segments == ["orders"] with input as asked("/orders?next=/../%2f")
}

test_a_harmless_escape_is_read if {
	input_with_space := object.union(asked("/a%20b"), {"parsed_path": ["a b"]})
	paths.segments == ["a b"] with input as input_with_space
}

test_letters_of_other_alphabets_are_harmless if {
	every path in ["/a%e0%a4%85", "/a%f0%9f%98%80", "/%c3%a9"] {
		paths.segments with input as asked(path)
	}
}

test_dots_within_a_segment_are_harmless if {
	paths.segments == ["a..b", "..."] with input as asked("/a..b/...")
}

test_an_ambiguous_path_has_none if {
	every path in [
		"/a//b", "//a", "/a\\b", "/a;v=1", "/a#b",
		"/a%2fb", "/a%2Fb", "/a%5cb", "/a%3bb", "/a%23b",
		"/a/../b", "/a/./b", "/..", "/.", "/a/%2e%2e/b", "/a/.%2E/b", "/a%252fb",
		"/a%00", "/a%0d%0ab", "/a%1fb", "/a%7f", "/a%c0%afb", "/a%c1%9cb", "/a%e0%80%afb", "/a%e0%9f%bfb", "/a%f0%80%80%afb",
	] {
		not paths.segments with input as asked(path)
	}
}

test_a_path_that_does_not_begin_with_a_slash_has_none if {
	every path in ["", "*", "orders", "?x=/"] {
		not paths.segments with input as asked(path)
	}
}

test_no_path_has_none if {
	not paths.segments with input as {"parsed_path": ["orders"]}
	not paths.segments with input as {
		"attributes": {"request": {"http": {"path": 7}}},
		"parsed_path": ["orders"],
	}
}

test_within_is_the_path_and_what_is_below if {
	every path in ["/orders", "/orders/", "/orders/7", "/orders/7/lines"] {
		paths.within("/orders") with input as asked(path)
		paths.within("/orders/") with input as asked(path)
	}
}

test_within_ends_with_a_segment if {
	every path in ["/orders-archive", "/order", "/", "/Orders", "/a/orders"] {
		not paths.within("/orders") with input as asked(path)
	}
}

test_within_needs_every_piece if {
	not paths.within("/orders/7") with input as asked("/orders")
	not paths.within("/orders/7") with input as asked("/orders/8")
}

test_the_root_is_above_everything_that_can_be_read if {
	paths.within("/") with input as asked("/")
	paths.within("/") with input as asked("/orders/7")
	not paths.within("/") with input as asked("/orders/../7")
	not paths.within("/") with input as {}
}

test_a_star_is_one_segment if {
	paths.within("/users/*/orders") with input as asked("/users/7/orders/8")
	not paths.within("/users/*/orders") with input as asked("/users/orders")
	not paths.within("/users/*/orders") with input as asked("/users/7/8/orders")
	not paths.within("/users/*") with input as asked("/users/")
	not paths.within("/users/*") with input as asked("/users")
}

test_a_star_within_a_piece_is_a_star if {
	not paths.within("/users/a*") with input as asked("/users/ab")
}

test_a_pattern_that_is_no_path_fits_nothing if {
	every pattern in ["", "orders", "*", 7, null, ["orders"]] {
		not paths.within(pattern) with input as asked("/orders")
		not paths.exactly(pattern) with input as asked("/orders")
	}
	not paths.within("orders") with input as asked("/rders")
	not paths.exactly("orders") with input as asked("/rders")
}

test_two_slashes_are_not_the_root if {
	not paths.within("//") with input as asked("/orders")
}

test_exactly_is_the_path_alone if {
	paths.exactly("/orders") with input as asked("/orders")
	paths.exactly("/orders") with input as asked("/orders?x=1")
	not paths.exactly("/orders") with input as asked("/orders/")
	not paths.exactly("/orders") with input as asked("/orders/7")
	not paths.exactly("/orders") with input as asked("/other")
}

test_exactly_takes_the_root_a_slash_and_a_star if {
	paths.exactly("/") with input as asked("/")
	not paths.exactly("/") with input as asked("/orders")
	paths.exactly("/orders/") with input as asked("/orders/")
	paths.exactly("/orders/*") with input as asked("/orders/7")
	not paths.exactly("/orders/*") with input as asked("/orders/")
}

asked(path) := {
	"attributes": {"request": {"http": {"path": path}}},
	"parsed_path": split(trim_left(split(path, "?")[0], "/"), "/"),
}
