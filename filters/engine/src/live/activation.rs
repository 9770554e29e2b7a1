//! A bundle on its way to being the policy: verify, parse, check, compile, test. Each step some at a
//! time; nothing of it can be asked before the last is done.

use super::{Loaded, Refused, Step, event::Activated, order};
use crate::{
    bundle::{self, Applying, Content, Manifest, Reader, Rules},
    config::api_keys::{Gathering, Keys},
    crypto::Hasher,
    error::{LoadError, LoadErrors},
    gate::{Active, Gate},
    remote::Arrived,
};
use portcullis_rego::{
    Loading, Moment, Policy, RegoVersion, Sources,
    testing::{Error, Outcome, Suite, Test},
};
use std::{sync::Arc, time::Duration};

pub struct Activation {
    stage: Stage,
    pub etag: Option<String>,
    size: usize,
    signer: Option<String>,
    kind: &'static str,
    began: u64,
    slices: u32,
    longest: u64,
    rules: Arc<Rules>,
    /// Of what came.
    digest: Vec<u8>,
    /// As it came.
    packed: Option<Vec<u8>>,
    /// Whether it was active before, in another gate.
    pub is_kept: bool,
}

enum Stage {
    /// Its bytes, of which so many are hashed.
    Arrived(Vec<u8>, Hasher, usize),
    Reading(Box<Reader>),
    /// A delta's changes are made.
    Applying(Manifest, Box<Applying>),
    Keys(Loaded, Gathering),
    Compiling(Loaded, Keys, Loading<Policy>),
    /// Its own tests, on their way.
    Gathering(Box<Made>, Loading<Suite>),
    /// Its own tests, of which so many have passed.
    Testing(Box<Made>, Box<Suite>, usize),
    Ended,
}

/// What becomes the policy.
pub struct Made {
    pub active: Active,
    pub loaded: Loaded,
}

pub enum Unit {
    More,
    /// It is the active one.
    Same,
    Done(Result<Box<Made>, Refused>),
}

impl Activation {
    pub fn new(arrived: Arrived, rules: Arc<Rules>, now: u64) -> Activation {
        let is_small = arrived.bytes.len() <= MOST_KEPT;
        let keeps = is_small && rules.verification.as_ref().is_some_and(|it| it.required);
        Activation {
            packed: keeps.then(|| arrived.bytes.clone()),
            is_kept: false,
            etag: arrived.etag,
            size: arrived.bytes.len(),
            stage: Stage::Arrived(arrived.bytes, Hasher::sha256(), 0),
            rules,
            digest: Vec::new(),
            signer: None,
            kind: SNAPSHOT,
            began: now,
            slices: 0,
            longest: 0,
        }
    }

    /// Goes on as long as there is more time.
    pub fn work(
        &mut self,
        gate: &Gate,
        active: Option<&Loaded>,
        more: &mut dyn FnMut() -> bool,
    ) -> Unit {
        loop {
            match self.unit(gate, active, more) {
                Ok(None) if more() => {}
                Ok(None) => return Unit::More,
                Ok(Some(Ended::Same)) => return Unit::Same,
                Ok(Some(Ended::Made(made))) => return Unit::Done(Ok(made)),
                Err(refused) => return Unit::Done(Err(refused)),
            }
        }
    }

    /// A slice came to its end that took so long.
    pub fn worked(&mut self, took: u64) {
        self.slices = self.slices.saturating_add(1);
        self.longest = self.longest.max(took);
    }

    pub fn activated(&mut self, before: Option<&Loaded>, made: &Made, now: u64) -> Activated {
        let keep = match self.is_kept {
            true => None,
            // A delta is nothing to begin with, and what it changes is so no more.
            false if self.kind == DELTA => Some(Vec::new()),
            false => Some(self.packed.take().unwrap_or_default()),
        };
        Activated {
            keep,
            revision: made.loaded.manifest.revision.clone(),
            previous: before.map(|it| it.manifest.revision.clone()),
            signer: self.signer.clone(),
            kind: self.kind,
            size: self.size,
            order: made.loaded.manifest.order.as_ref().map(|it| match it {
                bundle::Order::Sequence(sequence) => *sequence,
                bundle::Order::Time(at) => at.checked_div(1_000_000_000).unwrap_or(0),
            }),
            took: Duration::from_nanos(now.saturating_sub(self.began)),
            slices: self.slices,
            longest: Duration::from_nanos(self.longest),
        }
    }

