//! The mappings of events: what the pipeline and the props make of them is what the page's table says,
//! in fields that the two schemas have.

use super::{document, elastic, pages, splunk, text};
use portcullis_tests::{code_spans, root};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// The fields of ECS 8.17 that are used, with their types ("ECS Field Reference").
const ECS: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("ecs.version", "keyword"),
    ("event.action", "keyword"),
    ("event.category", "keywords"),
    ("event.code", "keyword"),
    ("event.dataset", "keyword"),
    ("event.duration", "long"),
    ("event.id", "keyword"),
    ("event.kind", "keyword"),
    ("event.module", "keyword"),
    ("event.outcome", "keyword"),
    ("event.reason", "keyword"),
    ("event.type", "keywords"),
    ("http.request.id", "keyword"),
    ("http.request.method", "keyword"),
    ("http.response.status_code", "long"),
    ("labels", "object"),
    ("observer.name", "keyword"),
    ("observer.product", "keyword"),
    ("observer.type", "keyword"),
    ("observer.version", "keyword"),
    ("rule.name", "keyword"),
    ("rule.ruleset", "keyword"),
    ("rule.version", "keyword"),
    ("source.address", "keyword"),
    ("source.ip", "ip"),
    ("source.port", "long"),
    ("span.id", "keyword"),
    ("trace.id", "keyword"),
    ("url.domain", "keyword"),
    ("url.path", "keyword"),
    ("user.id", "keyword"),
];

/// The fields of CIM that are used, of the data models Authentication and Web.
const CIM: &[&str] = &[
    "action",
    "app",
    "dest",
    "http_method",
    "reason",
    "response_time",
    "signature",
    "signature_id",
    "src",
    "src_ip",
    "src_port",
    "status",
    "uri_path",
    "url",
    "url_domain",
    "user",
    "vendor_product",
];

/// What ours is, in which fields of the two.
struct Row {
    ours: Vec<String>,
    ecs: String,
    cim: String,
}

fn table() -> Vec<Row> {
    let rows = pages::rows(&text("README.md"), "## Fields of an event");
    assert!(rows.len() > 25);
    let row = |cells: Vec<String>| Row {
        ours: code_spans(&cells[0]),
        ecs: cells[1].clone(),
        cim: cells.get(2).cloned().unwrap_or_default(),
    };
    rows.into_iter().map(row).collect()
}

pub fn samples() -> Vec<Value> {
    let file = root().join("tests/monitoring/events.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn in_ecs(event: &Value) -> Value {
    let pipeline = document("elastic-pipeline.json");
    elastic::run(&pipeline, event.clone()).unwrap_or_else(|why| panic!("{why}\n{event}"))
}

fn in_cim(line: &str) -> splunk::Fields {
    let props = splunk::stanzas(&text("splunk/props.conf"));
    splunk::fields(&props["portcullis:decision"], line).unwrap_or_else(|why| panic!("{why}"))
}

/// The fields that there are of a document, down to those that are one for us.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    // What a policy gives is of its own shape.
    let is_whole =
        path == "labels" || path.starts_with("portcullis.") && path != "portcullis.result";
    match value.as_object().filter(|_| !is_whole) {
        Some(members) => {
            for (name, value) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                leaves(value, &path, found);
            }
        }
        None => drop(found.insert(path.to_owned())),
    }
}

