//! Everything that is fetched, in one machine: it says which calls are due, takes what comes of them,
//! and keeps the last good answer. No sockets and no clock: the shell brings both.

mod bundle;
mod call;
mod discovery;
mod introspected;
mod key_set;
mod of_bundle;
mod of_log;
mod report;
mod schedule;
mod upload;

pub use bundle::Arrived;
pub use call::{Answer, Call, CallId};
pub use introspected::{Digest, Word};
pub use schedule::Outlook;

use crate::{
    config::{
        Config, candidate, decision_log,
        jwks::{KeySet, KeySource},
        jwt::{Proof, Provider},
    },
    words::{self, counter},
};
use bundle::FetchedBundle;
use introspected::Introspected;
use key_set::{FetchedKeys, Outcome};
use std::{collections::BTreeMap, fmt, sync::Arc};
use upload::Upload;

/// How long a request waits for what is fetched.
pub const MAX_WAIT_NS: u64 = 2_000_000_000;

/// What is fetched for a configuration, and what came of it.
pub struct Remote {
    /// Of each provider, in the order of the configuration.
    sources: Vec<Source>,
    bundle: Option<FetchedBundle>,
    /// Where events of decisions go.
    upload: Option<Upload>,
    /// Names this worker's gate in them.
    log_id: Option<String>,
    /// What went wrong between answers.
    faults: Vec<Fault>,
    /// The latest time there was.
    latest: u64,
    last_id: u64,
    counts: BTreeMap<&'static str, u64>,
    /// When something was fetched last, by the gauges' names: seconds since the Unix epoch.
    times: BTreeMap<String, u64>,
}

enum Source {
    /// It stands in the configuration.
    Inline,
    Keys(FetchedKeys),
    Introspected(Introspected),
}

/// What a request lacks.
#[derive(Clone, PartialEq, Eq)]
pub enum Want {
    /// A provider's key set.
    Keys { provider: usize },
    /// One that is newer: its token names a key that is not there.
    NewerKeys { provider: usize },
    /// What a provider's server says of the token.
    Word {
        provider: usize,
        digest: Digest,
        token: String,
    },
}

impl fmt::Debug for Want {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Want::Keys { .. } => "keys",
            Want::NewerKeys { .. } => "newer keys",
            Want::Word { .. } => "a word on a token",
        };
        write!(f, "{what} of provider {}", self.provider())
    }
}

impl Want {
    /// Whether without it a good token looks like a bad one.
    pub fn is_doubt(&self) -> bool {
        matches!(self, Want::NewerKeys { .. })
    }

    pub fn provider(&self) -> usize {
        match self {
            Want::Keys { provider }
            | Want::NewerKeys { provider }
            | Want::Word { provider, .. } => *provider,
        }
    }
}

/// What went wrong with something fetched, for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the provider's field.
    pub path: String,
    pub what: String,
}

impl Fault {
    /// The same of what is tried beside the policy.
    pub(crate) fn of_candidate(self) -> Fault {
        Fault {
            path: candidate::moved(&self.path),
            what: self.what,
        }
    }
}

