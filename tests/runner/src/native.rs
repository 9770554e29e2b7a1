//! The engine as a function call. What a proxy does around it (folding, applying edits, rendering a
//! refusal) is `portcullis-host`'s, so that only the engine differs from the other subjects.

use crate::{
    callouts::{Call, Callouts},
    error::Error,
    prepare::Prepared,
    scenario::{Events, Fetches},
    servers::{self, Servers},
    subject::{Exchange, Observation, Ran, Received, Subject, UPSTREAM_BODY, upstream_response},
};
use portcullis_engine::{
    Answer, Attributes, CallId, Decision, Deny, Effect, Gate, HeaderEdit, Incoming, Live, Moment,
    Over, PeerCertificate, Request, Step,
};
use portcullis_host::{Headers, LocalReply, Response};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub struct Native;

impl Subject for Native {
    fn run(&mut self, scenarios: &[&Prepared<'_>]) -> Result<Vec<Ran>, Error> {
        servers::side_by_side(scenarios, run)
    }
}

fn run(prepared: &Prepared<'_>) -> Result<Ran, Error> {
    let servers = Servers::start(prepared)?;
    let gate = match load(prepared) {
        Err(message) => return Ok(Ran::Refused(message)),
        Ok(gate) => Calling::new(gate, servers.addresses(prepared.scenario)),
    };
    let case = |(case, exchange)| {
        servers.before(prepared, case, |time| gate.idle(time))?;
        let seen = gate.exchange(exchange);
        servers.noted(prepared, case, seen, |time| gate.idle(time))
    };
    let answers = prepared.exchanges.iter().enumerate().map(case);
    Ok(Ran::Cases(answers.collect()))
}

/// A gate whose calls are made, and whose bundles are taken.
struct Calling {
    live: Live,
    callouts: Callouts<CallId>,
}

/// The longest that a call is waited for before the time is looked at.
const STEP: Duration = Duration::from_millis(10);

impl Calling {
    fn new(gate: Gate, clusters: BTreeMap<String, SocketAddr>) -> Calling {
        let callouts = Callouts::new(clusters);
        Calling {
            live: Live::new(gate),
            callouts,
        }
    }

    fn exchange(&self, exchange: &Exchange) -> Result<Observation, String> {
        self.go_on(Duration::ZERO)?;
        let headers = exchange.filter_headers()?;
        let decision = ask(exchange, &headers, |request, moment| {
            let decision = self.decide(request, moment, exchange)?;
            self.look_back(request, &decision, moment.now_ns);
            Ok::<_, String>(decision)
        })?;
        self.start_calls()?;
        Ok(enforced(decision, exchange, headers))
    }

    /// What a shell does once the answer is out.
    fn look_back(&self, request: &Request<'_>, decision: &Decision, now_ns: u64) {
        self.live.current().look_back(&Over {
            request: Some(request),
            record: &decision.record,
            status: match &decision.effect {
                Effect::Deny(deny) => Some(deny.status),
                Effect::Allow(_) => Some(200),
            },
            took_ns: Some(1_000),
            now_ns,
        });
    }

    fn decide(
        &self,
        request: &Request<'_>,
        first: &Moment<'_>,
        exchange: &Exchange,
    ) -> Result<Decision, String> {
        let bytes = &exchange.body;
        let gate = self.live.current();
        let mut moment = *first;
        let (mut waited, mut has_come) = (None, false);
        loop {
            let waiting = waited.take();
            let step = |request: &Request<'_>| gate.step(request, &moment, waiting);
            let step = match has_come {
                true => gate.with_body(request, bytes, step),
                false => step(request),
            };
            match step {
                Step::Decided(decision) => return Ok(*decision),
                Step::Body if has_come => {
                    return Err("the gate has the body, and asks for it".into());
                }
                Step::Body => {
                    self.idle(exchange.framing.pause)?;
                    has_come = true;
                }
                Step::Passing(decision, mut check) => {
                    let passed = check.push(bytes).and_then(|()| check.finish());
                    return Ok(match passed {
                        Ok(()) => *decision,
                        Err(reason) => gate.refuse_body(request, &moment, reason),
                    });
                }
                Step::Waiting(waiting) => {
                    while !self.go_on(STEP)? && now_ns() < waiting.deadline_ns(now_ns()) {}
                    waited = Some(waiting);
                }
            }
            moment.now_ns = now_ns();
        }
    }

