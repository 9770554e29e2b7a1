//! What became of a bundle, for logs.

use crate::words::counter;
use std::{fmt, time::Duration};

#[derive(Debug)]
pub enum Event {
    Activated(Activated),
    Refused(Refused),
    /// One of the two, of the bundle of the policy that is tried.
    OfCandidate(Box<Event>),
}

impl Event {
    /// The path of the field that the bundle is of.
    pub fn path(&self) -> &'static str {
        match self {
            Event::Activated(_) | Event::Refused(_) => "policy.bundle",
            Event::OfCandidate(_) => "policy.candidate.bundle",
        }
    }

    /// Whether a bundle is refused.
    pub fn is_refusal(&self) -> bool {
        match self {
            Event::Activated(_) => false,
            Event::Refused(_) => true,
            Event::OfCandidate(event) => event.is_refusal(),
        }
    }
}

/// A bundle that decides from now on.
#[derive(Debug)]
pub struct Activated {
    pub revision: String,
    /// The revision before, of a bundle.
    pub previous: Option<String>,
    /// The id of the key whose signature it has; `None` where nobody asked.
    pub signer: Option<String>,
    /// `snapshot` or `delta`.
    pub kind: &'static str,
    /// As it came, in bytes.
    pub size: usize,
    /// The sequence that its manifest says, or its time in seconds since the Unix epoch.
    pub order: Option<u64>,
    /// From its arrival.
    pub took: Duration,
    /// How many times requests had to wait for it, and how long at most.
    pub slices: u32,
    pub longest: Duration,
    /// What a gate may begin with that is configured anew: the bundle as it came, or nothing. `None`
    /// where what was kept before may stay.
    pub keep: Option<Vec<u8>>,
}

/// Why a bundle does not decide.
#[derive(Clone, Debug)]
pub struct Refused {
    pub step: Step,
    pub what: String,
    /// What it changes is not what is there.
    pub(crate) is_of_delta: bool,
}

/// On which step of its way something was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Unpack,
    Verify,
    Parse,
    /// It is older than the active one, or changes another.
    Order,
    /// Its policy does not pass the load checks, or its API keys are none.
    Load,
    /// Of its own tests.
    Test,
}

impl Step {
    pub const fn name(self) -> &'static str {
        match self {
            Step::Unpack => "unpack",
            Step::Verify => "verify",
            Step::Parse => "parse",
            Step::Order => "order",
            Step::Load => "load",
            Step::Test => "test",
        }
    }

    pub const fn counter(self) -> &'static str {
        match self {
            Step::Unpack => counter::BUNDLE_UNPACK_FAILURES,
            Step::Verify => counter::BUNDLE_VERIFY_FAILURES,
            Step::Parse => counter::BUNDLE_PARSE_FAILURES,
            Step::Order => counter::BUNDLE_ORDER_FAILURES,
            Step::Load => counter::BUNDLE_LOAD_FAILURES,
            Step::Test => counter::BUNDLE_TEST_FAILURES,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Activated(it) => it.fmt(f),
            Event::Refused(it) => it.fmt(f),
            Event::OfCandidate(it) => it.fmt(f),
        }
    }
}

impl fmt::Display for Activated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision `{}` is active", self.revision)?;
        match &self.previous {
            Some(previous) => write!(f, " in place of `{previous}`")?,
            None => f.write_str(", the first")?,
        }
        match &self.signer {
            Some(signer) => write!(f, ", signed by `{signer}`")?,
            None => f.write_str(", not verified")?,
        }
        write!(
            f,
            ": a {} of {} bytes, {} ms after it came, in {} slices of {:.1} ms at most",
            self.kind,
            self.size,
            self.took.as_millis(),
            self.slices,
            self.longest.as_secs_f64() * 1e3,
        )
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused ({}): {}", self.step.name(), self.what)
    }
}
