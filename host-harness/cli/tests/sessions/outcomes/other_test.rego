package other_test

test_a_sum if 1 + 1 == 2

helper_test if false
