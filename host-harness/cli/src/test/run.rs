//! Runs tests on several threads.

use crate::{failure::Failure, moment};
use portcullis_rego::{
    EvalError, Moment,
    tools::{
        coverage::Covered,
        tests::{Ran, Suite, Test},
    },
};
use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The interpreter descends with what it evaluates, and more so in a debug build.
const STACK: usize = 64 << 20;

/// What one test may take: more than any, and less than the machine has.
const INSTRUCTIONS: u32 = 50_000_000;

/// How a test went, and how long it took.
pub struct Report<'a> {
    pub test: &'a Test,
    pub ran: Ran,
    pub duration: Duration,
    /// Why it failed, a line each.
    pub why: Vec<String>,
}

pub struct Finished<'a> {
    /// In the order of the tests.
    pub reports: Vec<Report<'a>>,
    pub covered: Vec<Covered>,
}

pub fn all<'a>(
    suite: &Suite,
    tests: &[&'a Test],
    threads: usize,
    timeout: Duration,
) -> Result<Finished<'a>, Failure> {
    let next = AtomicUsize::new(0);
    let worker = || worker(suite, tests, &next, timeout);
    let finished = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, tests.len().max(1)))
            .map(|_| {
                thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, worker)
            })
            .collect::<io::Result<_>>()
            .map_err(|error| Failure::io("a thread to run tests", &error))?;
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(finished) => finished.map_err(|error| Failure::new(error.to_string())),
            Err(_) => Err(Failure::new("a thread that ran tests ended early")
                .hint("this is a mistake of Portcullis's; --parallel 1 --verbose shows where")),
        });
        joined.collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut reports = Vec::new();
    let mut covered = Vec::new();
    for (ran, lines) in finished {
        reports.extend(ran);
        covered.push(lines);
    }
    reports.sort_by_key(|(index, _)| *index);
    Ok(Finished {
        reports: reports.into_iter().map(|(_, report)| report).collect(),
        covered,
    })
}

type Numbered<'a> = Vec<(usize, Report<'a>)>;

fn worker<'a>(
    suite: &Suite,
    tests: &[&'a Test],
    next: &AtomicUsize,
    timeout: Duration,
) -> Result<(Numbered<'a>, Covered), EvalError> {
    let mut runner = suite.runner()?;
    let mut reports = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(&test) = tests.get(index) else {
            break;
        };
        let moment = Moment {
            now_ns: moment::nanoseconds(moment::now()),
            instructions: INSTRUCTIONS,
            strict_builtin_errors: false,
        };
        let start = Instant::now();
        let ran = runner.run(test, &moment, Some(timeout));
        let duration = match test.is_skipped {
            true => Duration::ZERO,
            false => start.elapsed(),
        };
        let report = Report {
            test,
            ran,
            duration,
            why: Vec::new(),
        };
        reports.push((index, report));
    }
    Ok((reports, runner.covered()))
}
