//! A policy's own tests, run as `opa test` runs them: each by itself, on the interpreter.

mod cases;
mod find;

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use regorus::{Engine, utils::limits::ExecutionTimerConfig};

#[cfg(feature = "tools")]
use crate::{
    error::LoadErrors,
    steps,
    tools::{
        coverage::{Coverage, Covered, Plan},
        heads,
    },
};
use crate::{
    error::{self, EvalError},
    interpreter::{Ready, eval_error},
    load,
    policy::Moment,
    source::Sources,
    steps::Loading,
    value::Value,
};
pub use cases::Case;

/// Policies that were loaded with their tests.
pub struct Suite {
    engine: Engine,
    tests: Vec<Test>,
    /// The modules' paths.
    files: Vec<String>,
    #[cfg(feature = "tools")]
    plan: Option<Plan>,
}

/// A rule that is a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// As Rego refers to it: `data.envoy.authz_test`.
    pub package: String,
    /// Within its package; the second rule of a name is `test_it#01`.
    pub name: String,
    /// The module's path.
    pub file: String,
    /// Where the rule begins; both count from 1.
    pub line: u32,
    /// In characters.
    pub column: u32,
    /// Its name begins with `todo_test_`: it is not run.
    pub is_skipped: bool,
    /// It makes up an object, of which each entry is a case.
    pub(super) is_object: bool,
    pub(super) is_function: bool,
    /// There is one rule of this path, and not several below it.
    pub(super) is_rule: bool,
    /// What the interpreter is asked.
    pub(super) path: String,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Whether it passed.
    pub outcome: Outcome,
    /// What `print` was given, a line each.
    pub printed: Vec<String>,
    /// By name, where the test has cases.
    pub cases: BTreeMap<String, Case>,
}

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value is `true`, or every case passed.
    Passed,
    /// It is undefined, or something else than `true`.
    Failed,
    /// It was not run.
    Skipped,
    /// It went wrong, and how.
    Erred(Error),
}

/// Why a test has no outcome of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It took longer than it was given.
    TimedOut,
    /// Two values where one may be, say.
    Failed(String),
}

impl Suite {
    /// Loads policies with their tests, in steps.
    pub fn loading(sources: Sources) -> Loading<Suite> {
        Loading::of(async move {
            let read = load::read(sources).await?;
            let files = read.modules.iter().map(|it| it.path.clone()).collect();
            let (tests, told) = find::tests(read.clone()).await?;
            let analyzed = find::rule(&read).await?;
            let as_they_are = |modules: &[_], _: &[_]| modules.to_vec();
            let prepared =
                load::prepare_read(told, (analyzed.as_slice(), &[]), &mut None, as_they_are)
                    .await?;
            Ok(Suite {
                engine: prepared.engine,
                tests,
                files,
                #[cfg(feature = "tools")]
                plan: None,
            })
        })
    }

    /// Loads policies with their tests; `covering` where their coverage is asked for.
    ///
    /// # Errors
    /// Everything that is wrong with the sources.
    #[cfg(feature = "tools")]
    pub fn load(sources: Sources, covering: bool) -> Result<Suite, LoadErrors> {
        let read = steps::finish(load::read(sources))?;
        let files = read.modules.iter().map(|it| it.path.clone()).collect();
        let (tests, told) = steps::finish(find::tests(read.clone()))?;
        let analyzed = steps::finish(find::rule(&read))?;
        let mut heads = None;
        let prepared = steps::finish(load::prepare_read(
            told,
            (analyzed.as_slice(), &[]),
            &mut None,
            |modules, trees| {
                if !covering {
                    return modules.to_vec();
                }
                let (modules, found) = heads::tell(modules, trees);
                heads = Some(found);
                modules
            },
        ));
        let mut engine = match prepared {
            Ok(prepared) => prepared.engine,
            // Of what was written, an error has the right column.
            Err(errors) => {
                let written = load::prepare_plain(read, analyzed.as_slice(), &mut None);
                return Err(written.err().unwrap_or(errors));
            }
        };
        let plan = heads.map(|heads| Plan::new(heads, engine.get_modules()));
        Ok(Suite {
            engine,
            tests,
            files,
            plan,
        })
    }

