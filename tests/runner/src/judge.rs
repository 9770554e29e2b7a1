//! Holds what was seen against what was expected, and subjects against each other.

use crate::{
    On,
    prepare::Prepared,
    proof::Proof,
    report::{Result, Verdict},
    scenario::{Case, Expect, ExpectBody, ExpectLoadError, ExpectUpstream},
    subject::{Exchange, Observation, Ran, Received},
    token::Minters,
};
use portcullis_engine::Reason;
use portcullis_host::Headers;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The verdicts on one scenario, on all its subjects.
pub fn scenario(
    prepared: &Prepared<'_>,
    ran: &[(On, &Ran)],
    minters: &mut Minters,
) -> Vec<Verdict> {
    let scenario = prepared.scenario;
    let mut verdicts = Vec::new();
    let mut say = |case: &str, on: On, result: Result| {
        verdicts.push(Verdict {
            scenario: scenario.name.clone(),
            case: case.to_owned(),
            on,
            result,
        });
    };
    for (on, ran) in ran {
        match (ran, &scenario.file.expect_load_error) {
            (Ran::NotRun(why), _) => say("load", *on, Result::Skipped(why.clone())),
            (Ran::Refused(message), Some(expected)) => say("load", *on, refusal(expected, message)),
            (Ran::Refused(message), None) => {
                say(
                    "load",
                    *on,
                    Result::Failed(vec![format!("the configuration is refused: {message}")]),
                );
            }
            (Ran::Cases(_), Some(_)) => {
                say(
                    "load",
                    *on,
                    Result::Failed(vec!["the configuration is taken".into()]),
                );
            }
            (Ran::Cases(_), None) => {}
        }
    }
    for (index, case) in prepared.cases.iter().enumerate() {
        let mut first: Option<(On, &Observation)> = None;
        for (on, ran) in ran {
            let Ran::Cases(answers) = ran else { continue };
            let result = match (case.skip.get(on.as_str()), answers.get(index)) {
                (Some(why), _) => Result::Skipped(why.clone()),
                (None, None) => Result::Failed(vec!["was not run".into()]),
                (None, Some(Err(why))) => Result::Failed(vec![why.clone()]),
                (None, Some(Ok(seen))) => {
                    let faults = if let Some(status) = case.unasked.get(on.as_str()) {
                        against_silence(*status, seen)
                    } else {
                        let mut faults = against_expectation(case, seen);
                        let sent = prepared.exchanges.get(index);
                        faults.extend(sent.and_then(|sent| against_what_was_sent(sent, seen)));
                        let proof = prepared.proofs.get(index);
                        if let (Some(proof), Some(received)) = (proof, &seen.upstream) {
                            faults.extend(proof.faults(received, minters));
                        }
                        let changing = proof.map(Proof::headers).unwrap_or_default();
                        match first {
                            None => first = Some((*on, seen)),
                            Some(first) => {
                                faults.extend(against_each_other(first, (*on, seen), &changing));
                            }
                        }
                        faults
                    };
                    if faults.is_empty() {
                        Result::Passed
                    } else {
                        Result::Failed(faults)
                    }
                }
            };
            say(&case.name, *on, result);
        }
    }
    verdicts
}

fn refusal(expected: &ExpectLoadError, message: &str) -> Result {
    let mut faults = Faults::default();
    let field = if expected.path.is_empty() {
        String::new()
    } else {
        format!("{}: ", expected.path)
    };
    if !message.contains(&field) {
        faults.say(format!(
            "expected an error at `{}`, found: {message}",
            expected.path
        ));
    }
    faults.contains("the error", &expected.contains, message);
    if let Some(secret) = expected
        .lacks
        .as_ref()
        .filter(|secret| message.contains(&***secret))
    {
        faults.say(format!("the error shows `{secret}`"));
    }
    if faults.0.is_empty() {
        Result::Passed
    } else {
        Result::Failed(faults.0)
    }
}

