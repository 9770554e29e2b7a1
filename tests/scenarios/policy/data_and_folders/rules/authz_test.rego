package envoy.authz_test

# Never loaded with the policy: it would conflict.
test_nothing if false