    fn unit(
        &mut self,
        gate: &Gate,
        active: Option<&Loaded>,
        more: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Ended>, Refused> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Arrived(bytes, mut hasher, from) => {
                let to = from.saturating_add(HASHED).min(bytes.len());
                hasher.update(bytes.get(from..to).unwrap_or_default());
                if to < bytes.len() {
                    self.stage = Stage::Arrived(bytes, hasher, to);
                    return Ok(None);
                }
                self.digest = hasher.finish();
                if active.is_some_and(|active| active.digest == self.digest) {
                    return Ok(Some(Ended::Same));
                }
                Stage::Reading(Box::new(Reader::new(bytes, Arc::clone(&self.rules))))
            }
            Stage::Reading(mut reader) => match reader.work(more) {
                None => Stage::Reading(reader),
                Some(read) => {
                    let read = read?;
                    self.signer = read.signer().map(str::to_owned);
                    self.place(gate, active, read)?
                }
            },
            Stage::Applying(manifest, mut applying) => {
                let changed = applying.work().map_err(|fault| Refused {
                    is_of_delta: true,
                    ..fault.into()
                })?;
                match (changed, active) {
                    (Some(data), Some(active)) => {
                        let modules = active.modules.clone();
                        self.loaded(gate, manifest, modules, data)
                    }
                    _ => Stage::Applying(manifest, applying),
                }
            }
            Stage::Keys(loaded, mut gathering) => {
                let own = gate.config().api_keys.as_ref();
                match own.map(|own| gathering.step(own)) {
                    Some(None) => Stage::Keys(loaded, gathering),
                    Some(Some(Ok(keys))) => compiling(gate, loaded, keys),
                    Some(Some(Err(wrong))) => return Err(refused(Step::Load, wrong.told())),
                    None => compiling(gate, loaded, Keys::default()),
                }
            }
            Stage::Compiling(loaded, keys, mut loading) => {
                let Some(policy) = loading.step() else {
                    self.stage = Stage::Compiling(loaded, keys, loading);
                    return Ok(None);
                };
                let policy = policy.map_err(of_load)?;
                check_packages(&loaded.manifest, &policy)?;
                let active = Active {
                    policy: Some(policy),
                    keys: Arc::new(keys),
                    revision: Some(loaded.manifest.revision.as_str().into()),
                };
                let made = Box::new(Made { active, loaded });
                let runs_tests = gate.config().bundle.as_ref();
                if !runs_tests.is_some_and(|config| config.run_tests) {
                    return Ok(Some(Ended::Made(made)));
                }
                let loading = Suite::loading(sources(&made.loaded));
                Stage::Gathering(made, loading)
            }
            Stage::Gathering(made, mut loading) => match loading.step() {
                None => Stage::Gathering(made, loading),
                Some(suite) => {
                    let suite = Box::new(suite.map_err(of_load)?);
                    Stage::Testing(made, suite, 0)
                }
            },
            Stage::Testing(made, suite, next) => match suite.tests().get(next) {
                None => return Ok(Some(Ended::Made(made))),
                Some(test) => {
                    let moment = Moment {
                        now_ns: self.began,
                        instructions: TEST_INSTRUCTIONS,
                        strict_builtin_errors: false,
                    };
                    run(&suite, test, &moment)?;
                    Stage::Testing(made, suite, next.saturating_add(1))
                }
            },
            Stage::Ended => return Err(refused(Step::Load, "its activation has ended".to_owned())),
        };
        Ok(None)
    }

    /// What the bundle makes of the active one, if it may.
    fn place(
        &mut self,
        gate: &Gate,
        active: Option<&Loaded>,
        read: bundle::Bundle,
    ) -> Result<Stage, Refused> {
        let (manifest, content) = read.into_content();
        let of_order = |what: String| refused(Step::Order, what);
        if let (Some(active), Some(config)) = (active, &gate.config().bundle) {
            order::check(config, active, &manifest, &self.digest).map_err(of_order)?;
        }
        match content {
            Content::Snapshot { modules, data } => Ok(self.loaded(gate, manifest, modules, data)),
            Content::Delta(patch) => {
                self.kind = DELTA;
                let of_delta = |what: String| Refused {
                    is_of_delta: true,
                    ..of_order(what)
                };
                let Some(active) = active else {
                    return Err(of_delta(format!(
                        "revision `{}` is a delta, and there is nothing yet that it could change",
                        manifest.revision
                    )));
                };
                let needs_base = self.signer.is_some();
                base(&active.manifest, &manifest, needs_base).map_err(of_delta)?;
                patch.check(&active.manifest)?;
                let manifest = manifest.with_roots_of(&active.manifest);
                let applying = Applying::new(patch, active.data.clone());
                Ok(Stage::Applying(manifest, Box::new(applying)))
            }
        }
    }

    /// What is left to do with its content.
    fn loaded(
        &mut self,
        gate: &Gate,
        manifest: Manifest,
        modules: Vec<portcullis_rego::Module>,
        data: portcullis_rego::Value,
    ) -> Stage {
        let loaded = Loaded {
            newest: None,
            digest: std::mem::take(&mut self.digest),
            manifest,
            modules,
            data,
        };
        match &gate.config().api_keys {
            Some(own) => {
                let gathering = own.gather(Some(&loaded.data));
                Stage::Keys(loaded, gathering)
            }
            None => compiling(gate, loaded, Keys::default()),
        }
    }
}

