//! The policy that is tried beside the one that decides: its sources, which are a document's own, and how
//! it is tried.

use super::{Config, Start, raw, remote};
use crate::{
    error::{Findings, LoadError},
    gate::Secrets,
    sample::Share,
};
use portcullis_rego::Entrypoint;
use std::time::Duration;

/// How a candidate is tried.
pub struct Candidate {
    /// Of the decisions, by their ids.
    pub sample: Share,
    pub enforce: Option<Enforce>,
    /// The rule that is asked of it in the place of `policy.entrypoint`.
    pub entrypoint: Entrypoint,
}

/// For whom it decides.
pub struct Enforce {
    /// Of the subjects, by their names.
    pub share: Share,
    /// With more errors than this in a window it decides nothing more.
    pub max_errors: u32,
    pub window: Duration,
}

impl Candidate {
    /// Whether this subject's requests are among those that it is to decide on.
    pub fn is_for(&self, subject: Option<&str>) -> bool {
        let share = self.enforce.as_ref().map(|enforce| enforce.share);
        share
            .zip(subject)
            .is_some_and(|(share, subject)| share.takes(subject))
    }
}

const PATH: &str = "policy.candidate";

/// `asked`: the rules that requests are decided by, and the first of them that holds where no route says
/// another.
pub fn read(
    raw: raw::Candidate,
    asked: &[Entrypoint],
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<(Candidate, Config, Start)> {
    let sample = raw.sample.unwrap_or(Share::ALL);
    let enforce = raw.enforce.map(|raw| enforce(&raw, findings));
    let default = asked.first().map(Entrypoint::to_string);
    let policy = raw::Policy {
        path: raw.path,
        modules: raw.modules,
        data: raw.data,
        entrypoint: raw.entrypoint.or(default),
        rego_version: raw.rego_version,
        budget: raw.budget,
        bundle: raw.bundle,
        ..raw::Policy::default()
    };
    let document = raw::Document {
        policy: Some(policy),
        ..raw::Document::default()
    };
    let mut found = Findings::default();
    let read = super::check(document, secrets, &mut found);
    for error in found.into_each() {
        findings.push(match error {
            LoadError::Field { path, message } => LoadError::Field {
                path: moved(&path),
                message,
            },
            other => other,
        });
    }
    let (mut config, start) = read?;
    let entrypoint = config.settings.entrypoint.clone();
    // Those that routes name are the same.
    config.also_asked = asked.iter().skip(1).cloned().collect();
    let candidate = Candidate {
        sample,
        enforce,
        entrypoint,
    };
    Some((candidate, config, start))
}

/// The path of a field of a document whose policy is the candidate.
pub fn moved(path: &str) -> String {
    match path.strip_prefix("policy") {
        Some(rest) => format!("{PATH}{rest}"),
        None => path.to_owned(),
    }
}

fn enforce(raw: &raw::Enforce, findings: &mut Findings) -> Enforce {
    let path = format!("{PATH}.enforce");
    if raw.share.is_none() {
        findings.add(
            format!("{path}.share"),
            "found 0; takes more, up to 1, or leave `enforce` out",
        );
    }
    let window = raw.window.map_or(Duration::from_secs(60), |span| span.0);
    remote::within(window, 1, 86_400, &format!("{path}.window"), findings);
    Enforce {
        share: raw.share,
        max_errors: raw.max_errors.unwrap_or(10),
        window,
    }
}