/// Holds one event against the table and the schemas.
pub fn hold(event: &Value) {
    let table = table();
    let known: BTreeSet<&str> = table
        .iter()
        .flat_map(|row| &row.ours)
        .map(String::as_str)
        .collect();
    for member in event.as_object().unwrap().keys() {
        assert!(known.contains(&**member), "the table lacks `{member}`");
    }
    let ecs = in_ecs(event);
    let mut found = BTreeSet::new();
    leaves(&ecs, "", &mut found);
    for field in &found {
        let value = elastic::get(&ecs, field).unwrap();
        let row = table
            .iter()
            .find(|row| code_spans(&row.ecs).contains(field));
        assert!(row.is_some(), "the table lacks `{field}`");
        if field.starts_with("portcullis.") {
            continue;
        }
        let (_, kind) = ECS
            .iter()
            .find(|(name, _)| name == field)
            .unwrap_or_else(|| panic!("`{field}` is none of ECS's"));
        let is_of_kind = match *kind {
            "long" => value.is_i64() || value.is_u64(),
            "object" => value.is_object(),
            "keywords" => value.is_array(),
            "ip" => value.as_str().unwrap().parse::<std::net::IpAddr>().is_ok(),
            _ => value.is_string(),
        };
        assert!(is_of_kind, "`{field}` is no {kind}: {value}");
    }
    let cim = in_cim(&event.to_string());
    for row in &table {
        for ours in &row.ours {
            let value = event.get(ours);
            // Where the table names one field and says no more, it is the same value.
            if let [field] = code_spans(&row.ecs).as_slice()
                && row.ecs == format!("`{field}`")
            {
                assert_eq!(elastic::get(&ecs, field), value, "{ours} in ECS");
            }
            for field in row.cim.split(", ") {
                let is_same = field.starts_with('`') && field.ends_with('`');
                if is_same && field != "`_time`" {
                    let theirs = cim.get(field.trim_matches('`'));
                    let ours = value.map(|it| it.as_str().map_or(it.to_string(), Into::into));
                    assert_eq!(theirs, ours.as_ref(), "{field} in CIM");
                }
            }
        }
    }
}

#[test]
fn the_samples_are_what_the_table_says() {
    for event in samples() {
        hold(&event);
    }
}

/// A member of ours, and a field of theirs, that stands in the table is there where it can be.
#[test]
fn the_table_has_nothing_that_there_is_not() {
    let (mut ours, mut ecs, mut cim) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in samples() {
        ours.extend(event.as_object().unwrap().keys().cloned());
        leaves(&in_ecs(&event), "", &mut ecs);
        cim.extend(in_cim(&event.to_string()).into_keys());
    }
    for row in table() {
        for member in &row.ours {
            assert!(ours.contains(member), "no sample has `{member}`");
        }
        let fields = code_spans(&row.ecs);
        for field in fields.iter().filter(|it| *it != "timer_server_handler_ns") {
            assert!(ecs.contains(field), "the pipeline makes no `{field}`");
        }
        for field in code_spans(&row.cim).iter().filter(|it| *it != "_time") {
            assert!(CIM.contains(&&**field), "`{field}` is none of CIM's");
            assert!(cim.contains(field), "the props make no `{field}`");
        }
    }
}

#[test]
fn what_is_made_of_values() {
    let samples = samples();
    let [allowed, failed] = [&samples[0], &samples[1]].map(in_ecs);
    let of = |document: &Value, field: &str| elastic::get(document, field).cloned().unwrap();
    for (field, first, second) in [
        ("event.outcome", json!("success"), json!("failure")),
        ("event.action", json!("allow"), json!("deny")),
        (
            "event.type",
            json!(["info", "allowed"]),
            json!(["info", "denied"]),
        ),
        ("event.duration", json!(412_345), json!(90_000)),
        (
            "@timestamp",
            json!("2026-11-27T07:00:00.123456789Z"),
            json!("2026-11-27T07:00:01.500000000Z"),
        ),
        (
            "url.domain",
            json!("api.example.com"),
            json!("api.example.com"),
        ),
        ("source.ip", json!("2001:db8::7"), json!("192.0.2.7")),
        ("source.port", json!(54_321), json!(40_000)),
    ] {
        assert_eq!(of(&allowed, field), first, "{field}");
        assert_eq!(of(&failed, field), second, "{field}");
    }
    assert_eq!(of(&allowed, "observer.name"), "6d0a");
    let [allowed, failed] = [&samples[0], &samples[1]].map(|event| in_cim(&event.to_string()));
    for (field, first, second) in [
        ("action", "success", "error"),
        ("signature", "data.envoy.authz.allow", "jwks.unavailable"),
        ("src", "2001:db8::7", "192.0.2.7"),
        ("src_port", "54321", "40000"),
        (
            "url",
            "api.example.com:8443/orders/7",
            "api.example.com/orders",
        ),
        ("response_time", "0.412", "0.09"),
    ] {
        assert_eq!(
            (&*allowed[field], &*failed[field]),
            (first, second),
            "{field}"
        );
    }
    let mut denied = samples[1].clone();
    denied["status"] = json!(401);
    assert_eq!(in_cim(&denied.to_string())["action"], "failure");
    // Of some clients the port is not known.
    for address in ["192.0.2.7", "2001:db8::7"] {
        denied["requested_by"] = json!(address);
        let (ecs, cim) = (in_ecs(&denied), in_cim(&denied.to_string()));
        assert_eq!(of(&ecs, "source.ip"), address);
        assert_eq!(elastic::get(&ecs, "source.port"), None);
        assert_eq!((&*cim["src_ip"], cim.get("src_port")), (address, None));
    }
}

