package envoy.authz

# DENY before ALLOW, and without an ALLOW that fits, no.
default allow := false

allow if {
	not denied
	permitted
}

# orders-deny

denied if {
	data.portcullis.paths.within("/admin")
	not input.verified.jwt
}

# orders-allow

permitted if {
	method == "GET"
	data.portcullis.paths.exactly("/healthz")
}

permitted if {
	method == "GET"
	caller == "spiffe://cluster.local/ns/shop/sa/frontend"
	is_order_or_stock
}

permitted if {
	method in {"GET", "POST"}
	data.portcullis.paths.within("/orders")
	some group in {"clerk", "admin"}
	group in groups
}

permitted if {
	method == "DELETE"
	data.portcullis.paths.exactly("/admin/cache")
	startswith(caller, "spiffe://cluster.local/ns/ops/")
	"admin" in groups
}

is_order_or_stock if data.portcullis.paths.within("/orders")

is_order_or_stock if data.portcullis.paths.exactly("/admin/stock")

method := input.attributes.request.http.method

# source.principals and source.namespaces: the peer's SPIFFE ID, and a segment of it.
caller := input.verified.peer.spiffe_id

# request.auth.claims[groups]: a list, or a text parted by spaces, as Istio takes it.
groups := claim if is_array(claim)

groups := split(claim, " ") if is_string(claim)

claim := input.verified.jwt.claims.groups