    /// Lets time pass, in which the gate's calls go on.
    fn idle(&self, time: Duration) -> Result<(), String> {
        let until = Instant::now().checked_add(time);
        while until.is_some_and(|until| Instant::now() < until) {
            self.go_on(STEP)?;
        }
        Ok(())
    }

    /// Makes the calls that are due, and takes an answer if one comes; whether one came.
    fn go_on(&self, patience: Duration) -> Result<bool, String> {
        self.start_calls()?;
        self.work()?;
        let Some((id, ended)) = self.callouts.next(patience) else {
            return Ok(false);
        };
        let answer = match ended {
            None => Answer::Failed,
            Some(response) => Answer::Response {
                headers: response
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_vec()))
                    .collect(),
                body: response.body,
            },
        };
        let gate = self.live.current();
        gate.answered(id, answer, now_ns(), random()?);
        self.work()?;
        self.start_calls()?;
        Ok(true)
    }

    /// Goes on with a bundle to its end.
    fn work(&self) -> Result<(), String> {
        while self.live.is_working() {
            self.live.work(&now_ns, STEP, random()?);
        }
        Ok(())
    }

    fn start_calls(&self) -> Result<(), String> {
        for call in self.live.current().calls(now_ns(), random()?) {
            let id = call.id;
            let headers = call.headers.iter();
            let call = Call {
                headers: headers.map(|(name, value)| (name, value)).collect(),
                cluster: call.cluster,
                body: call.body,
                timeout: call.timeout,
            };
            self.callouts.start(id, call);
        }
        Ok(())
    }
}

fn random() -> Result<u64, String> {
    getrandom::u64().map_err(|error| error.to_string())
}

fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .as_ref()
        .map_or(u64::MAX, |since: &Duration| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
}

/// The gate of a scenario, or what is wrong with its configuration.
pub fn load(prepared: &Prepared<'_>) -> Result<Gate, String> {
    let environment = &prepared.scenario.file.environment;
    let secrets = |name: &str| environment.get(name).cloned();
    Gate::load(&prepared.document, &secrets).map_err(|errors| errors.to_string())
}

/// One request, from its bytes on the wire to the answer. It waits for nothing.
pub fn exchange_with(gate: &Gate, exchange: &Exchange) -> Result<Observation, String> {
    let headers = exchange.filter_headers()?;
    let decision = decide(gate, exchange, &headers);
    Ok(enforced(decision, exchange, headers))
}

fn enforced(decision: Decision, exchange: &Exchange, headers: Headers) -> Observation {
    let record = Some(decision.record.to_json());
    let details = decision.record.reason.code().to_owned();
    match decision.effect {
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
    }
}

/// The engine's decision on headers as a filter sees them.
pub fn decide(gate: &Gate, exchange: &Exchange, headers: &Headers) -> Decision {
    ask(exchange, headers, |request, moment| {
        gate.with_body(request, &exchange.body, |request| {
            gate.decide(request, moment)
        })
    })
}

/// A question about headers as a filter sees them.
pub fn ask<T>(
    exchange: &Exchange,
    headers: &Headers,
    question: impl FnOnce(&Request<'_>, &Moment<'_>) -> T,
) -> T {
    let pairs: Vec<(&str, &[u8])> = headers.iter().collect();
    let now_ns = now_ns();
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
            body: match exchange.ends_at_its_headers() {
                true => Incoming::None,
                false => Incoming::Coming,
            },
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
        events: Events::new(),
    }
}
