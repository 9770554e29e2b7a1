//! The configuration on the native engine, beside the module that decides by it. It says of a
//! decision what the module does not: the policy's input, and the line that decided. No response
//! depends on it, so where it fails there is less to say and nothing else.

use super::{asked::Explainers, heard::Heard, line::Line};
use crate::{
    explain::{agrees, place},
    moment,
    policy::{self, Which},
};
use portcullis_engine::{
    Attributes, Call, Decision, Facts, Gate, Incoming, Live, Mask, Request, Retold, Shadow,
};
use portcullis_gatefile::GateFile;
use portcullis_host::Headers;
use portcullis_rego::Moment;
use serde_json::Value;
use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

/// As much as each question of an explanation may take: more than most policies are allowed.
const INSTRUCTIONS: u32 = 5_000_000;

/// Of threads that evaluate policies: as much as the main thread has.
pub const STACK: usize = 8 * 1024 * 1024;

/// A gate, and its policies as they can be asked why.
pub struct Native {
    live: Live,
    fetched: Option<Fetched>,
    explainers: Explainers,
}

/// What the gate fetches it is given here, from what its filter was answered.
struct Fetched {
    heard: Arc<Heard>,
    /// What it has asked for and nobody has heard of yet.
    open: Mutex<Vec<Call>>,
}

/// Discovery, then keys, then a token: each answer may bring another question.
const MOST_QUESTIONS: usize = 8;
/// A time that lies further back is a clock that was set back, to a gate.
const SET_BACK: u64 = 500_000_000;
/// Of work on a bundle; nobody waits for it in between.
const SLICE: Duration = Duration::from_secs(1);
/// Of those that are open, the older ones are given up by the gate itself.
const MOST_OPEN: usize = 100;

/// A request as the filter was shown it.
pub struct Seen {
    pub headers: Headers,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    pub protocol: &'static str,
    /// Since the Unix epoch.
    pub at: Duration,
    pub has_body: bool,
    /// All of its body, where the filter held the request for it and it was kept.
    pub body: OnceLock<Vec<u8>>,
}

/// What was asked of a policy, and what came of it.
#[derive(Clone, Copy)]
pub struct Said<'s> {
    pub rule: &'s str,
    pub reason: &'s str,
    pub by: Which,
    /// The policy came with a bundle: what the configuration holds of it is another one.
    pub is_bundles: bool,
}

/// What there is to say of a decision.
#[derive(Default)]
pub struct Told {
    /// What the policy was asked about; none where it was not asked. It holds what the client sent.
    pub input: Option<Value>,
    /// What its rule gave, and what the policy that did not decide says; where there is a log for it.
    pub result: Option<Value>,
    pub shadow: Option<Value>,
    pub why: Why,
    pub mask: Mask,
}

/// Where the policy's answer stands.
#[derive(Default)]
pub struct Why {
    /// `authz.rego:12`
    pub place: Option<String>,
}

/// What is to be found out of a decision besides the policy's input.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// [`Why`], for when there is time.
    pub why: bool,
    /// What only a log tells.
    pub event: bool,
}

impl Native {
    /// `explains`: whether anybody will ask for [`Why`].
    pub fn new(file: &GateFile, gate: Gate, heard: Arc<Heard>, explains: bool) -> Native {
        let explainers = match explains {
            true => Explainers::of(file),
            false => Explainers::default(),
        };
        let fetches = !portcullis_gatefile::clusters(&file.document).is_empty();
        let open = Mutex::default();
        Native {
            // Each request is shown to it several times, and its filter remembers.
            live: Live::new(gate.forgetting()),
            fetched: fetches.then_some(Fetched { heard, open }),
            explainers,
        }
    }