impl Remote {
    pub fn new(config: &Config) -> Remote {
        let source = |provider: &Provider| match &provider.proof {
            Proof::Signature(KeySource::Inline(_)) => Source::Inline,
            Proof::Signature(KeySource::Fetched(plan)) => Source::Keys(FetchedKeys::new(plan)),
            Proof::Introspection(_) => Source::Introspected(Introspected::new()),
        };
        Remote {
            sources: config.providers.iter().map(source).collect(),
            bundle: config.bundle.as_ref().map(FetchedBundle::new),
            upload: log(config).map(Upload::new),
            log_id: None,
            faults: Vec::new(),
            latest: 0,
            last_id: 0,
            counts: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }

    /// The provider's key set that was fetched, for as long as it serves.
    pub fn keys(&self, provider: usize, now: u64) -> Option<Arc<KeySet>> {
        match self.sources.get(provider)? {
            Source::Keys(keys) => keys.current(now),
            _ => None,
        }
    }

    /// What the provider's server said of a token.
    pub fn word(&mut self, provider: usize, digest: &Digest, since: u64, now: u64) -> Option<Word> {
        match self.sources.get_mut(provider)? {
            Source::Introspected(introspected) => introspected.word(digest, since, now),
            _ => None,
        }
    }

    /// Has what is lacking fetched, for a request that came at `since`.
    pub fn want(&mut self, want: &Want, since: u64, now: u64) -> Outlook {
        let deadline = since.saturating_add(MAX_WAIT_NS);
        let coming = |comes: bool| match comes {
            true => Outlook::Coming,
            false => Outlook::Failing,
        };
        match (self.sources.get_mut(want.provider()), want) {
            (Some(Source::Keys(keys)), Want::Keys { .. }) => {
                coming(keys.schedule().is_coming(deadline))
            }
            (Some(Source::Keys(keys)), Want::NewerKeys { .. }) => {
                keys.schedule_mut().want_newer(since, now, deadline)
            }
            (Some(Source::Introspected(introspected)), Want::Word { digest, token, .. }) => {
                coming(introspected.want(*digest, token))
            }
            _ => Outlook::Settled,
        }
    }

    /// Changes when something has become of what is lacking.
    pub fn mark(&self, want: &Want) -> u64 {
        match (self.sources.get(want.provider()), want) {
            (Some(Source::Keys(keys)), _) => keys.schedule().ended(),
            (Some(Source::Introspected(introspected)), Want::Word { digest, .. }) => {
                u64::from(!introspected.is_open(digest))
            }
            _ => 0,
        }
    }

    /// Where the clock was set back, what was measured by the old one moves with it: else keys and
    /// answers would serve for as long again.
    pub fn tell_time(&mut self, now: u64) {
        let by = self.latest.saturating_sub(now);
        self.latest = now;
        // Clocks of several cores may differ by a little.
        if by < 1_000_000_000 {
            self.latest = self.latest.saturating_add(by);
            return;
        }
        for source in &mut self.sources {
            match source {
                Source::Inline => {}
                Source::Keys(keys) => keys.schedule_mut().set_back(by),
                Source::Introspected(introspected) => introspected.set_back(by),
            }
        }
        if let Some(bundle) = &mut self.bundle {
            bundle.set_back(by);
            bundle.report.set_back(by);
        }
        if let Some(upload) = &mut self.upload {
            upload.set_back(by);
        }
    }

    /// The calls that are due.
    pub fn calls(&mut self, config: &Config, now: u64, random: u64) -> Vec<Call> {
        self.tell_time(now);
        let mut calls = Vec::new();
        let last_id = &mut self.last_id;
        let mut next_id = || {
            *last_id = last_id.wrapping_add(1);
            CallId(*last_id)
        };
        for (source, provider) in self.sources.iter_mut().zip(&config.providers) {
            match (source, &provider.proof) {
                (Source::Keys(keys), Proof::Signature(KeySource::Fetched(plan))) => {
                    if let Some(call) = keys.call(plan, now, random, next_id()) {
                        count(&mut self.counts, counter::JWKS_FETCHES, 1);
                        calls.push(call);
                    }
                }
                (Source::Introspected(introspected), Proof::Introspection(config)) => {
                    let due = introspected.calls(config, now, &mut next_id);
                    let number = u64::try_from(due.len()).unwrap_or(u64::MAX);
                    count(&mut self.counts, counter::INTROSPECTION_CALLS, number);
                    calls.extend(due);
                }
                _ => {}
            }
        }
        if let (Some(bundle), Some(config)) = (&mut self.bundle, &config.bundle) {
            let (call, fault) = bundle.call(config, now, random, next_id());
            if call.is_some() {
                count(&mut self.counts, counter::BUNDLE_FETCHES, 1);
            }
            if let Some(what) = fault {
                count(&mut self.counts, counter::BUNDLE_DOWNLOAD_FAILURES, 1);
                self.faults.push(of_bundle(what));
            }
            calls.extend(call);
            if let Some(to) = &config.status {
                calls.extend(bundle.report.call(config, to, now, random, next_id()));
            }
        }
        if let (Some(upload), Some(config)) = (&mut self.upload, log(config)) {
            let counts = &mut self.counts;
            let (uploads, told) = upload.calls(config, now, random, &mut next_id, counts);
            self.faults.extend(told.into_iter().map(of_log));
            calls.extend(uploads);
        }
        calls
    }

    /// What went wrong beside the answers, since it was asked last.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    /// Counts what became of a bundle.
    pub fn count(&mut self, name: &'static str) {
        count(&mut self.counts, name, 1);
    }

    /// Takes what came of a call; an answer to one that was given up changes nothing.
    pub fn answered(
        &mut self,
        config: &Config,
        id: CallId,
        answer: Answer,
        now: u64,
        random: u64,
    ) -> Option<Fault> {
        self.tell_time(now);
        if let (Some(upload), Some(config)) = (&mut self.upload, log(config))
            && let Some(told) =
                upload.was_answered(config, id, &answer, now, random, &mut self.counts)
        {
            return told.map(of_log);
        }
        match self.of_provider(config, id, &answer, now, random) {
            Some(settled) => settled,
            None => self.of_bundle(config, id, answer, now, random),
        }
    }

    /// What came of it, where it was the answer to a call for a provider.
    fn of_provider(
        &mut self,
        config: &Config,
        id: CallId,
        answer: &Answer,
        now: u64,
        random: u64,
    ) -> Option<Option<Fault>> {
        for (source, provider) in self.sources.iter_mut().zip(&config.providers) {
            let what = match (source, &provider.proof) {
                (Source::Keys(keys), Proof::Signature(KeySource::Fetched(plan))) => {
                    let of = (provider.issuer.as_str(), provider.algorithms.as_slice());
                    match keys.answered(id, answer, plan, of, now, random) {
                        Outcome::NotMine => continue,
                        Outcome::GoesOn => return Some(None),
                        Outcome::Set { unusable } => {
                            let gauge = words::jwks_fetched_at(&provider.name);
                            self.times.insert(gauge, seconds(now));
                            count(&mut self.counts, counter::JWKS_UNUSABLE_KEYS, unusable);
                            return Some(None);
                        }
                        Outcome::Failed(fault) => {
                            count(&mut self.counts, counter::JWKS_FAILURES, 1);
                            fault
                        }
                    }
                }
                (Source::Introspected(introspected), Proof::Introspection(config)) => {
                    match introspected.answered(id, answer, (provider, config), now) {
                        None => continue,
                        Some(Ok(())) => return Some(None),
                        Some(Err(fault)) => {
                            count(&mut self.counts, counter::INTROSPECTION_FAILURES, 1);
                            fault
                        }
                    }
                }
                _ => continue,
            };
            let member = match provider.proof {
                Proof::Signature(_) => "jwks",
                Proof::Introspection(_) => "introspection",
            };
            return Some(Some(Fault {
                path: format!("jwt.providers.{}.{member}", provider.name),
                what,
            }));
        }
        None
    }

    /// What went wrong with a provider's last call.
    pub fn fault(&self, provider: usize) -> Option<&str> {
        match self.sources.get(provider)? {
            Source::Keys(keys) => keys.fault.as_deref(),
            _ => None,
        }
    }

    /// When there is a call to make, or one to give up; `None` where nothing is ever fetched.
    pub fn next(&self) -> Option<u64> {
        let next = |source: &Source| match source {
            Source::Inline => None,
            Source::Keys(keys) => Some(keys.next()),
            Source::Introspected(introspected) => introspected.next(),
        };
        let bundle = self.bundle.iter();
        let bundle = bundle
            .flat_map(|it| [it.next(), it.report.next()])
            .flatten();
        let upload = self.upload.as_ref().and_then(Upload::next);
        let sources = self.sources.iter().filter_map(next);
        sources.chain(bundle).chain(upload).min()
    }

    /// What was fetched since it was asked last: when, in seconds since the Unix epoch, by the gauges' names.
    pub fn take_times(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.times)
    }

    /// What was counted since it was asked last, by the counters' names.
    pub fn take_counts(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.counts)
    }
}

/// The path of its field.
const BUNDLE: &str = "policy.bundle";

fn seconds(ns: u64) -> u64 {
    ns.checked_div(1_000_000_000).unwrap_or(0)
}

fn of_bundle(what: String) -> Fault {
    Fault {
        path: BUNDLE.to_owned(),
        what,
    }
}

fn of_log(what: String) -> Fault {
    Fault {
        path: "decision_log".to_owned(),
        what,
    }
}

/// Where events are uploaded.
fn log(config: &Config) -> Option<&decision_log::Upload> {
    config.decision_log.as_ref()?.upload.as_ref()
}

fn count(counts: &mut BTreeMap<&'static str, u64>, name: &'static str, by: u64) {
    if by > 0 {
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(by);
    }
}
