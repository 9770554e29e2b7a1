# One bomb a path: each is more than a decision may take, and none may be undefined, which `not` turns.
package envoy.authz

default allow := false

allow if not bomb

path := input.parsed_path[0]

bomb if {
	path == "range"
	count(numbers.range(1, 100000000)) > 0
}

bomb if {
	path == "doubling"
	count(doubled) > 0
}

doubled := x20 if {
	x0 := numbers.range(1, 100)
	x1 := array.concat(x0, x0)
	x2 := array.concat(x1, x1)
	x3 := array.concat(x2, x2)
	x4 := array.concat(x3, x3)
	x5 := array.concat(x4, x4)
	x6 := array.concat(x5, x5)
	x7 := array.concat(x6, x6)
	x8 := array.concat(x7, x7)
	x9 := array.concat(x8, x8)
	x10 := array.concat(x9, x9)
	x11 := array.concat(x10, x10)
	x12 := array.concat(x11, x11)
	x13 := array.concat(x12, x12)
	x14 := array.concat(x13, x13)
	x20 := array.concat(x14, x14)
}

bomb if {
	path == "digits"
	squared > 0
}

squared := y14 if {
	y0 := 123456789012345678901234567890
	y1 := y0 * y0
	y2 := y1 * y1
	y3 := y2 * y2
	y4 := y3 * y3
	y5 := y4 * y4
	y6 := y5 * y5
	y7 := y6 * y6
	y8 := y7 * y7
	y9 := y8 * y8
	y10 := y9 * y9
	y14 := y10 * y10
}

bomb if {
	path == "sprintf"
	count([1 | some _ in numbers.range(1, 1000); sprintf("%99999d", [1])]) > 0
}

bomb if {
	path == "cidr"
	count(net.cidr_expand("10.0.0.0/8")) > 0
}

bomb if {
	path == "regex"
	count([1 | some i in numbers.range(1, 1000); regex.match(sprintf("(x+x+)+y%d", [i]), text)]) > 0
}

text := concat("", [letter | some _ in numbers.range(1, 5000); letter := "x"])

bomb if {
	path == "glob"
	count([1 | some i in numbers.range(1, 1000); glob.match(sprintf("**x**x**x**y%d", [i]), [], text)]) > 0
}

bomb if {
	path == "replace"
	count([1 | some _ in numbers.range(1, 5000); strings.replace_n({"x": "yyyyyyyy"}, text)]) > 0
}

bomb if {
	path == "walk"
	count([1 | some _ in numbers.range(1, 5000); walk(input, _)]) > 0
}

bomb if {
	path == "signatures"
	count([1 | some i in numbers.range(1, 500); io.jwt.verify_rs256(sprintf("%s%d", [token, i]), key) == false]) > 0
}

token := "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"

key := `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0en3bf6NKrGtvIGu5ibK
b+pasxFuNBLhhdNN4Ww1DOkx0Jc2elpoXAKod0dp/REq08+rThnM2JG5bWs8B7tk
dmtru7VopiZYbMSDYHJx0YQgEp8wcxI17dbmAH4fehofnUFHe1GB7i4K8HbIG9Lj
FE495MAZM/3UNqAcCx7INhTqpd0q0nZFTDNDqVgWQpVFMXoOxAkivS6OEbetXJh/
gUK8VoaHYXndXCnFJ+JCyoXI1LvyuzVTKsEWS5tUtHRVzvvjmfqvjigPBC5YV2yJ
zC2aX9l/wlBgCqgtieZnxvlPChYtAbLSVeZQuhnqMe8rvUji27cP+k9agvfIWOLJ
JQIDAQAB
-----END PUBLIC KEY-----`

bomb if {
	path == "json"
	json.unmarshal(concat("", array.concat([bracket | some _ in numbers.range(1, 500); bracket := "["], [bracket | some _ in numbers.range(1, 500); bracket := "]"])))
}

bomb if {
	path == "union"
	count([1 | some _ in numbers.range(1, 1000); members | {0}]) > 0
}

members := {member | some member in numbers.range(1, 2000)}

bomb if {
	path == "members"
	count({s | some i, _ in ask; i < 5000; s := [ask, i]}) > 0
}

bomb if {
	path == "contained"
	count(violations) > 0
}

violations contains v if {
	some i, _ in ask
	v := {"asked": ask, "index": i}
}

bomb if {
	path == "in"
	count([1 | some s in ask; not s in have]) > 0
}

bomb if {
	path == "equal"
	count([1 | some _ in ask; ask == again]) > 0
}

bomb if {
	path == "order"
	count([1 | some _ in ask; again <= ask]) > 0
}

bomb if {
	path == "sort"
	count([1 | some _ in numbers.range(1, 1000); sort([again, ask])]) > 0
}

bomb if {
	path == "tree"
	{tree("a"), tree("b")} != set()
}

ask := numbers.range(1, 8000)

again := numbers.range(1, 8000)

have := numbers.range(8001, 16000)

# A value that is small in memory, and has a million members.
tree(leaf) := x20 if {
	x0 := [leaf, leaf]
	x1 := [x0, x0]
	x2 := [x1, x1]
	x3 := [x2, x2]
	x4 := [x3, x3]
	x5 := [x4, x4]
	x6 := [x5, x5]
	x7 := [x6, x6]
	x8 := [x7, x7]
	x9 := [x8, x8]
	x10 := [x9, x9]
	x11 := [x10, x10]
	x12 := [x11, x11]
	x13 := [x12, x12]
	x14 := [x13, x13]
	x15 := [x14, x14]
	x16 := [x15, x15]
	x17 := [x16, x16]
	x18 := [x17, x17]
	x19 := [x18, x18]
	x20 := [x19, x19]
}

# Each schema asks two times what the next one does.
bomb if {
	path == "schema"
	definitions := {sprintf("s%d", [i]): schema |
		some i in numbers.range(0, 59)
		next := {"$ref": sprintf("#/definitions/s%d", [i + 1])}
		schema := {"allOf": [next, next]}
	}
	json.match_schema({}, {
		"definitions": object.union(definitions, {"s60": {}}),
		"$ref": "#/definitions/s0",
	})[0]
}

bomb if {
	path == "schema-of-itself"
	json.match_schema({}, {"$ref": "#"})[0]
}

# As deep as a document may be, by a schema that takes two steps for each of its levels.
bomb if {
	path == "deep-document"
	open := concat("", ["[" | some _ in numbers.range(1, 120)])
	close := concat("", ["]" | some _ in numbers.range(1, 120)])
	not json.match_schema(concat("", [open, close]), {"items": {"$ref": "#"}})[0]
}