    /// What was printed, of `file:line: message`.
    fn message<'a>(&self, line: &'a str) -> &'a str {
        let message = self.files.iter().find_map(|file| {
            let rest = line.strip_prefix(file.as_str())?.strip_prefix(':')?;
            let (number, message) = rest.split_once(": ")?;
            number
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(message)
        });
        message.unwrap_or(line)
    }

    /// In the order of their files, and of their places in them.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// What runs tests, one after the other; as many threads as wanted have one each.
    ///
    /// # Errors
    /// Where the interpreter does not start.
    pub fn runner(&self) -> Result<Runner<'_>, EvalError> {
        Ok(Runner {
            suite: self,
            ready: self.ready()?,
            #[cfg(feature = "tools")]
            covered: Covered::default(),
        })
    }

    /// What the tests covered that these runners ran; none where the suite was not loaded for it.
    #[cfg(feature = "tools")]
    pub fn coverage(&self, covered: impl IntoIterator<Item = Covered>) -> Option<Coverage> {
        self.plan.as_ref().map(|plan| plan.report(covered))
    }

    fn ready(&self) -> Result<Ready, EvalError> {
        #[cfg_attr(
            not(feature = "tools"),
            expect(unused_mut, reason = "only coverage changes it")
        )]
        let mut ready = Ready::new(self.engine.clone())?;
        #[cfg(feature = "tools")]
        if let Some(plan) = &self.plan {
            plan.enable(&mut ready.engine)?;
        }
        Ok(ready)
    }
}

/// Runs tests, one after the other.
pub struct Runner<'a> {
    suite: &'a Suite,
    ready: Ready,
    #[cfg(feature = "tools")]
    covered: Covered,
}

impl Runner<'_> {
    /// Runs a test of the suite. It has no input but what `with` gives it. What it may take is time, or
    /// where none is given the moment's instructions.
    pub fn run(&mut self, test: &Test, moment: &Moment, timeout: Option<Duration>) -> Ran {
        let mut ran = Ran {
            outcome: Outcome::Skipped,
            printed: Vec::new(),
            cases: BTreeMap::new(),
        };
        if test.is_skipped {
            return ran;
        }
        if test.is_function {
            let why = "this is a function, and a test takes no arguments";
            ran.outcome = Outcome::Erred(Error::Failed(why.to_owned()));
            return ran;
        }
        self.ready.set(Value::Undefined, moment);
        if let Some(limit) = timeout {
            let check_interval = LOOK_AT_CLOCK;
            let clock = ExecutionTimerConfig {
                limit,
                check_interval,
            };
            self.ready.engine.set_execution_timer_config(clock);
        }
        let value = match test.is_rule {
            true => self.ready.engine.eval_rule(test.path.clone()),
            false => {
                let rows = self.ready.engine.eval_query(test.path.clone(), false);
                rows.map(|rows| {
                    let row = rows.result.into_iter().next();
                    let found = row.and_then(|row| row.expressions.into_iter().next());
                    found.map_or(Value::Undefined, |found| found.value)
                })
            }
        };
        let mut entries = Vec::new();
        for line in self.ready.engine.take_prints().unwrap_or_default() {
            let message = self.suite.message(&line);
            match message.strip_prefix(find::ENTRY) {
                Some(entry) => entries.push(entry.trim().to_owned()),
                None => ran.printed.push(message.to_owned()),
            }
        }
        ran.outcome = match value {
            Ok(value) if test.is_object => {
                ran.cases = cases::of(&value, &entries);
                let is_failed = ran.cases.values().any(|case| case.failed);
                match value == Value::Undefined || is_failed {
                    true => Outcome::Failed,
                    false => Outcome::Passed,
                }
            }
            Ok(Value::Bool(true)) => Outcome::Passed,
            Ok(_) => Outcome::Failed,
            Err(error) => {
                let erred = match error.to_string().contains(OUT_OF_TIME) {
                    true => Error::TimedOut,
                    false => Error::Failed(eval_error(&error, error::one_line).to_string()),
                };
                match self.renew() {
                    Ok(()) => Outcome::Erred(erred),
                    Err(error) => Outcome::Erred(Error::Failed(error.to_string())),
                }
            }
        };
        ran
    }

    /// What all tests covered that ran here.
    #[cfg(feature = "tools")]
    pub fn covered(mut self) -> Covered {
        self.covered.add(&self.ready.engine);
        self.covered
    }

    /// An engine that erred is not asked again.
    fn renew(&mut self) -> Result<(), EvalError> {
        #[cfg(feature = "tools")]
        self.covered.add(&self.ready.engine);
        self.ready = self.suite.ready()?;
        Ok(())
    }
}

/// regorus's words, which come as text where a function was called.
const OUT_OF_TIME: &str = "exceeded time limit";

/// As many units of work.
const LOOK_AT_CLOCK: NonZeroU32 = match NonZeroU32::new(256) {
    Some(units) => units,
    None => NonZeroU32::MIN,
};
