//! `portcullis replay`: decision logs against a policy that is not in place yet.

mod candidate;
mod html;
mod json;
mod judged;
mod picture;
mod report;
mod route;
mod shown;
mod tally;
mod text;
mod timeline;
mod why;
mod work;

use crate::{
    failure::{Exit, Failure},
    logs, output, terminal,
};
use candidate::Candidate;
use clap::Args;
use portcullis_rego::RegoVersion;
use report::Report;
use std::{io, path::PathBuf};
use tally::Tally;

/// Decide logged decisions again, by another policy, and show what would flip
///
/// Each decision is made again by the rule that its `path` names, at its time, on the input that was
/// logged with it. Logs are those of `serve --decision-log`, of the gate in its proxy (with the proxy's
/// own words before each line), and of OPA: lines of JSON, arrays of them as OPA uploads, and either of
/// these compressed with gzip. What was masked or erased cannot be decided again for certain where the
/// policy can look at it: such decisions are counted apart, and so are those that were made before the
/// policy was asked.
///
/// Exit codes: 1 where more decisions flip than --allow says, uncertain ones too, or where the end of
/// compressed data or of an array is missing; 2 where there is no decision that can be made again.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis replay decisions.jsonl --policy policies
  portcullis replay decisions-*.json.gz --policy authz.tar.gz --config gate.yaml
  portcullis replay envoy.log --config gate.yaml --format html -o flips.html
  kubectl logs deploy/opa | portcullis replay - --policy policies --allow 10
  portcullis replay decisions.jsonl --policy policies --format json | jq '.groups[0]'")]
pub struct Replay {
    /// Decision logs; `-` is stdin
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// The policy: files and folders, placed as OPA places them, or a bundle
    #[arg(short, long, value_name = "PATH", required_unless_present = "config")]
    policy: Vec<PathBuf>,
    /// A configuration: what a policy may use up, and which names are protected; without --policy, the
    /// policy itself, too: its candidate where it has one, else its own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask this rule, whichever was logged
    #[arg(long, value_name = "RULE")]
    entrypoint: Option<String>,
    /// As many flips are no failure
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow: u64,
    /// As many examples are shown of each kind of flip
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=100))]
    examples: u16,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output if it exists
    #[arg(long, requires = "output")]
    force: bool,
    /// Read modules as Rego v0, where they do not import `rego.v1`
    #[arg(long)]
    v0_compatible: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// A page with a picture, in one file
    Html,
}

impl Replay {
    pub fn run(self) -> Result<Exit, Failure> {
        if let Some(output) = &self.output {
            // Before what takes minutes.
            output::check(output, self.force)?;
        }
        logs::check(&self.logs)?;
        let version = match self.v0_compatible {
            true => RegoVersion::V0,
            false => RegoVersion::V1,
        };
        let candidate = Candidate::read(
            &self.policy,
            self.config.as_deref(),
            self.entrypoint.as_deref(),
            version,
        )?;
        let mut tally = Tally::new(self.examples.into());
        let bar = logs::bar(&self.logs);
        let done = work::replay(&self.logs, &candidate, &mut tally, &bar);
        bar.finish_and_clear();
        for (source, early) in done? {
            tally.rest.ends_early(source, early);
        }
        let report = Report::new(&self.logs, &candidate, tally, self.allow);
        report.check()?;
        for note in &report.notes {
            terminal::warn(note);
        }
        let coloured = self.output.is_none() && terminal::colourful(&io::stdout());
        let shown = match self.format {
            Format::Text => text::show(&report, coloured),
            Format::Json => format!("{:#}", json::show(&report)),
            Format::Html => html::show(&report),
        };
        match &self.output {
            Some(output) => output::write(output, self.force, format!("{shown}\n").as_bytes())?,
            None => terminal::print(&shown)?,
        }
        Ok(match report.passes() {
            true => Exit::Fine,
            false => Exit::Failed,
        })
    }
}