/// Everything about a case that is not as its `expect` says; empty is a pass.
pub fn against_expectation(case: &Case, seen: &Observation) -> Vec<String> {
    let expect = &case.expect;
    let mut faults = Faults::default();
    let record = seen.record.clone().unwrap_or(Value::Null);
    faults.equal("status", &json!(expect.status), &json!(seen.status));
    faults.equal("reason", &json!(expect.reason), field(&record, "reason"));
    if let Some(details) = &seen.details
        && !allowed(expect)
        && !details.contains(&expect.reason)
    {
        faults.say(format!(
            "the response code details are `{details}`, they lack the reason"
        ));
    }
    for (name, wanted) in [
        ("rule", &expect.rule),
        ("subject", &expect.subject),
        ("key_id", &expect.key_id),
    ] {
        if let Some(wanted) = wanted {
            faults.equal(name, &json!(wanted), field(&record, name));
        }
    }
    faults.equal(
        "revision",
        &json!(expect.revision),
        field(&record, "revision"),
    );
    faults.equal(
        "enforced_by",
        &json!(expect.enforced_by),
        field(&record, "enforced_by"),
    );
    if let Some(wanted) = &expect.detail {
        faults.contains("detail", wanted, &text_of(field(&record, "detail")));
    }
    if let Some(wanted) = &expect.dynamic_metadata {
        let found = without_decision_id(field(&record, "dynamic_metadata"));
        faults.equal("dynamic_metadata", wanted, &found);
    }
    faults.equal(
        "self_check",
        &json!(expect.self_check),
        field(&record, "self_check"),
    );
    for (name, wanted) in &expect.headers {
        let found = values(&seen.headers, name);
        let wanted: Vec<String> = wanted.iter().cloned().collect();
        faults.equal(
            &format!("response header `{name}`"),
            &json!(wanted),
            &json!(found),
        );
    }
    if let Some(wanted) = expect.grpc_status {
        let found = values(&seen.headers, "grpc-status");
        faults.equal("grpc-status", &json!([wanted.to_string()]), &json!(found));
    }
    body(&mut faults, expect.body.as_ref(), &seen.body);
    upstream(&mut faults, expect, seen.upstream.as_ref());
    for (server, paths) in &expect.fetches {
        for (path, wanted) in paths {
            let asked = seen.fetches.get(server).and_then(|paths| paths.get(path));
            let asked = asked.copied().unwrap_or_default();
            if !wanted.is(asked) {
                faults.say(format!(
                    "`{server}` was asked for `{path}` {asked} times: expected {wanted:?}"
                ));
            }
        }
    }
    events(&mut faults, expect, seen);
    faults.0
}

fn events(faults: &mut Faults, expect: &Expect, seen: &Observation) {
    for (server, paths) in &expect.events {
        for (path, wanted) in paths {
            let none = Vec::new();
            let taken = seen.events.get(server).and_then(|paths| paths.get(path));
            let taken = taken.unwrap_or(&none);
            if taken.len() != wanted.len() {
                faults.say(format!(
                    "`{server}` took {} events at `{path}`: expected {}",
                    taken.len(),
                    wanted.len()
                ));
            }
            for (event, wanted) in taken.iter().zip(wanted) {
                for (pointer, wanted) in wanted {
                    let found = event.pointer(pointer).unwrap_or(&Value::Null);
                    faults.equal(&format!("event's `{pointer}`"), wanted, found);
                }
            }
        }
    }
}

/// A body reaches the upstream as it was sent, every byte of it, or not at all.
fn against_what_was_sent(sent: &Exchange, seen: &Observation) -> Option<String> {
    let received = &seen.upstream.as_ref()?.body;
    (*received != sent.body).then(|| {
        let (sent, received) = (shown_body(&sent.body), shown_body(received));
        format!("upstream's body: sent {sent}, received {received}")
    })
}

/// Everything that is not as it is where a proxy answers before it asks the gate.
pub fn against_silence(status: u16, seen: &Observation) -> Vec<String> {
    let mut faults = Faults::default();
    faults.equal("status", &json!(status), &json!(seen.status));
    if let Some(record) = &seen.record {
        faults.say(format!("the gate was asked, and recorded {record}"));
    }
    if seen.upstream.is_some() {
        faults.say("the upstream received the refused request".into());
    }
    faults.0
}

/// What two subjects do not agree on. `changing`: headers to the upstream that are others each time.
pub fn against_each_other(
    first: (On, &Observation),
    second: (On, &Observation),
    changing: &[&str],
) -> Vec<String> {
    let (one, other) = (summary(first.1, changing), summary(second.1, changing));
    let names: Vec<&str> = one.keys().chain(other.keys()).copied().collect();
    let mut faults = Vec::new();
    for name in names {
        let (left, right) = (one.get(name), other.get(name));
        if left != right && !faults.iter().any(|(seen, _)| *seen == name) {
            let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            let line = format!(
                "{name}: {} said {}, {} said {}",
                first.0,
                show(left),
                second.0,
                show(right)
            );
            faults.push((name, line));
        }
    }
    faults.into_iter().map(|(_, line)| line).collect()
}

fn allowed(expect: &Expect) -> bool {
    Reason::ALL
        .iter()
        .any(|reason| reason.code() == expect.reason && reason.allows())
}

fn body(faults: &mut Faults, wanted: Option<&ExpectBody>, found: &[u8]) {
    let text = String::from_utf8_lossy(found);
    match wanted {
        None => {}
        Some(ExpectBody::Text(wanted)) => faults.equal("body", &json!(wanted), &json!(text)),
        Some(ExpectBody::Contains(wanted)) => faults.contains("body", wanted, &text),
        Some(ExpectBody::Json(wanted)) => {
            let found: Value = serde_json::from_slice(found).unwrap_or(Value::Null);
            for (name, wanted) in wanted {
                faults.equal(&format!("body's `{name}`"), wanted, field(&found, name));
            }
        }
    }
}

