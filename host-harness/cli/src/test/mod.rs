//! `portcullis test`: a policy's own tests, run and reported as `opa test` does.

mod coverage;
mod duration;
mod json;
mod junit;
mod pretty;
mod run;
mod why;

use crate::{
    changes::Changes,
    failure::{Exit, Failure},
    policy::{problem, rego_value},
    terminal::{self, Colour},
};
use clap::Args;
use glob::Pattern;
use portcullis_gatefile::{Policies, Tests};
use portcullis_rego::{
    LoadErrors, Module, RegoVersion, Sources,
    tools::{coverage::Coverage, tests::Outcome, tests::Suite},
};
use regex::Regex;
use run::Report;
use serde_json::Value;
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

/// Run the tests of policies, as `opa test` does
///
/// A test is a rule whose name begins with `test_`; it passes where its value is `true`. One that
/// begins with `todo_test_` is skipped. A test has the input and the data that `with` gives it, and
/// what it prints is shown where it does not pass.
///
/// Exit codes: 0 where all tests pass, 1 where one fails, errs or is skipped, or the coverage is below
/// the threshold (`opa test` has 2 there), 2 where the policies cannot be loaded.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis test policies
  portcullis test policies -v --run 'authz_test.test_a_reader'
  portcullis test policies --coverage --threshold 90
  portcullis test policies --coverage --format json > coverage.json
  portcullis test policies --format junit > report.xml
  portcullis test policies --watch")]
pub struct Test {
    /// Policies, tests and data: files, or folders placed as OPA places them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show every test, and why one failed
    #[arg(short, long)]
    verbose: bool,
    /// Run only tests whose full name, such as data.authz_test.test_it, has a match
    #[arg(short, long, value_name = "REGEX")]
    run: Option<String>,
    /// How the results are printed
    #[arg(short, long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// Report which lines the tests ran
    #[arg(short, long)]
    coverage: bool,
    /// Fail where less of the lines ran, in percent; asks for the coverage
    #[arg(long, value_name = "PERCENT")]
    threshold: Option<f64>,
    /// How long a test may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = crate::moment::duration)]
    timeout: Duration,
    /// How many tests run at once; 0 for as many as there are processors
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    parallel: usize,
    /// How often each test is run
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// Skipped tests are no failure
    #[arg(short = 'z', long)]
    exit_zero_on_skipped: bool,
    /// No tests are a failure
    #[arg(long)]
    fail_on_empty: bool,
    /// Leave out files and folders in folders by their names, such as '*_draft.rego'
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<String>,
    /// How many errors of policies that do not load are shown; 0 for all
    #[arg(short, long, value_name = "N", default_value_t = 10)]
    max_errors: usize,
    /// Run the tests again when a file changes
    #[arg(short, long)]
    watch: bool,
    /// Read modules as Rego v0, where they do not import `rego.v1`
    #[arg(long)]
    v0_compatible: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, as `opa test` has it
    Pretty,
    /// As `opa test --format json`; with --coverage, the coverage as `opa test` has it
    Json,
    /// JUnit's XML, for CI systems
    Junit,
}

/// What the arguments come to.
struct Wanted {
    run: Option<Regex>,
    ignored: Vec<Pattern>,
}

impl Test {
    pub fn run(self) -> Result<Exit, Failure> {
        let wanted = self.wanted()?;
        if !self.watch {
            return self.once(&wanted);
        }
        let mut changes = Changes::new(|| self.paths.clone());
        loop {
            if let Err(failure) = self.once(&wanted) {
                terminal::report(&failure);
            }
            terminal::say("watching for changes");
            changes.wait();
        }
    }

    fn wanted(&self) -> Result<Wanted, Failure> {
        let run = self.run.as_deref().map(|run| {
            Regex::new(run).map_err(|error| {
                let lines = error.to_string();
                let last = lines.lines().last().unwrap_or_default();
                let why = last.strip_prefix("error: ").unwrap_or(last);
                Failure::new(format!("--run: `{run}` is no regular expression: {why}"))
                    .hint("a part of a test's name is one, such as `test_admin`")
            })
        });
        let ignored = self.ignore.iter().map(|pattern| {
            Pattern::new(pattern).map_err(|error| {
                Failure::new(format!("--ignore: `{pattern}` is no pattern: {error}"))
                    .hint("`*` stands for any characters, `?` for one, `[ab]` for one of these")
            })
        });
        if let Some(threshold) = self.threshold
            && !(0.0..=100.0).contains(&threshold)
        {
            return Err(Failure::new(format!("--threshold: found {threshold}"))
                .hint("a percentage is wanted, from 0 to 100"));
        }
        Ok(Wanted {
            run: run.transpose()?,
            ignored: ignored.collect::<Result<_, _>>()?,
        })
    }

