//! Events on their way to a server that takes OPA's decision logs: one batch at a time, again where the
//! server was not there, and never at the cost of a request. A gate that goes away sends what it has at
//! once: its host may not wait for answers.

use super::{
    call::{Answer, Call, CallId},
    schedule::{backoff, given_up_at, nanoseconds},
};
use crate::{
    config::decision_log::Upload as Config,
    crypto,
    decision_log::buffer::{Buffer, Pushed},
    words::counter,
};
use std::collections::BTreeMap;

type Counts = BTreeMap<&'static str, u64>;

/// What waits, and what is under way.
pub struct Upload {
    buffer: Buffer,
    /// When what waits goes, however little it is.
    due: Option<u64>,
    /// What is under way, and when it is given up.
    calls: BTreeMap<CallId, u64>,
    /// Whether a server has taken anything yet.
    has_uploaded: bool,
    failures: u32,
    /// How often in a row the server said no to who asks it, rather than to what it was sent.
    refusals: u32,
    /// Not before: what failed is tried again then.
    retry_at: u64,
    /// What was told of the last failure, and when; nothing once an upload has succeeded.
    told: Option<(String, u64)>,
    /// What went for which reason, and was not told yet; and when that was told last.
    dropped: BTreeMap<&'static str, u64>,
    dropped_told: Option<u64>,
    /// The gate is going away: what waits goes now, until then.
    ends_at: Option<u64>,
    has_ended: bool,
}

/// What fails is tried again at least this often.
const LONGEST_BACKOFF: u64 = 60_000_000_000;
/// So many of those in a row are one of the batch after all: some minutes, with the pauses between them.
const MOST_REFUSALS: u32 = 10;
/// The first events wait no longer than this: whoever sets a gate up sees that they come, and there is a
/// connection over which the last ones go, where a host ends without waiting for another.
const FIRST: u64 = 1_000_000_000;
/// How often the same thing is told.
const TOLD_EVERY: u64 = 60_000_000_000;
/// Of calls that are under way then.
const MOST_AT_THE_END: usize = 64;
/// How long a gate that goes away takes to send what waits.
pub const LAST: u64 = 5_000_000_000;

impl Upload {
    pub fn new(config: &Config) -> Upload {
        Upload {
            buffer: Buffer::new(config.max_batch, config.buffer),
            due: None,
            calls: BTreeMap::new(),
            has_uploaded: false,
            failures: 0,
            refusals: 0,
            retry_at: 0,
            told: None,
            dropped: BTreeMap::new(),
            dropped_told: None,
            ends_at: None,
            has_ended: false,
        }
    }

    /// Adds an event; `smaller` is the same with less in it, where it is too large. False where nothing is
    /// uploaded any more.
    pub fn push(
        &mut self,
        config: &Config,
        event: &str,
        smaller: impl FnOnce() -> String,
        now: u64,
        counts: &mut Counts,
    ) -> bool {
        if self.has_ended {
            return false;
        }
        if self.buffer.is_empty() {
            self.due = None;
        }
        let mut pushed = self.buffer.push(event.as_bytes());
        if pushed == Pushed::TooLarge {
            pushed = self.buffer.push(smaller().as_bytes());
        }
        match pushed {
            Pushed::Waits { dropped } => {
                self.drop(counter::LOG_DROPPED_BUFFER, dropped, counts);
                let longest = match self.has_uploaded {
                    true => u64::MAX,
                    false => FIRST,
                };
                let wait = nanoseconds(config.interval).min(longest);
                self.due.get_or_insert(now.saturating_add(wait));
            }
            Pushed::TooLarge => self.drop(counter::LOG_DROPPED_SIZE, 1, counts),
        }
        true
    }

    fn drop(&mut self, cause: &'static str, events: u64, counts: &mut Counts) {
        if events > 0 {
            super::count(counts, cause, events);
            let dropped = self.dropped.entry(cause).or_default();
            *dropped = dropped.saturating_add(events);
        }
    }

    /// The clock was set back.
    pub fn set_back(&mut self, by: u64) {
        let back = |at: &mut u64| *at = at.saturating_sub(by);
        back(&mut self.retry_at);
        self.due.iter_mut().for_each(back);
        self.calls.values_mut().for_each(back);
        self.told.iter_mut().for_each(|(_, at)| back(at));
        self.dropped_told.iter_mut().for_each(back);
        self.ends_at.iter_mut().for_each(back);
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<u64> {
        let tells = (!self.dropped.is_empty()).then(|| self.tells_at());
        let sends = match self.calls.values().min() {
            Some(until) => Some(*until),
            None if self.buffer.is_empty() || self.has_ended => None,
            None if self.goes_now() => Some(self.retry_at),
            None => self.due.map(|due| due.max(self.retry_at)),
        };
        sends.into_iter().chain(tells).chain(self.ends_at).min()
    }

    fn goes_now(&self) -> bool {
        self.buffer.has_full() || self.ends_at.is_some()
    }

    fn tells_at(&self) -> u64 {
        let told = self.dropped_told;
        told.map_or(0, |told| told.saturating_add(TOLD_EVERY))
    }

    /// The uploads that are due, and what to say, at most once in a while.
    pub fn calls(
        &mut self,
        config: &Config,
        now: u64,
        random: u64,
        next_id: &mut dyn FnMut() -> CallId,
        counts: &mut Counts,
    ) -> (Vec<Call>, Vec<String>) {
        let mut faults = Vec::new();
        // The host forgot them.
        let lost = self.calls.iter().filter(|(_, until)| **until <= now);
        for id in lost.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.calls.remove(&id);
            faults.extend(self.failed(config, id, "there was no answer", (now, random), counts));
        }
        faults.extend(self.tell_dropped(now));
        let most = match self.ends_at {
            None => 1,
            Some(_) => MOST_AT_THE_END,
        };
        let mut calls = Vec::new();
        if self.has_ended || now < self.retry_at {
            return (calls, faults);
        }
        if self.ends_at.is_some() || self.due.is_some_and(|due| due <= now) {
            self.buffer.close();
            self.due = None;
        }
        while self.calls.len() < most {
            let id = next_id();
            let Some(batch) = self.buffer.take(id) else {
                break;
            };
            let mut call = Call::new(id, "POST", &config.endpoint, config.timeout);
            call.add("content-type", "application/json".to_owned());
            call.add("content-encoding", "gzip".to_owned());
            if let Some(token) = &config.token {
                call.authorize(token);
            }
            call.body = batch.bytes.clone();
            self.calls.insert(id, given_up_at(now, config.timeout));
            calls.push(call);
        }
        (calls, faults)
    }

