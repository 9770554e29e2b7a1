//! When something is fetched: ahead of its expiry, again after a failure, and sooner where somebody
//! needs what may be new. Times are nanoseconds since the Unix epoch.

use crate::config::remote::Timing;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// A call that a host never answers is given up this long after its timeout.
const GRACE: u64 = 5 * SECOND;

/// What a server may shorten the interval to, so that it cannot ask for a flood.
const LEAST_INTERVAL: u64 = 30 * SECOND;

const LONGEST_BACKOFF: u64 = 60 * SECOND;

pub struct Schedule {
    refresh: u64,
    timeout: Duration,
    stale_for: u64,
    bucket: Bucket,
    /// What is fetched now: when it was asked for, and when it is given up.
    flight: Option<(u64, u64)>,
    /// When it is fetched next, whoever asks.
    next: u64,
    /// Somebody needs one that is newer.
    wanted: bool,
    failures: u32,
    good: Option<Good>,
    /// How many fetches have come to an end.
    ended: u64,
}

/// What becomes of something that a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It is on its way.
    Coming,
    /// It cannot be had now, though it may be there.
    Failing,
    /// There is no more than there is.
    Settled,
}

impl Outlook {
    /// The better of two.
    pub fn better(self, other: Outlook) -> Outlook {
        match (self, other) {
            (Outlook::Coming, _) | (_, Outlook::Coming) => Outlook::Coming,
            (Outlook::Failing, _) | (_, Outlook::Failing) => Outlook::Failing,
            _ => Outlook::Settled,
        }
    }
}

/// The last that could be used.
#[derive(Clone, Copy)]
struct Good {
    asked_at: u64,
    stale_at: u64,
}

impl Schedule {
    /// Due at once.
    pub fn new(timing: &Timing) -> Schedule {
        Schedule {
            refresh: nanoseconds(timing.refresh),
            timeout: timing.timeout,
            stale_for: nanoseconds(timing.stale_for),
            bucket: Bucket::new(),
            flight: None,
            next: 0,
            wanted: false,
            failures: 0,
            good: None,
            ended: 0,
        }
    }