    /// Has the gate know what its filter knew of a request's credentials.
    fn learn(&self, seen: &Seen, now_ns: u64) {
        let Some(Fetched { heard, open }) = &self.fetched else {
            return;
        };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = self.live.current();
        for _ in 0..MOST_QUESTIONS {
            // For what it wants; whether it would wait for it is no matter.
            drop(seen.ask(&gate, now_ns, |request, moment| {
                gate.step(request, moment, None)
            }));
            // It is never later than its filter, which spreads its calls.
            open.extend(gate.calls(now_ns, 0));
            let asked = open.len();
            open.retain(|call| match heard.answer(call) {
                Some((answer, at_ns)) => {
                    // What is wrong with it, the filter's log tells.
                    let at_ns = at_ns.max(now_ns.saturating_sub(SET_BACK));
                    let _ = gate.answered(call.id, answer, at_ns, 0);
                    false
                }
                None => true,
            });
            if open.len() == asked {
                break;
            }
        }
        // What is wrong with a bundle, the filter's log tells too.
        while self.live.is_working() {
            let clock = || moment::nanoseconds(moment::now());
            let _ = self.live.work(&clock, SLICE, 0);
        }
        let old = open.len().saturating_sub(MOST_OPEN);
        open.drain(..old);
    }

    /// What the module's record leaves out.
    pub fn tell(&self, seen: &Seen, line: &Line, wanted: Wanted) -> Told {
        let told = line
            .said()
            .and_then(|said| quietly(|| self.told(seen, line.id(), said, wanted))?);
        let mut told = told.unwrap_or_default();
        let input = told.input.as_ref();
        told.mask = self.mask(seen, input.and_then(|input| input.get("parsed_body")));
        told
    }

    /// All of it but the mask. `said` is what the module's record says of the policy.
    fn told(&self, seen: &Seen, id: &str, said: Said<'_>, wanted: Wanted) -> Option<Told> {
        let at = moment::nanoseconds(seen.at);
        self.learn(seen, at);
        let input = self.input(seen, at)?;
        let again = wanted
            .event
            .then(|| self.again(seen, id, at, said))
            .flatten();
        let why = match wanted.why {
            true => self.why(said, &input, at),
            false => Why::default(),
        };
        let (result, shadow) = again.map(|it| (it.result, it.shadow)).unwrap_or_default();
        Some(Told {
            input: Some(input),
            result,
            shadow: shadow.as_ref().map(Shadow::to_json),
            why,
            mask: Mask::default(),
        })
    }

    /// What the policies say of it.
    fn again(&self, seen: &Seen, id: &str, now_ns: u64, said: Said<'_>) -> Option<Retold> {
        let gate = self.live.current();
        let is_candidates = said.by == Which::Candidate;
        seen.ask_as(id, &gate, now_ns, |request, moment| {
            gate.retell(request, moment, said.reason, is_candidates)
        })
    }

    /// The decision at a moment of one's choice; none where it takes a body that is not at hand.
    pub fn decide(&self, seen: &Seen, now_ns: u64) -> Option<Decision> {
        quietly(|| {
            self.learn(seen, now_ns);
            let gate = self.live.current();
            seen.ask(&gate, now_ns, |request, moment| {
                let lacks_body = gate.body_reader(request).is_some();
                (!lacks_body).then(|| gate.decide(request, moment))
            })
        })?
    }

    /// The line that decided so, where a policy did.
    pub fn place(&self, seen: &Seen, now_ns: u64, decision: &Decision) -> Option<String> {
        let record = &decision.record;
        let said = Said {
            rule: record.rule.as_deref()?,
            reason: record.reason.code(),
            by: match record.by_candidate {
                true => Which::Candidate,
                false => Which::Policy,
            },
            is_bundles: record.revision.is_some(),
        };
        quietly(|| {
            let input = self.input(seen, now_ns)?;
            self.why(said, &input, now_ns).place
        })?
    }

    /// What must not be shown of a request.
    pub fn mask(&self, seen: &Seen, body: Option<&Value>) -> Mask {
        let mask = quietly(|| {
            let gate = self.live.current();
            seen.ask(&gate, 0, |request, moment| {
                gate.mask(request, body, moment.decision_id)
            })
        });
        mask.unwrap_or_else(Mask::of_everything)
    }

