package unknown

allow if no_such_function(1)

deny if no_such_function(2)
