//! `portcullis bundle promote` and `rollback`: what a bundle holds, as one that comes after another.
//! A gate goes to no bundle that is older than its own, so the way back is a step forward.

use super::{
    Format,
    archive::{self, MANIFEST, SIGNATURES},
    build::said,
    manifest::{Written, is_later},
    opened::{Opened, shown_order},
    output::Output,
    signing::Signing,
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use portcullis_engine::bundle::Order;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Number a bundle so that every gate which runs another one takes it next
///
/// Its content stays, its order is the next after CURRENT's. It has to be signed again; verify it before,
/// for what is signed here is trusted by the gates.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle promote candidate.tar.gz --over authz.tar.gz -o next.tar.gz \\
    --signing-key ci.pem --key-id ci --scope write")]
pub struct Promote {
    /// The bundle that is to be run
    #[arg(value_name = "CANDIDATE")]
    bundle: PathBuf,
    #[command(flatten)]
    renewal: Renewal,
}

/// Give an old bundle a new number, so that every gate which runs a later one takes it next
///
/// Gates take no bundle that is older than theirs: what an old one held comes back as a new revision.
/// It has to be signed again.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle rollback authz-6.tar.gz --over authz-7.tar.gz -o authz-8.tar.gz \\
    --signing-key ci.pem --key-id ci --scope write")]
pub struct Rollback {
    /// The bundle that was run before
    #[arg(value_name = "OLD")]
    bundle: PathBuf,
    #[command(flatten)]
    renewal: Renewal,
}

#[derive(Args)]
#[group(skip)]
struct Renewal {
    /// The bundle that gates run now
    #[arg(long, value_name = "CURRENT")]
    over: PathBuf,
    #[command(flatten)]
    output: Output,
    /// What it is called in logs [default: the old revision with `+promoted.` or `+rollback.` and the order]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Its time, where CURRENT has one, such as `2027-02-01T00:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = super::manifest::time)]
    time: Option<String>,
    #[command(flatten)]
    signing: Signing,
    /// Leave it without a signature, though there was one
    #[arg(long, conflicts_with = "signing_key")]
    unsigned: bool,
    /// How it is said what was written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What the step is called: in the revision, and in `metadata.portcullis`.
struct Step {
    suffix: &'static str,
    member: &'static str,
}

const PROMOTION: Step = Step {
    suffix: "+promoted.",
    member: "promoted",
};
const ROLLBACK: Step = Step {
    suffix: "+rollback.",
    member: "rolled_back_to",
};

impl Promote {
    pub fn run(self) -> Result<Exit, Failure> {
        self.renewal.run(&Opened::read(&self.bundle)?, &PROMOTION)
    }
}

impl Rollback {
    pub fn run(self) -> Result<Exit, Failure> {
        self.renewal.run(&Opened::read(&self.bundle)?, &ROLLBACK)
    }
}

impl Renewal {
    fn run(&self, source: &Opened, step: &Step) -> Result<Exit, Failure> {
        let current = Opened::read(&self.over)?;
        if source.is_delta() {
            let message = format!(
                "{}: it is a delta, and holds no policy",
                source.path.display()
            );
            return Err(
                Failure::new(message).hint("name the bundle that it was for, or a later one")
            );
        }
        let was_signed = source.is_signed() || current.is_signed();
        if was_signed && !self.signing.is_asked() && !self.unsigned {
            return Err(Failure::new(
                "there was a signature, and it does not hold for the new one",
            )
            .hint("--signing-key FILE --key-id ID, or --unsigned"));
        }
        let (name, value, label) = self.next(&current)?;
        let was = &source.manifest().revision;
        let revision = match &self.revision {
            Some(revision) => revision.clone(),
            None if was.is_empty() => {
                let message = format!("{}: it has no revision", source.path.display());
                return Err(Failure::new(message).hint("--revision gives the new one a name"));
            }
            None => format!("{}{}{label}", origin(was), step.suffix),
        };
        let mut files = source.files.clone();
        files.remove(SIGNATURES);
        let mut manifest = Written::of(files.get(MANIFEST))?;
        manifest.set("revision", json!(revision));
        manifest.forget_own(&[
            "sequence",
            "time",
            "base",
            PROMOTION.member,
            ROLLBACK.member,
        ]);
        manifest.set_own(name, value);
        manifest.set_own(step.member, json!(was));
        files.insert(MANIFEST.to_owned(), manifest.into_bytes());
        self.signing.sign(&mut files)?;
        let next = Opened::of(&self.output.output, archive::pack(&files)?)?;
        is_later(next.order(), current.order()).map_err(Failure::new)?;
        self.output.write(&next.packed)?;
        terminal::print(&said(&next, self.format))?;
        Ok(Exit::Fine)
    }

    /// The order after CURRENT's: its member's name, its value, and how a revision has it.
    fn next(&self, current: &Opened) -> Result<(&'static str, Value, String), Failure> {
        let path = current.path.display();
        match (current.order(), &self.time) {
            (None, _) => Err(Failure::new(format!(
                "{path}: it has no order, so nothing comes after it"
            ))
            .hint("build it with --sequence 1: gates take that after one without an order")),
            (Some(Order::Sequence(number)), None) => {
                let next = number.checked_add(1).ok_or_else(|| {
                    Failure::new(format!("{path}: no number comes after its sequence"))
                })?;
                Ok(("sequence", next.into(), next.to_string()))
            }
            (Some(Order::Sequence(number)), Some(_)) => Err(Failure::new(format!(
                "{path}: it has sequence {number}, and no time"
            ))
            .hint("leave --time away")),
            (Some(Order::Time(_)), None) => {
                let message = format!("{path}: it has {}", shown_order(current.order()));
                Err(Failure::new(message).hint("--time names a later one"))
            }
            (Some(Order::Time(was)), Some(time)) => {
                let is_later = humantime::parse_rfc3339(time).is_ok_and(|time| {
                    let since = time.duration_since(std::time::UNIX_EPOCH);
                    since.is_ok_and(|since| since.as_nanos() > u128::from(was))
                });
                match is_later {
                    true => Ok(("time", json!(time), time.clone())),
                    false => Err(Failure::new(format!(
                        "--time {time}: it is not later than {path}'s, {}",
                        shown_order(current.order())
                    ))),
                }
            }
        }
    }
}

/// Without what former steps put behind it.
fn origin(revision: &str) -> &str {
    let ends = [PROMOTION.suffix, ROLLBACK.suffix];
    let end = ends.iter().filter_map(|suffix| revision.find(suffix)).min();
    end.and_then(|end| revision.get(..end))
        .filter(|it| !it.is_empty())
        .unwrap_or(revision)
}