    /// The event of a decision; none where the policy drops it.
    pub fn event(&self, facts: Facts<'_>, mask: &Mask) -> Option<Value> {
        let gate = self.live.current();
        let bundle = gate.bundle_name(facts.by_candidate);
        let facts = Facts {
            bundle: bundle.as_deref(),
            ..facts
        };
        gate.event_of(facts, mask)
    }

    fn input(&self, seen: &Seen, now_ns: u64) -> Option<Value> {
        let gate = self.live.current();
        seen.ask(&gate, now_ns, |request, moment| gate.input(request, moment))
            .ok()
    }

    fn why(&self, said: Said<'_>, input: &Value, now_ns: u64) -> Why {
        let moment = Moment {
            now_ns,
            instructions: INSTRUCTIONS,
            strict_builtin_errors: false,
        };
        let explainer = self.explainers.of_policy(said.by);
        let explained = explainer
            .filter(|_| !said.is_bundles)
            .and_then(|explainer| {
                // One that has panicked is not asked again.
                let mut explainer = explainer.lock().ok()?;
                let input = policy::rego_value(input).ok()?;
                Some(explainer.explain(said.rule, input, &moment))
            });
        match explained {
            // Both were asked at nearly the same moment, but not quite.
            Some(explained) if agrees(&explained, said.reason) => Why {
                place: place(&explained, said.reason),
            },
            _ => Why::default(),
        }
    }
}

impl Seen {
    /// Without its query, which may hold credentials.
    pub fn line(&self) -> (String, String) {
        let text = |name| String::from_utf8_lossy(self.headers.get(name).unwrap_or_default());
        let path = text(":path");
        let path = path.split('?').next().unwrap_or_default().to_owned();
        (text(":method").into_owned(), path)
    }

    /// Of its headers, with their names, and of its body.
    pub fn bytes(&self) -> usize {
        let line = |(name, value): (&str, &[u8])| name.len().saturating_add(value.len());
        let body = self.body.get().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(line).sum();
        headers.saturating_add(body)
    }

    /// Hands over the request with what the filter's host says of it.
    fn ask<T>(
        &self,
        gate: &Gate,
        now_ns: u64,
        question: impl FnOnce(&Request<'_>, &portcullis_engine::Moment<'_>) -> T,
    ) -> T {
        self.ask_as(&moment::unique_id(), gate, now_ns, question)
    }

    /// The same as the decision of this id.
    fn ask_as<T>(
        &self,
        decision_id: &str,
        gate: &Gate,
        now_ns: u64,
        question: impl FnOnce(&Request<'_>, &portcullis_engine::Moment<'_>) -> T,
    ) -> T {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().collect();
        let text = |name| std::str::from_utf8(self.headers.get(name)?).ok();
        let (source, destination) = (self.remote.ip().to_string(), self.local.ip().to_string());
        let request = Request {
            headers: &headers,
            attributes: Attributes {
                source_address: Some(&source),
                source_port: Some(self.remote.port()),
                destination_address: Some(&destination),
                destination_port: Some(self.local.port()),
                request_id: text("x-request-id"),
                request_time_ns: Some(moment::nanoseconds(self.at)),
                protocol: Some(self.protocol),
                scheme: text(":scheme"),
                size: text("content-length").and_then(|length| length.parse().ok()),
                ..Attributes::default()
            },
            body: match self.has_body {
                true => Incoming::Coming,
                false => Incoming::None,
            },
        };
        let moment = portcullis_engine::Moment {
            now_ns,
            decision_id,
        };
        let body = self.body.get().map_or(&[][..], Vec::as_slice);
        gate.with_body(&request, body, |request| question(request, &moment))
    }
}

/// A panic is told by its hook on stderr, and ends here.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
