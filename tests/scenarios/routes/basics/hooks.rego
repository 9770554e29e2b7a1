package hooks

default allow := false

allow if input.attributes.request.http.headers["x-hook"] == "yes"