fn upstream(faults: &mut Faults, expect: &Expect, received: Option<&Received>) {
    let wanted = &expect.upstream;
    match received {
        None if allowed(expect) => faults.say("the upstream received nothing".into()),
        Some(_) if !allowed(expect) => {
            faults.say("the upstream received the refused request".into())
        }
        None => {}
        Some(received) => {
            let ExpectUpstream {
                path,
                method,
                headers,
                absent,
                // Held against what was received by their keys.
                signed: _,
                wristband: _,
            } = wanted;
            for (name, wanted, found) in [
                ("path", path, &received.path),
                ("method", method, &received.method),
            ] {
                if let Some(wanted) = wanted {
                    faults.equal(&format!("upstream's {name}"), &json!(wanted), &json!(found));
                }
            }
            for (name, wanted) in headers {
                let found = values(&received.headers, name);
                faults.equal(
                    &format!("upstream's header `{name}`"),
                    &json!(wanted.as_slice()),
                    &json!(found),
                );
            }
            for name in absent {
                let found = values(&received.headers, name);
                faults.equal(
                    &format!("upstream's header `{name}`"),
                    &json!([]),
                    &json!(found),
                );
            }
        }
    }
}

/// What Envoy's connection manager and codec add to every response.
const ENVOYS_OWN_RESPONSE: &[&str] = &[
    "date",
    "server",
    "x-envoy-upstream-service-time",
    "connection",
    "transfer-encoding",
    ":status",
    "content-length",
];

/// What must be the same everywhere.
fn summary(seen: &Observation, changing: &[&str]) -> BTreeMap<&'static str, Value> {
    let record = seen.record.clone().unwrap_or(Value::Null);
    let decision_id = text_of(field(&record, "decision_id"));
    // A decision's id is its own, and stands in the body.
    let body = String::from_utf8_lossy(&seen.body);
    let body = if decision_id.is_empty() {
        body.into_owned()
    } else {
        body.replace(&decision_id, "<decision_id>")
    };
    let mut summary = BTreeMap::from([
        ("status", json!(seen.status)),
        ("body", json!(body)),
        (
            "response headers",
            map_of(&seen.headers, ENVOYS_OWN_RESPONSE),
        ),
        (
            "dynamic_metadata",
            without_decision_id(field(&record, "dynamic_metadata")),
        ),
    ]);
    for name in [
        "reason",
        "rule",
        "subject",
        "key_id",
        "allowed",
        "self_check",
    ] {
        summary.insert(name, field(&record, name).clone());
    }
    summary.insert("detail", without_lengths(field(&record, "detail")));
    if let Some(received) = &seen.upstream {
        summary.insert("upstream's path", json!(received.path));
        summary.insert("upstream's method", json!(received.method));
        // `content-length: 0` and nothing mean the same (RFC 9110 section 8.6); Envoy's codec writes
        // it for some methods, and leaves it out for others.
        let empty = received.body.is_empty().then_some("content-length");
        let without: Vec<&str> = empty.into_iter().chain(changing.iter().copied()).collect();
        let headers = map_of(&received.headers, &without);
        summary.insert("upstream's headers", headers);
        summary.insert("upstream's body", json!(shown_body(&received.body)));
    }
    summary
}

/// By name, since HTTP gives no meaning to the order of different names.
fn map_of(headers: &Headers, without: &[&str]) -> Value {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !without.contains(name)) {
        map.entry(name.to_owned()).or_default().push(shown(value));
    }
    json!(map)
}

fn values(headers: &Headers, name: &str) -> Vec<String> {
    headers.values(name).map(shown).collect()
}

/// A long one by its size and hash.
fn shown_body(body: &[u8]) -> String {
    if body.len() <= 256 {
        return String::from_utf8_lossy(body).into_owned();
    }
    let hash = crate::template::hex(&hmac_sha256::Hash::hash(body));
    format!("{} bytes, SHA-256 {hash}", body.len())
}

fn shown(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("hex:{}", crate::template::hex(value)),
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Subjects run one after the other, and what expired is older each time.
fn without_lengths(detail: &Value) -> Value {
    let Some(text) = detail.as_str() else {
        return detail.clone();
    };
    let words = text.split(' ');
    let words: Vec<&str> = words
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    words.join(" ").into()
}

fn without_decision_id(metadata: &Value) -> Value {
    let mut metadata = metadata.clone();
    if let Some(map) = metadata.as_object_mut() {
        map.remove("decision_id");
    }
    metadata
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn say(&mut self, fault: String) {
        self.0.push(fault);
    }

    fn equal(&mut self, what: &str, wanted: &Value, found: &Value) {
        if wanted != found {
            self.say(format!("{what}: expected {wanted}, found {found}"));
        }
    }

    fn contains(&mut self, what: &str, wanted: &str, found: &str) {
        if !found.contains(wanted) {
            self.say(format!(
                "{what}: expected a part `{wanted}`, found `{found}`"
            ));
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
