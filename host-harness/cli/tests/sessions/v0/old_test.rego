package old_test

test_old {
	some_name["a"]
}

some_name[x] {
	x := "a"
}

test_else {
	1 == 2
} else = true {
	2 == 2
}
