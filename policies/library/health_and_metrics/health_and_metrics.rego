# Routes that stand open to probes and to whoever collects metrics: one method, one path, and if the
# data says so, one network.
package portcullis.health_and_metrics

import data.portcullis.addresses

# The path letter for letter, without a query: nothing is unescaped, so nothing can be read two ways.
permitted if {
	some probe in data.health_and_metrics.probes
	input.attributes.request.http.method in probe.methods
	input.attributes.request.http.path == probe.path
	is_from(probe)
}

# Sources that are said and cannot be read are nobody.
is_from(probe) if not "sources" in object.keys(probe)

is_from(probe) if {
	some cidr in probe.sources
	addresses.within(cidr)
}
