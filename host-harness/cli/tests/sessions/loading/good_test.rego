package good_test

test_data if data.colours.red == "#f00"

test_clock if {
	time.now_ns() > 1700000000000000000
	time.now_ns() == 7 with time.now_ns as 7
}

test_mocked if {
	data.colours.red == "blue" with data.colours as {"red": "blue"}
	count([1]) == 9 with count as 9
}