/// How a bundle's way ends.
enum Ended {
    Same,
    Made(Box<Made>),
}

/// Bytes hashed in a unit.
const HASHED: usize = 64 * 1024;

/// Bytes of a bundle that is kept for those who begin.
const MOST_KEPT: usize = 1 << 20;

const SNAPSHOT: &str = "snapshot";
const DELTA: &str = "delta";

/// Whether a delta is for what is active. One that is signed says so: a server that withholds some
/// deltas could else make a state that nobody signed.
fn base(active: &Manifest, delta: &Manifest, is_needed: bool) -> Result<(), String> {
    // Applied once more, it would change what it has changed.
    if delta.revision.is_empty() || delta.revision == active.revision {
        return Err(format!(
            "the delta's revision is `{}`, and takes one of its own",
            delta.revision
        ));
    }
    match &delta.base {
        Some(base) if *base == active.revision => Ok(()),
        Some(base) => Err(format!(
            "revision `{}` is a delta to `{base}`, and `{}` is active",
            delta.revision, active.revision
        )),
        None if is_needed => Err(format!(
            "revision `{}` is a signed delta that does not say in `metadata.portcullis.base` to which \
             revision",
            delta.revision
        )),
        None => Ok(()),
    }
}

/// What one test may do: it waits for nobody, and nobody may wait for it for long.
const TEST_INSTRUCTIONS: u32 = 200_000;

fn compiling(gate: &Gate, loaded: Loaded, keys: Keys) -> Stage {
    let config = gate.config();
    let (asked, optional) = (config.entrypoints(), config.optional_entrypoints());
    let loading = Loading::with(sources(&loaded), &asked, &optional);
    Stage::Compiling(loaded, keys, loading)
}

fn sources(loaded: &Loaded) -> Sources {
    Sources {
        modules: loaded.modules.clone(),
        data: loaded.data.clone(),
        // Each module has its own.
        version: RegoVersion::V1,
    }
}

fn of_load(errors: portcullis_rego::LoadErrors) -> Refused {
    let errors = errors.into_iter().map(LoadError::Rego);
    refused(Step::Load, LoadErrors::all(errors).to_string())
}

/// Nothing of a bundle stands outside of its roots.
fn check_packages(manifest: &Manifest, policy: &Policy) -> Result<(), Refused> {
    let mut packages = policy.packages().iter();
    match packages.find(|it| !manifest.permits(&it.path)) {
        None => Ok(()),
        Some(outside) => Err(refused(
            Step::Parse,
            format!(
                "its module `{}` is of the package `{}`, which is outside of its roots",
                outside.module,
                outside.path.join("."),
            ),
        )),
    }
}

fn run(suite: &Suite, test: &Test, moment: &Moment) -> Result<(), Refused> {
    let of_test = |what: String| {
        let what = format!("its test {}.{} {what}", test.package, test.name);
        refused(Step::Test, what)
    };
    let runner = suite.runner();
    let mut runner = runner.map_err(|error| of_test(format!("cannot be run: {error}")))?;
    match runner.run(test, moment, None).outcome {
        Outcome::Passed | Outcome::Skipped => Ok(()),
        Outcome::Failed => Err(of_test("failed".to_owned())),
        Outcome::Erred(Error::TimedOut) => Err(of_test("took too much".to_owned())),
        Outcome::Erred(Error::Failed(why)) => Err(of_test(format!("went wrong: {why}"))),
    }
}

/// Of what is said of a bundle, at most: names in it may be as long as their writers like.
const MAX_TOLD: usize = 2_000;

fn refused(step: Step, what: String) -> Refused {
    let one_line = |c: char| match c.is_control() {
        true => '\u{fffd}',
        false => c,
    };
    Refused {
        step,
        what: what.chars().take(MAX_TOLD).map(one_line).collect(),
        is_of_delta: false,
    }
}

impl From<bundle::Fault> for Refused {
    fn from(fault: bundle::Fault) -> Refused {
        let step = match fault.step {
            bundle::Step::Unpack => Step::Unpack,
            bundle::Step::Verify => Step::Verify,
            bundle::Step::Parse => Step::Parse,
        };
        refused(step, fault.what)
    }
}
