//! The policy's bundle, as OPA's downloader asks for it (`v1/download/download.go`): with the `ETag` of
//! the one that is active, at moments that are spread, and where the server can do so with an answer
//! that comes when there is something new (`Prefer: wait`, RFC 7240 section 4.3).

use super::{
    call::{Answer, Call, CallId},
    report::Report,
    schedule::{Bucket, backoff, between, given_up_at, nanoseconds},
};
use crate::config::bundle::Bundle;
use std::time::Duration;

pub struct FetchedBundle {
    /// Of the bundle that is active.
    etag: Option<String>,
    /// What is under way, and when it is given up.
    call: Option<(CallId, u64)>,
    /// When it was asked for last.
    asked_at: u64,
    /// When it is asked for next.
    next: u64,
    failures: u32,
    /// Whether the server holds its answers back until there is something new.
    holds_back: bool,
    stage: Stage,
    pub report: Report,
    /// How often it is asked for again at once, where the server is to hold its answer back.
    at_once: Bucket,
}

enum Stage {
    Idle,
    /// It has come, and waits to be looked at.
    Arrived(Arrived),
    /// Somebody looks at it.
    Open,
}

/// A bundle as it came, which nobody has looked at.
pub struct Arrived {
    pub bytes: Vec<u8>,
    pub etag: Option<String>,
}

/// What came of an answer.
pub enum Came {
    Bundle,
    /// There is none but the active one.
    Unchanged,
    Failed(String),
}

/// The media type by which a server says that it can hold answers back.
const LONG: &[u8] = b"application/vnd.openpolicyagent.bundles";

/// What of an entity tag is sent back; a server that makes longer ones is asked without.
const MAX_ETAG: usize = 1024;

impl FetchedBundle {
    pub fn new(config: &Bundle) -> FetchedBundle {
        FetchedBundle {
            etag: None,
            call: None,
            asked_at: 0,
            next: 0,
            failures: 0,
            // Until an answer says otherwise, as OPA begins.
            holds_back: true,
            stage: Stage::Idle,
            report: Report::new(config.status.is_some()),
            at_once: Bucket::new(),
        }
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: u64) {
        self.next = self.next.saturating_sub(by);
        self.at_once.set_back(by);
        self.asked_at = self.asked_at.saturating_sub(by);
        if let Some((_, until)) = &mut self.call {
            *until = until.saturating_sub(by);
        }
    }

    /// When there is something to do; `None` while a bundle is looked at.
    pub fn next(&self) -> Option<u64> {
        match (&self.stage, self.call) {
            (_, Some((_, until))) => Some(until),
            (Stage::Idle, None) => Some(self.next),
            _ => None,
        }
    }

    /// The call that is due. Where the host never answered the last one, also what went wrong.
    pub fn call(
        &mut self,
        config: &Bundle,
        now: u64,
        random: u64,
        id: CallId,
    ) -> (Option<Call>, Option<String>) {
        let lost = self.call.take_if(|(_, until)| *until <= now);
        let fault = lost.map(|_| self.fail(config, "the host never answered", None, now, random));
        let is_due = self.call.is_none() && matches!(self.stage, Stage::Idle) && self.next <= now;
        if !is_due {
            return (None, fault);
        }
        let long = config.poll.long.filter(|_| self.holds_back);
        let timeout = config
            .timeout
            .saturating_add(long.unwrap_or(Duration::ZERO));
        let mut prefer = "modes=snapshot,delta".to_owned();
        if let Some(long) = long {
            prefer.push_str(&format!(";wait={}", long.as_secs()));
        }
        let mut call = Call::get(id, &config.endpoint, timeout);
        call.accept(
            "application/gzip, application/octet-stream, application/vnd.openpolicyagent.bundles",
        );
        call.add("prefer", prefer);
        if let Some(etag) = &self.etag {
            call.add("if-none-match", etag.clone());
        }
        if let Some(token) = &config.token {
            call.authorize(token);
        }
        call.max_body = config.rules.limits.packed;
        self.call = Some((id, given_up_at(now, timeout)));
        self.asked_at = now;
        self.report.asked(now);
        (Some(call), fault)
    }