    fn once(&self, wanted: &Wanted) -> Result<Exit, Failure> {
        let covering = self.coverage || self.threshold.is_some();
        let sources = self.sources(wanted)?;
        let suite =
            Suite::load(sources.clone(), covering).map_err(|errors| self.unloadable(errors))?;
        let is_wanted = |name: &str| wanted.run.as_ref().is_none_or(|run| run.is_match(name));
        let mut tests = Vec::new();
        for test in suite.tests() {
            if is_wanted(&format!("{}.{}", test.package, test.name)) {
                tests.push(test);
            }
        }
        let mut covered = Vec::new();
        let mut reports = Vec::new();
        for _ in 0..self.count.max(1) {
            let ran = run::all(&suite, &tests, self.threads(), self.timeout)?;
            covered.extend(ran.covered);
            reports = ran.reports;
            if self.is_failed(&reports) {
                break;
            }
        }
        why::say(&mut reports, &sources);
        self.print(&reports, suite.coverage(covered).as_ref())
    }

    fn unloadable(&self, errors: LoadErrors) -> Failure {
        let most = match self.max_errors {
            0 => usize::MAX,
            most => most,
        };
        let problem = |error| problem(error, Path::new(""));
        let failure = Failure(errors.into_iter().take(most).map(problem).collect());
        match failure.0.iter().any(|problem| problem.hint.is_some()) {
            true => failure,
            false => failure.hint("every file must load; --ignore leaves one out by its name"),
        }
    }

    /// What the run comes to, printed.
    fn print(&self, reports: &[Report<'_>], coverage: Option<&Coverage>) -> Result<Exit, Failure> {
        let colour = terminal::colourful(&std::io::stdout());
        let passed = |report: &Report<'_>| match report.ran.outcome {
            Outcome::Passed | Outcome::Skipped => true,
            Outcome::Failed | Outcome::Erred(_) => false,
        };
        match (self.format, coverage) {
            (Format::Pretty, coverage) => {
                let mut text = pretty::show(reports, self.verbose, colour);
                if let Some(coverage) = coverage {
                    text.push_str(&coverage::table(coverage, !text.is_empty()));
                }
                if !text.is_empty() {
                    terminal::print(text.trim_end_matches('\n'))?;
                }
            }
            (Format::Json, None) => terminal::print(&json::show(reports))?,
            (Format::Json, Some(coverage)) if reports.iter().all(passed) => {
                terminal::print(&coverage::json(coverage))?;
            }
            // No coverage of tests that fail, as OPA has it.
            (Format::Json, Some(_)) => {
                let text = pretty::show(reports, self.verbose, false);
                terminal::say(text.trim_end_matches('\n'));
            }
            (Format::Junit, coverage) => {
                terminal::print(junit::show(reports)?.trim_end_matches('\n'))?;
                if let Some(coverage) = coverage {
                    terminal::say(coverage::table(coverage, false).trim_end_matches('\n'));
                }
            }
        }
        let mut exit = Exit::Fine;
        if self.is_failed(reports) {
            exit = Exit::Failed;
        }
        if reports.is_empty() {
            terminal::warn("no tests were run");
            if self.fail_on_empty {
                exit = Exit::Failed;
            }
        }
        if let (Some(threshold), Some(coverage)) = (self.threshold, coverage)
            && let percent = coverage::percent(coverage.totals())
            && percent < threshold
        {
            let message =
                format!("{percent:.2}% of the lines are covered, {threshold:.2}% are wanted");
            terminal::note(Colour::Red, "error", &message);
            if self.verbose && self.format == Format::Json {
                terminal::say(&coverage::missing(coverage));
            }
            exit = Exit::Failed;
        }
        Ok(exit)
    }

    fn is_failed(&self, reports: &[Report<'_>]) -> bool {
        reports.iter().any(|report| match report.ran.outcome {
            Outcome::Passed => false,
            Outcome::Skipped => !self.exit_zero_on_skipped,
            Outcome::Failed | Outcome::Erred(_) => true,
        })
    }

    fn sources(&self, wanted: &Wanted) -> Result<Sources, Failure> {
        let ignored = |name: &str| wanted.ignored.iter().any(|pattern| pattern.matches(name));
        let policies = Policies::read_ignoring(Path::new(""), &self.paths, Tests::Read, &ignored);
        let policies = policies.map_err(|findings| {
            let failure = Failure::from(findings);
            match self.paths.iter().all(|path| path.exists()) {
                true => failure,
                false => failure.hint("name files or folders, such as `portcullis test policies`"),
            }
        })?;
        let modules = policies.modules.into_iter();
        Ok(Sources {
            modules: modules
                .map(|(path, text)| Module::new(path, text))
                .collect(),
            data: rego_value(&Value::Object(policies.data))?,
            version: match self.v0_compatible {
                true => RegoVersion::V0,
                false => RegoVersion::V1,
            },
        })
    }

    fn threads(&self) -> usize {
        match self.parallel {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        }
    }
}
