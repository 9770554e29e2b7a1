//! `portcullis check`: what would not load, and what loads and is probably a mistake.

pub mod bundle;
mod configuration;
mod envoy;
pub mod facts;
mod files;
mod finding;
mod json;
mod kinds;
mod routes;
mod sarif;
mod text;
mod upstream;

use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::{Args, ValueEnum};
use finding::Finding;
use kinds::Kind;
use portcullis_rego::{Entrypoint, RegoVersion, tools::lint::Severity};
use std::path::{Path, PathBuf};

/// Check configurations and policies: what would not load, and what is probably a mistake
///
/// A configuration is checked with the policy that it loads. Files and folders are read together,
/// tests and data too, as `eval -d` reads them. With neither, `gate.yaml` is checked.
///
/// Envoy's configuration is checked for what makes the gate decide on another request than the upstream
/// gets, or not at all: paths, routes that rewrite, filters around the gate, what is written behind it, failures, bodies.
///
/// What would not load is an error; the rest are warnings, and notes, which never fail a check.
/// Exit code 0: no errors; 1: errors, or with --strict warnings; 2: bad usage, or a file that is
/// not there.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis check
  portcullis check --config gate.yaml --strict
  portcullis check policies --entrypoint envoy/authz/allow
  portcullis check --config gate.yaml policies --format sarif > check.sarif
  portcullis check --config gate.yaml --envoy envoy.yaml
  portcullis check --allow path-prefix --allow evaluator
  portcullis check --list    # every kind of finding")]
pub struct Check {
    /// Rego and data: files, or folders placed as OPA places them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A configuration, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Envoy's configuration, YAML or JSON: a bootstrap, or resources as LDS and RDS have them
    #[arg(long, value_name = "FILE")]
    envoy: Vec<PathBuf>,
    /// A rule of PATH that is asked, such as envoy/authz/allow: what it does not reach is unused
    #[arg(long, value_name = "RULE", requires = "paths")]
    entrypoint: Vec<Entrypoint>,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Let warnings fail, too
    #[arg(long, visible_alias = "warnings-as-errors")]
    strict: bool,
    /// Leave findings of this name out; errors stay
    #[arg(long, value_name = "NAME", value_parser = kinds::parse)]
    allow: Vec<&'static Kind>,
    /// Print every kind of finding: its name, its severity, what it is about
    #[arg(long)]
    list: bool,
    /// Read PATH as Rego v0, where a module does not import `rego.v1`
    #[arg(long, requires = "paths")]
    v0_compatible: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: the place, the line, a hint
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl Check {
    /// Checks, and prints what was found.
    pub fn run(self) -> Result<Exit, Failure> {
        if self.list {
            terminal::print(&kinds::table())?;
            return Ok(Exit::Fine);
        }
        let configurations = self.configurations()?;
        let mut findings = Vec::new();
        for file in &configurations {
            findings.extend(configuration::check(file)?);
        }
        for file in &self.envoy {
            findings.extend(envoy::check(file, &configurations)?);
        }
        if !self.paths.is_empty() {
            findings.extend(files::check(&self.paths, &self.entrypoint, self.version())?);
        }
        findings.retain(|finding| {
            let is_allowed = self.allow.iter().any(|kind| kind.name == finding.kind.name);
            finding.severity == Severity::Error || !is_allowed
        });
        finding::in_order(&mut findings);
        terminal::print(&match self.format {
            Format::Text => text::of(&findings),
            Format::Json => json::of(&findings),
            Format::Sarif => sarif::of(&findings),
        })?;
        let fails = |finding: &Finding| match finding.severity {
            Severity::Error => true,
            Severity::Warning => self.strict,
            Severity::Note => false,
        };
        Ok(match findings.iter().any(fails) {
            true => Exit::Failed,
            false => Exit::Fine,
        })
    }

    fn configurations(&self) -> Result<Vec<PathBuf>, Failure> {
        if !self.config.is_empty() || !self.paths.is_empty() {
            return Ok(self.config.clone());
        }
        let file = Path::new("gate.yaml");
        match file.exists() {
            true => Ok(vec![file.to_owned()]),
            false if !self.envoy.is_empty() => Ok(Vec::new()),
            false => Err(
                Failure::new("there is nothing to check: no gate.yaml is here")
                    .hint("name a configuration, --config FILE, or files and folders of Rego"),
            ),
        }
    }

    fn version(&self) -> RegoVersion {
        match self.v0_compatible {
            true => RegoVersion::V0,
            false => RegoVersion::V1,
        }
    }
}
