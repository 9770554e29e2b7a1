package portcullis.health_and_metrics_test

import data.portcullis.health_and_metrics

test_a_probe_is_permitted_from_anywhere if {
	every method in ["GET", "HEAD"] {
		health_and_metrics.permitted with input as asked(method, "/healthz", "203.0.113.9") with data.health_and_metrics as world
	}
	health_and_metrics.permitted with input as asked("GET", "/healthz", "") with data.health_and_metrics as world
}

test_by_its_methods_only if {
	every method in ["POST", "get", "OPTIONS", "", null] {
		not health_and_metrics.permitted with input as asked(method, "/healthz", "203.0.113.9") with data.health_and_metrics as world
	}
}

test_by_its_path_only if {
	every path in [
		"/healthz/", "/healthz?x=1", "/healthz/deep", "/Healthz", "/health", "/healthz/../orders", "//healthz",
		"/healthz;x", "/healthz%2f", "/%68ealthz", "/orders", "", "/",
	] {
		not health_and_metrics.permitted with input as asked("GET", path, "10.1.2.3") with data.health_and_metrics as world
	}
}

test_metrics_are_for_their_network if {
	every address in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::9"] {
		health_and_metrics.permitted with input as asked("GET", "/metrics", address) with data.health_and_metrics as world
	}
	every address in ["203.0.113.9", "11.1.2.3", "2001:db9::9", "", "10.1.2", null] {
		not health_and_metrics.permitted with input as asked("GET", "/metrics", address) with data.health_and_metrics as world
	}
}

test_a_header_is_no_source if {
	claimed := {"attributes": {
		"request": {"http": {"method": "GET", "path": "/metrics", "headers": {"x-forwarded-for": "10.1.2.3"}}},
		"source": {"address": {"socketAddress": {"address": "203.0.113.9"}}},
	}}
	not health_and_metrics.permitted with input as claimed with data.health_and_metrics as world
}

test_sources_that_cannot_be_read_are_nobody if {
	every sources in [[], "", "10.0.0.0/8", ["10.1.2.3"], ["*"], null, {}, false, [null], ["0.0.0.0/33"]] {
		not health_and_metrics.permitted with input as asked("GET", "/metrics", "10.1.2.3")
			with data.health_and_metrics as {"probes": [{"methods": ["GET"], "path": "/metrics", "sources": sources}]}
	}
}

test_a_probe_that_is_not_whole_opens_nothing if {
	every probe in [{}, {"path": "/x"}, {"methods": ["GET"]}, {"methods": "GET", "path": "/x"}, {"methods": ["GET"], "path": ["/x"]}, null, "/x"] {
		not health_and_metrics.permitted with input as asked("GET", "/x", "10.1.2.3") with data.health_and_metrics as {"probes": [probe]}
	}
}

test_without_data_nothing_is_open if {
	not health_and_metrics.permitted with input as asked("GET", "/healthz", "10.1.2.3") with data.health_and_metrics as {}
	not health_and_metrics.permitted with input as {} with data.health_and_metrics as world
}

world := {"probes": [
	{"methods": ["GET", "HEAD"], "path": "/healthz"},
	{"methods": ["GET"], "path": "/metrics", "sources": ["10.0.0.0/8", "2001:db8::/32"]},
]}

asked(method, path, address) := {"attributes": {
	"request": {"http": {"method": method, "path": path}},
	"source": {"address": {"socketAddress": {"address": address}}},
}}
