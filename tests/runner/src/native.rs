//! The engine as a function call. What a proxy does around it (folding, applying edits, rendering a
//! refusal) is `portcullis-host`'s, so that only the engine differs from the other subjects.

use crate::{
    error::Error,
    prepare::Prepared,
    scenario::Fetches,
    subject::{Exchange, Observation, Ran, Received, Subject, UPSTREAM_BODY, upstream_response},
};
use portcullis_engine::{
    Attributes, Decision, Deny, Effect, Gate, HeaderEdit, Moment, PeerCertificate, Request,
};
use portcullis_host::{Headers, LocalReply, Response};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub struct Native;

impl Subject for Native {
    fn run(&mut self, scenarios: &[&Prepared<'_>]) -> Result<Vec<Ran>, Error> {
        Ok(scenarios.iter().map(|prepared| run(prepared)).collect())
    }
}

fn run(prepared: &Prepared<'_>) -> Ran {
    match load(prepared) {
        Err(message) => Ran::Refused(message),
        Ok(gate) => Ran::Cases(
            prepared
                .exchanges
                .iter()
                .map(|exchange| exchange_with(&gate, exchange))
                .collect(),
        ),
    }
}

/// The gate of a scenario, or what is wrong with its configuration.
pub fn load(prepared: &Prepared<'_>) -> Result<Gate, String> {
    let environment = &prepared.scenario.file.environment;
    let secrets = |name: &str| environment.get(name).cloned();
    Gate::load(&prepared.document, &secrets).map_err(|errors| errors.to_string())
}

/// One request, from its bytes on the wire to the answer.
pub fn exchange_with(gate: &Gate, exchange: &Exchange) -> Result<Observation, String> {
    let headers = exchange.filter_headers()?;
    let decision = decide(gate, exchange, &headers);
    let record = Some(decision.record.to_json());
    let details = decision.record.reason.code().to_owned();
    Ok(match decision.effect {
        Effect::Deny(deny) => {
            let response = reply(deny, details.clone()).into_response(&headers);
            observe(response, record, details, None)
        }
        Effect::Allow(allow) => {
            let upstream = Received::from_filter(edited(headers, &allow.request), &exchange.body);
            let headers = edited(upstream_response(), &allow.response);
            let body = if exchange.method == "HEAD" {
                Vec::new()
            } else {
                UPSTREAM_BODY.into()
            };
            observe(Response { headers, body }, record, details, Some(upstream))
        }
    })
}

/// The engine's decision on headers as a filter sees them.
pub fn decide(gate: &Gate, exchange: &Exchange, headers: &Headers) -> Decision {
    ask(exchange, headers, |request, moment| {
        gate.decide(request, moment)
    })
}

/// A question about headers as a filter sees them.
pub fn ask<T>(
    exchange: &Exchange,
    headers: &Headers,
    question: impl FnOnce(&Request<'_>, &Moment<'_>) -> T,
) -> T {
    let pairs: Vec<(&str, &[u8])> = headers.iter().collect();
    let now_ns = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .as_ref()
        .map_or(u64::MAX, |since: &Duration| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        });
    let decision_id = uuid::Uuid::new_v4().to_string();
    let attributes = Attributes {
        source_address: Some("127.0.0.1"),
        source_port: Some(40000),
        destination_address: Some("127.0.0.1"),
        destination_port: Some(10000),
        request_time_ns: Some(now_ns),
        protocol: Some("HTTP/1.1"),
        scheme: Some(exchange.scheme()),
        peer: exchange.certificate().map(|facts| PeerCertificate {
            uri_san: facts.uri_san.as_deref().map(str::as_bytes),
            dns_san: facts.dns_san.as_deref().map(str::as_bytes),
            subject: Some(facts.subject.as_bytes()),
            sha256: Some(facts.sha256.as_bytes()),
        }),
        route: Some(&exchange.route),
        virtual_host: Some(&exchange.virtual_host),
        route_metadata: &exchange.route_metadata,
        ..Attributes::default()
    };
    question(
        &Request {
            headers: &pairs,
            attributes,
        },
        &Moment {
            now_ns,
            decision_id: &decision_id,
        },
    )
}

fn edited(mut headers: Headers, edits: &[HeaderEdit]) -> Headers {
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => headers.remove(name),
            HeaderEdit::Set(name, value) => headers.set(name, value.as_bytes()),
            HeaderEdit::Append(name, value) => headers.add(name, value.as_bytes()),
        }
    }
    headers
}

fn reply(deny: Deny, details: String) -> LocalReply {
    LocalReply {
        status: deny.status.into(),
        details,
        headers: deny
            .headers
            .iter()
            .map(|(name, value)| (name, value))
            .collect(),
        body: deny.body,
        grpc_status: deny.grpc_status,
    }
}

fn observe(
    response: Response,
    record: Option<serde_json::Value>,
    details: String,
    upstream: Option<Received>,
) -> Observation {
    Observation {
        status: response.status().unwrap_or_default(),
        headers: response.headers,
        body: response.body,
        record,
        details: Some(details),
        upstream,
        fetches: Fetches::new(),
    }
}