    /// The clock was set back by so much: what was measured by the old one moves with it.
    pub fn set_back(&mut self, by: u64) {
        let back = |at: &mut u64| *at = at.saturating_sub(by);
        back(&mut self.next);
        self.bucket.set_back(by);
        if let Some((asked_at, until)) = &mut self.flight {
            back(asked_at);
            back(until);
        }
        if let Some(good) = &mut self.good {
            back(&mut good.asked_at);
            back(&mut good.stale_at);
        }
    }

    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether what was fetched last still serves: stale as it may be, for a while (RFC 5861
    /// section 4).
    pub fn serves(&self, now: u64) -> bool {
        self.good
            .is_some_and(|good| now < good.stale_at.saturating_add(self.stale_for))
    }

    /// Whether there will be one, or an end to trying, by the deadline.
    pub fn is_coming(&self, deadline: u64) -> bool {
        self.flight.is_some() || self.wanted || self.next < deadline
    }

    /// Asks for one that is newer than what `since` could know. There is none to be had where what
    /// there is, is newer already, or too many have asked.
    pub fn want_newer(&mut self, since: u64, now: u64, deadline: u64) -> Outlook {
        if self.good.is_some_and(|good| good.asked_at >= since) {
            return Outlook::Settled;
        }
        let is_failing = self.failures > 0;
        if self.flight.is_some() || self.wanted || (is_failing && self.next < deadline) {
            return Outlook::Coming;
        }
        self.wanted = self.bucket.take(now);
        match (self.wanted, is_failing) {
            (true, _) => Outlook::Coming,
            (false, true) => Outlook::Failing,
            (false, false) => Outlook::Settled,
        }
    }

    pub fn is_due(&self, now: u64) -> bool {
        self.flight.is_none() && (self.wanted || self.next <= now)
    }

    /// Whether it is fetched only because somebody needs a newer one.
    pub fn is_out_of_turn(&self, now: u64) -> bool {
        self.wanted && self.next > now && self.failures == 0
    }

    pub fn begin(&mut self, now: u64) {
        self.wanted = false;
        self.flight = Some((now, self.given_up_at(now)));
    }

    /// The same fetch takes another call.
    pub fn go_on(&mut self, now: u64) {
        let given_up_at = self.given_up_at(now);
        if let Some((_, until)) = &mut self.flight {
            *until = given_up_at;
        }
    }

    fn given_up_at(&self, now: u64) -> u64 {
        given_up_at(now, self.timeout)
    }

    /// Whether the host forgot the call.
    pub fn is_lost(&self, now: u64) -> bool {
        self.flight.is_some_and(|(_, until)| until <= now)
    }

    /// `max_age` is the answer's own, in seconds.
    pub fn succeeded(&mut self, now: u64, max_age: Option<u64>, random: u64) {
        let interval = max_age.map_or(self.refresh, |seconds| {
            let least = LEAST_INTERVAL.min(self.refresh);
            seconds.saturating_mul(SECOND).clamp(least, self.refresh)
        });
        let asked_at = self.flight.take().map_or(now, |(asked_at, _)| asked_at);
        self.ended = self.ended.wrapping_add(1);
        self.good = Some(Good {
            asked_at,
            stale_at: now.saturating_add(interval),
        });
        self.failures = 0;
        // Ahead of its time, and not all workers at once.
        self.next = now.saturating_add(between(part(interval, 5), interval, random));
    }

    pub fn failed(&mut self, now: u64, random: u64) {
        self.flight = None;
        self.ended = self.ended.wrapping_add(1);
        let wait = backoff(self.failures, LONGEST_BACKOFF, random);
        self.failures = self.failures.saturating_add(1);
        self.next = now.saturating_add(wait);
    }

    /// When there is something to do.
    pub fn next(&self) -> u64 {
        match self.flight {
            Some((_, until)) => until,
            None if self.wanted => 0,
            None => self.next,
        }
    }
}

/// How long to wait after so many failures before this one: a second, doubled up to `most`, and not all
/// workers at once.
pub fn backoff(failures: u32, most: u64, random: u64) -> u64 {
    let doubled = SECOND.checked_shl(failures.min(16)).unwrap_or(most);
    let wait = doubled.min(most);
    between(part(wait, 2), wait, random)
}

/// All but one of so many parts.
fn part(whole: u64, parts: u64) -> u64 {
    whole.saturating_sub(whole.checked_div(parts).unwrap_or(0))
}

/// Some moment from the least to the most.
pub fn between(least: u64, most: u64, random: u64) -> u64 {
    let room = most.saturating_sub(least).saturating_add(1);
    least.saturating_add(random.checked_rem(room).unwrap_or(0))
}

/// When a host is taken to have forgotten a call that was made now.
pub fn given_up_at(now: u64, timeout: Duration) -> u64 {
    now.saturating_add(nanoseconds(timeout))
        .saturating_add(GRACE)
}

pub fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Three at once, then one in ten seconds.
pub struct Bucket {
    tokens: u64,
    /// Since when the next one grows.
    since: u64,
}

impl Bucket {
    const SIZE: u64 = 3;
    const EACH: u64 = 10 * SECOND;

    pub fn new() -> Bucket {
        Bucket {
            tokens: Bucket::SIZE,
            since: 0,
        }
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: u64) {
        self.since = self.since.saturating_sub(by);
    }

    pub fn take(&mut self, now: u64) -> bool {
        let grown = now
            .saturating_sub(self.since)
            .checked_div(Bucket::EACH)
            .unwrap_or(0);
        if self.tokens.saturating_add(grown) >= Bucket::SIZE {
            self.tokens = Bucket::SIZE;
            self.since = now;
        } else {
            self.tokens = self.tokens.saturating_add(grown);
            self.since = self
                .since
                .saturating_add(grown.saturating_mul(Bucket::EACH));
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}