/// An event as it stands in the proxy's log is the same.
#[test]
fn what_envoy_writes_before_an_event_is_taken_away() {
    for event in samples() {
        let before = "[2026-11-27 07:00:00.123][17][info][wasm] [source/extensions/common/wasm/context.cc:1160] wasm log portcullis portcullis: ";
        hold_the_line(&format!("{before}{event}"), &event);
    }
}

pub fn hold_the_line(line: &str, event: &Value) {
    assert_eq!(in_ecs(&json!({"message": line})), in_ecs(event));
    assert_eq!(in_cim(line), in_cim(&event.to_string()));
}

#[test]
fn splunk_finds_the_events_by_their_tags() {
    let types = splunk::stanzas(&text("splunk/eventtypes.conf"));
    assert_eq!(types.keys().collect::<Vec<_>>(), ["portcullis_decision"]);
    let search = &types["portcullis_decision"]["search"];
    assert!(search.contains("sourcetype=\"portcullis:decision\""));
    let tags = splunk::stanzas(&text("splunk/tags.conf"));
    let tags = &tags["eventtype=portcullis_decision"];
    // Those that make the data models Authentication and Web take an event.
    for tag in ["authentication", "web"] {
        assert_eq!(tags[tag], "enabled");
    }
}

/// What a gate told is of the shape that the samples have, so that they go on being of use.
pub fn hold_the_samples(event: &Value) {
    for (member, value) in event.as_object().unwrap() {
        let samples = samples();
        let sample = samples.iter().find_map(|sample| sample.get(member));
        let sample = sample.unwrap_or_else(|| panic!("no sample has `{member}`: {value}"));
        if member == "result" {
            continue;
        }
        assert_eq!(
            std::mem::discriminant(sample),
            std::mem::discriminant(value),
            "`{member}` is {value}, and in a sample {sample}"
        );
    }
}

/// What is not known here fails, so that nothing in the files goes untested.
#[test]
fn a_processor_that_is_not_known_fails() {
    for processor in [
        json!({"script": {"source": "ctx.x = 1"}}),
        json!({"set": {"field": "a", "value": 1, "if": "ctx.a.b == 1"}}),
        json!({"rename": {"field": "a", "target_field": "b", "if_present": true}}),
    ] {
        let pipeline = json!({"processors": [processor]});
        assert!(elastic::run(&pipeline, json!({"a": 1})).is_err());
    }
    for (key, value) in [
        ("EVAL-x", "mvindex(a, 1)"),
        ("EVAL-x", "a + 1"),
        ("LOOKUP-x", "reasons reason"),
    ] {
        let props = [(key.to_owned(), value.to_owned())].into();
        assert!(splunk::fields(&props, "{}").is_err(), "{key} {value}");
    }
}
