//! What is done about a decision once it holds: the candidate is asked the same, and logs are told. Nothing
//! here can change an answer.

use crate::{
    candidate::{self, Outcome},
    decision::Record,
    gate::Gate,
    request::Request,
    words::{Direction, Reason},
};
use std::{fmt, sync::Arc};

/// A decision that holds, and what came of the request.
pub struct Over<'r> {
    /// As it came, without its body; `None` where the host showed none.
    pub request: Option<&'r Request<'r>>,
    pub record: &'r Record,
    /// What the client got, where it is known.
    pub status: Option<u16>,
    /// What the gate took to decide, in nanoseconds.
    pub took_ns: Option<u64>,
    /// When it decided: nanoseconds since the Unix epoch.
    pub now_ns: u64,
}

/// What there is to count and to say of it.
#[derive(Default)]
pub struct Told {
    pub shadow: Option<Shadow>,
    /// The event, where it is a line of the proxy's log.
    pub event: Option<String>,
    /// For the proxy's log: whether it is a warning, and the line.
    pub lines: Vec<(bool, String)>,
}

/// What the policy that did not decide would have said.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The candidate; the active policy where the candidate decided.
    pub of: Side,
    pub reason: Reason,
    /// The rule that was asked, such as `data.envoy.authz.allow`.
    pub rule: String,
    /// Of the bundle.
    pub revision: Option<Arc<str>>,
    /// The policy's own `reason`, or what went wrong inside it: for logs only.
    pub detail: Option<String>,
    /// Which way the candidate goes, and its reason, where that is not the active policy's way.
    pub differs: Option<(Direction, Reason)>,
}

/// One of two policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Active,
    Candidate,
}

impl Side {
    /// As logs name it.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Active => "active",
            Side::Candidate => "candidate",
        }
    }
}

impl Gate {
    /// Whether there is anything to do once a decision holds.
    pub fn looks_back(&self) -> bool {
        self.candidate().is_some() || self.has_decision_log()
    }

    /// Does it. Asked once for each request, when its answer is out.
    pub fn look_back(&self, over: &Over<'_>) -> Told {
        let shadow = self.shadow(over.record);
        let mut told = Told {
            event: self.log(over, shadow.as_ref()),
            shadow,
            lines: Vec::new(),
        };
        if let Some(shadow) = told.shadow.as_ref().filter(|it| it.differs.is_some()) {
            let both = Both(over.record, shadow);
            told.lines.push((false, both.to_string()));
        }
        if let Some((candidate, _)) = self.candidate()
            && candidate.take_news()
        {
            told.lines.push((true, RETURNED.to_owned()));
        }
        told
    }

    /// What the policy that did not decide says of the same input.
    pub(crate) fn shadow(&self, record: &Record) -> Option<Shadow> {
        let (candidate, rules) = self.candidate()?;
        let evidence = record.evidence.as_ref()?;
        if !rules.sample.takes(&record.decision_id) {
            return None;
        }
        let config = self.config();
        let asked = (&evidence.asked, &config.settings.entrypoint);
        let outcome = match record.by_candidate {
            true => {
                let moment = config.moment(evidence.now_ns);
                let (input, revision) = (evidence.input.clone(), self.revision_shared());
                let policy = self.policy()?;
                candidate::ask(policy, asked.0, revision, input, &moment, &config.headers)
            }
            false => match &evidence.tried {
                Some(outcome) => (**outcome).clone(),
                None => {
                    let input = evidence.input.clone();
                    candidate.ask(rules, asked, input, evidence.now_ns, &config.headers)?
                }
            },
        };
        Some(Shadow::new(record, evidence.reason, outcome))
    }
}

const RETURNED: &str = "policy.candidate: it went wrong on more than `enforce.max_errors` requests in a window: \
    this worker's requests are the active policy's again, until there is another candidate";

impl Shadow {
    /// `decided` is what the policy that decided said, whatever else then refused the request.
    fn new(record: &Record, decided: Reason, outcome: Outcome) -> Shadow {
        let reason = outcome.reason();
        let (of, candidate, active) = match record.by_candidate {
            true => (Side::Active, decided, reason),
            false => (Side::Candidate, reason, decided),
        };
        let direction = match (active.allows(), candidate.allows()) {
            (false, true) => Some(Direction::WouldAllow),
            (true, false) => Some(Direction::WouldDeny),
            _ => None,
        };
        Shadow {
            of,
            reason,
            detail: outcome.detail().map(str::to_owned),
            rule: outcome.rule.to_string(),
            revision: outcome.revision,
            differs: direction.map(|direction| (direction, candidate)),
        }
    }

    /// As it stands in an event.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({
            "policy": self.of.name(),
            "allowed": self.reason.allows(),
            "reason": self.reason.code(),
            "rule": self.rule,
        });
        let texts = [
            ("revision", self.revision.as_deref()),
            ("detail", self.detail.as_deref()),
            (
                "differs",
                self.differs.map(|(direction, _)| direction.name()),
            ),
        ];
        for (key, text) in texts {
            if let (Some(text), Some(members)) = (text, json.as_object_mut()) {
                members.insert(key.to_owned(), text.into());
            }
        }
        json
    }
}

/// Both rules, where they differ.
struct Both<'b>(&'b Record, &'b Shadow);

impl fmt::Display for Both<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Both(record, shadow) = self;
        let decided = record.rule.as_deref().unwrap_or_default();
        let side = |f: &mut fmt::Formatter<'_>, rule: &str, revision: Option<&str>, reason| {
            write!(f, "`{rule}`")?;
            match revision {
                Some(revision) => write!(f, " at `{}` says {reason}", revision.escape_debug()),
                None => write!(f, " says {reason}"),
            }
        };
        let direction = shadow.differs.map_or("", |(direction, _)| direction.name());
        write!(
            f,
            "policy.candidate: {direction}: the {} ",
            shadow.of.name()
        )?;
        side(f, &shadow.rule, shadow.revision.as_deref(), shadow.reason)?;
        f.write_str(", where ")?;
        side(f, decided, record.revision.as_deref(), record.reason)?;
        write!(f, " and decided (decision {})", record.decision_id)
    }
}
