package shop_test

import data.shop

test_a_reader_reads if {
	shop.allow with input as {"method": "GET", "roles": ["reader"]}
}

test_nobody_posts if {
	not shop.allow with input as {"method": "POST", "roles": ["reader"]}
}

test_reason if {
	shop.reason == "write" with input as {"method": "POST"}
}

test_answer if {
	shop.answer.first == "ann" with input as {"roles": ["reader"], "names": ["bob", "ann"]}
}

test_no_denial if {
	count(shop.deny) == 0 with input as {"method": "GET"}
}

test_short if {
	shop.every_name_is_short with input as {"names": ["ann"]}
}