    /// `None` where it was the answer to another call.
    pub fn answered(
        &mut self,
        id: CallId,
        answer: Answer,
        config: &Bundle,
        now: u64,
        random: u64,
    ) -> Option<Came> {
        self.call.take_if(|(own, _)| *own == id)?;
        let status = answer.status();
        let etag = answer.header("etag").filter(|etag| {
            // It is sent back as it came.
            etag.len() <= MAX_ETAG && etag.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        });
        Some(match (status, answer) {
            (Some(304), _) if self.etag.is_some() => {
                // Of what it has not sent there is no tag to go by.
                if etag.is_some() && etag != self.etag {
                    self.etag = None;
                }
                self.failures = 0;
                self.report.answered(now);
                self.later(false, config, now, random);
                Came::Unchanged
            }
            (Some(200), Answer::Response { headers, body })
                if body.len() <= config.rules.limits.packed =>
            {
                let kind = headers.iter().find(|(name, _)| name == "content-type");
                self.holds_back = kind.is_some_and(|(_, kind)| kind == LONG);
                self.report.came(now, body.len());
                self.stage = Stage::Arrived(Arrived { bytes: body, etag });
                Came::Bundle
            }
            (status, _) => {
                let what = match status {
                    Some(200) | None => format!(
                        "there was no answer, or one of more than {} bytes",
                        config.rules.limits.packed
                    ),
                    Some(status) => format!("the answer has status {status}"),
                };
                Came::Failed(self.fail(config, &what, status, now, random))
            }
        })
    }

    /// What has come, for somebody who then says what became of it.
    pub fn take(&mut self) -> Option<Arrived> {
        match std::mem::replace(&mut self.stage, Stage::Open) {
            Stage::Arrived(arrived) => Some(arrived),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub fn has_arrived(&self) -> bool {
        matches!(self.stage, Stage::Arrived(_))
    }

    /// The server is to send all of it, whatever is active.
    pub fn forget_etag(&mut self) {
        self.etag = None;
    }

    /// It is the active one, sent once more: `etag` is its own.
    pub fn is_same(&mut self, etag: Option<String>, config: &Bundle, now: u64, random: u64) {
        self.report.answered(now);
        self.took(etag, config, now, random);
    }

    /// It is active now: `etag` is its own.
    pub fn took(&mut self, etag: Option<String>, config: &Bundle, now: u64, random: u64) {
        let is_new = etag.is_some() && etag != self.etag;
        self.etag = etag;
        self.failures = 0;
        self.stage = Stage::Idle;
        self.later(is_new, config, now, random);
    }

    /// It cannot be used, and the one before goes on. The server may have another soon.
    pub fn refused(&mut self, config: &Bundle, now: u64, random: u64) {
        self.stage = Stage::Idle;
        self.failures = self.failures.saturating_add(1);
        self.retry(config, now, random);
    }

    fn fail(
        &mut self,
        config: &Bundle,
        what: &str,
        status: Option<u16>,
        now: u64,
        random: u64,
    ) -> String {
        let fault = config.endpoint.asked(what);
        self.failures = self.failures.saturating_add(1);
        self.report.failed(&fault, status);
        self.retry(config, now, random);
        fault
    }

    fn retry(&mut self, config: &Bundle, now: u64, random: u64) {
        let most = nanoseconds(config.poll.max);
        let wait = backoff(self.failures.saturating_sub(1), most, random);
        self.next = now.saturating_add(wait);
    }

    fn later(&mut self, is_new: bool, config: &Bundle, now: u64, random: u64) {
        let (min, max) = (nanoseconds(config.poll.min), nanoseconds(config.poll.max));
        // The server waits, not we. One that only says so is not asked all the time: what comes before
        // its time is another bundle, or the word of a server that does not wait.
        let waits = |long: Duration| {
            let held = now.saturating_sub(self.asked_at);
            held.saturating_mul(2) >= nanoseconds(long)
        };
        let long = config.poll.long.filter(|_| self.holds_back);
        let at_once = long.is_some_and(|long| waits(long) || (is_new && self.at_once.take(now)));
        self.next = match at_once {
            true => now,
            false => now.saturating_add(between(min, max, random)),
        };
    }
}
