# "Quoted", with {{braces}} and a	tab: a manifest must not change a byte of it.
package envoy.authz

default allow := false

allow if input.attributes.request.http.method == "GET"
