//! An Envoy with the filters of before, asked what the scenario of after asks, and held to what that
//! expects, but for the differences that a page names.

use portcullis_engine::Reason;
use portcullis_runner::{Case, Envoy, Exit, Prepared, Received, Upstream, find_envoy, send};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

/// Where before answers otherwise than after, and the page's words for it.
pub struct Difference {
    pub case: &'static str,
    pub before: Before,
    pub page: &'static str,
}

pub enum Before {
    Allows,
    Refuses(u16),
    /// The upstream gets a header of the client's with this value.
    LetsThrough(&'static str, &'static str),
    /// The same status, and the client reads why.
    Tells(&'static str),
}

/// What was seen of a request from outside.
struct Seen {
    status: u16,
    body: String,
    upstream: Option<Received>,
}

/// Envoy, or `None` where there is none and that is no failure.
pub fn envoy() -> Option<PathBuf> {
    match find_envoy(&portcullis_tests::root()) {
        Ok(binary) => Some(binary),
        Err(why) if portcullis_tests::strict() => panic!("{why}"),
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            None
        }
    }
}

/// The key set of the scenario's gate, as text: its keys are made anew in every run.
pub fn key_set(prepared: &Prepared<'_>) -> String {
    let document: Value = serde_json::from_slice(&prepared.document).unwrap();
    let keys = document.pointer("/jwt/providers/corp/jwks/inline").unwrap();
    keys.to_string()
}

/// Asks every case. `configuration` is given the upstream's address.
pub fn hold(
    binary: &std::path::Path,
    page: &str,
    prepared: &Prepared<'_>,
    configuration: impl FnOnce(SocketAddr) -> Value,
    differences: &[Difference],
) {
    let page = fs::read_to_string(portcullis_tests::root().join(page)).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for Difference {
        case, page: said, ..
    } in differences
    {
        let there = prepared.cases.iter().any(|it| it.name == *case);
        assert!(there, "there is no case `{case}`");
        assert!(page.contains(said), "the page does not say: {said}");
    }
    let upstream = Upstream::start().unwrap();
    let mut configuration = configuration(upstream.address);
    let admin = json!({"address": address(SocketAddr::from(([127, 0, 0, 1], 0)))});
    configuration["admin"] = admin;
    let envoy = match Envoy::start(binary, &configuration, &BTreeMap::new()).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    };
    let listeners = envoy.listeners().unwrap();
    let (_, address) = listeners.first_key_value().unwrap();
    let mut wrong = Vec::new();
    for (case, exchange) in prepared.cases.iter().zip(&prepared.exchanges) {
        if let Some(why) = case.skip.get("envoy") {
            println!("SKIPPED: {}: {why}", case.name);
            continue;
        }
        let answer = send(*address, exchange).unwrap();
        let mut received = upstream.take();
        let seen = Seen {
            status: answer.status,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            upstream: received.pop(),
        };
        assert!(received.is_empty(), "{}: asked twice", case.name);
        let difference = differences.iter().find(|it| it.case == case.name);
        for fault in faults(case, &seen, difference) {
            wrong.push(format!("{}: {fault}", case.name));
        }
        let how = difference.map_or("as after", |it| it.page);
        println!("{:<60} {}  {how}", case.name, seen.status);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything that is neither as the case expects nor as the difference says.
fn faults(case: &Case, seen: &Seen, difference: Option<&Difference>) -> Vec<String> {
    let allowed = allows(case);
    let mut faults = Vec::new();
    let mut said = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    let (allowed, status) = match difference.map(|it| &it.before) {
        None | Some(Before::LetsThrough(..) | Before::Tells(_)) => (allowed, case.expect.status),
        Some(Before::Allows) => {
            said(!allowed, "the gate allows it, too".into());
            (true, 200)
        }
        Some(Before::Refuses(status)) => {
            let differs = allowed || case.expect.status != *status;
            said(differs, "the gate answers the same".into());
            (false, *status)
        }
    };
    let found = seen.status;
    said(
        found == status,
        format!("{found}, not {status}: {}", seen.body),
    );
    said(
        seen.upstream.is_some() == allowed,
        "what is refused must not arrive, and else must".into(),
    );
    if let Some(Difference {
        before: Before::Tells(why),
        ..
    }) = difference
    {
        let read = &seen.body;
        said(
            read.contains(why),
            format!("the client reads `{read}`, not `{why}`"),
        );
    }
    if let (Some(upstream), true) = (&seen.upstream, allows(case)) {
        let values = |name: &str| -> Vec<String> {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            upstream.headers.values(name).map(text).collect()
        };
        for (name, wanted) in &case.expect.upstream.headers {
            let found = values(name);
            said(found == wanted.as_slice(), format!("`{name}` is {found:?}"));
        }
        for name in &case.expect.upstream.absent {
            let (found, wanted) = (
                values(name),
                match difference.map(|it| &it.before) {
                    Some(Before::LetsThrough(through, value)) if through == name => {
                        vec![(*value).to_owned()]
                    }
                    _ => Vec::new(),
                },
            );
            said(
                found == wanted,
                format!("`{name}` is {found:?}, not {wanted:?}"),
            );
        }
    }
    faults
}

/// Whether the gate allows it.
pub fn allows(case: &Case) -> bool {
    let reason = Reason::ALL
        .iter()
        .find(|it| it.code() == case.expect.reason);
    reason.is_some_and(|reason| reason.allows())
}

pub fn address(of: SocketAddr) -> Value {
    json!({"socket_address": {"address": of.ip().to_string(), "port_value": of.port()}})
}