    /// Whether it was the answer to an upload, and what to say of it.
    pub fn was_answered(
        &mut self,
        config: &Config,
        id: CallId,
        answer: &Answer,
        now: u64,
        random: u64,
        counts: &mut Counts,
    ) -> Option<Option<String>> {
        self.calls.remove(&id)?;
        Some(match answer.status() {
            Some(200..=299) => {
                let events = self.buffer.forget(id);
                super::count(counts, counter::LOG_UPLOADED, events);
                super::count(counts, counter::LOG_UPLOADS, 1);
                self.succeeded()
            }
            Some(status) if self.is_refused_for_good(status) => {
                let events = self.buffer.forget(id);
                self.drop(counter::LOG_DROPPED_REFUSED, events, counts);
                super::count(counts, counter::LOG_UPLOAD_FAILURES, 1);
                self.failures = 0;
                self.refusals = 0;
                self.retry_at = 0;
                let what = format!("the answer has status {status}, so its events are dropped");
                self.say(config.endpoint.asked(&what), now)
            }
            Some(status) => {
                let what = format!("the answer has status {status}");
                self.failed(config, id, &what, (now, random), counts)
            }
            None => self.failed(config, id, "there was no answer", (now, random), counts),
        })
    }

    /// Whether the same batch need not be sent again. Who asks, where, and when may be set right until the next
    /// time (a token that is not rotated everywhere yet, a route that is not there yet); but no batch stands in the
    /// way of all others for good. What is refused at the end is left to be written elsewhere.
    fn is_refused_for_good(&mut self, status: u16) -> bool {
        match status {
            400 | 413 | 415 | 422 => true,
            408 | 429 | 500.. => {
                self.refusals = 0;
                false
            }
            _ => {
                self.refusals = self.refusals.saturating_add(1);
                self.refusals >= MOST_REFUSALS && self.ends_at.is_none()
            }
        }
    }

    fn succeeded(&mut self) -> Option<String> {
        self.has_uploaded = true;
        self.failures = 0;
        self.refusals = 0;
        self.retry_at = 0;
        self.told.take()?;
        Some("events are uploaded again".to_owned())
    }

    fn failed(
        &mut self,
        config: &Config,
        id: CallId,
        what: &str,
        (now, random): (u64, u64),
        counts: &mut Counts,
    ) -> Option<String> {
        self.buffer.put_back(id);
        super::count(counts, counter::LOG_UPLOAD_FAILURES, 1);
        let wait = backoff(self.failures, LONGEST_BACKOFF, random);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.saturating_add(wait);
        self.say(config.endpoint.asked(&format!("{what}; events wait")), now)
    }

    /// Once for each state, and again after a while.
    fn say(&mut self, what: String, now: u64) -> Option<String> {
        if let Some((told, at)) = &self.told
            && *told == what
            && now < at.saturating_add(TOLD_EVERY)
        {
            return None;
        }
        self.told = Some((what.clone(), now));
        Some(what)
    }

    fn tell_dropped(&mut self, now: u64) -> Option<String> {
        if self.dropped.is_empty() || now < self.tells_at() {
            return None;
        }
        self.dropped_told = Some(now);
        let dropped = std::mem::take(&mut self.dropped);
        let parts = dropped.iter().map(|(cause, events)| {
            let cause = cause.rsplit('.').next().unwrap_or_default();
            format!("{events} ({cause})")
        });
        let parts: Vec<String> = parts.collect();
        Some(format!("events were dropped: {}", parts.join(", ")))
    }

    /// The gate goes away: what waits goes now, for as long as [`LAST`]. False where nothing waits.
    pub fn end(&mut self, now: u64) -> bool {
        if self.has_ended || self.is_idle() {
            self.has_ended = true;
            return false;
        }
        // Once more, whatever came of it before.
        self.retry_at = 0;
        self.ends_at.get_or_insert(now.saturating_add(LAST));
        true
    }

    /// Whether nothing more is sent.
    pub fn has_ended(&mut self, now: u64) -> bool {
        let is_late = self.ends_at.is_some_and(|at| at <= now);
        self.has_ended |= self.ends_at.is_some() && (self.is_idle() || is_late);
        self.has_ended
    }

    fn is_idle(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What could not be sent, each event as it came.
    pub fn leave(&mut self) -> Vec<String> {
        self.has_ended = true;
        self.ends_at = None;
        self.calls.clear();
        let left = self.buffer.drain().into_iter();
        left.filter_map(|event| String::from_utf8(event).ok())
            .collect()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
#[path = "upload_tests.rs"]
mod tests;

/// Names one worker's gate among all that upload, by something that none of the others has.
pub fn instance(seed: &str) -> String {
    let [a, b, c, d, e, f, g, h, ..] = crypto::sha256(seed.as_bytes());
    base16ct::lower::encode_string(&[a, b, c, d, e, f, g, h])
}
