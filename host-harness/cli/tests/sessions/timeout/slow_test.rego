package slow_test

test_slow if {
	found := [1 |
		some i in numbers.range(1, 100000)
		some j in numbers.range(1, 1000)
		i * j < 0
	]
	found == []
}

slow(n) := [1 | some i in numbers.range(1, n); some j in numbers.range(1, 1000); i * j < 0]

test_in_a_function if slow(100000) == []

test_after if true
