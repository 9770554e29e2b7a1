//! A policy that was loaded: immutable, cheap to clone, asked many times.

use std::sync::{Arc, OnceLock};

use crate::{
    error::{EvalError, LoadErrors},
    interpreter::Interpreter,
    load,
    reach::Reach,
    rvm::Rvm,
    source::{Entrypoint, Sources},
    steps,
    value::Value,
};

/// Rego that was parsed, checked and compiled once. Send and Sync; a clone shares it.
#[derive(Clone)]
pub struct Policy(Arc<Loaded>);

pub(crate) struct Loaded {
    pub interpreter: Interpreter,
    pub routes: Vec<Route>,
    pub reach: Reach,
    pub packages: Vec<Package>,
}

/// Which package a module is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The module's path.
    pub module: String,
    /// As segments below `data`.
    pub path: Vec<String>,
}

/// How one entrypoint is evaluated.
pub(crate) struct Route {
    pub entrypoint: Entrypoint,
    /// The rule that is asked for it.
    pub asked: Entrypoint,
    /// Where the machine can take it; else why not.
    pub machine: Result<Rvm, String>,
    /// Why the machine is asked no more, though it could.
    pub left: OnceLock<String>,
}

impl Route {
    /// What evaluates it: the machine, or the interpreter and why.
    fn evaluator(&self) -> Result<&Rvm, &str> {
        match (self.left.get(), &self.machine) {
            (None, Ok(rvm)) => Ok(rvm),
            (Some(reason), _) | (None, Err(reason)) => Err(reason),
        }
    }
}

/// What an evaluation may know and use of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since the Unix epoch; `time.now_ns()`.
    pub now_ns: u64,
    /// The instruction budget. The work of builtins is bounded in proportion.
    pub instructions: u32,
    /// Whether a builtin's error ends the evaluation, as OPA's `--strict-builtin-errors`; it is
    /// undefined otherwise.
    pub strict_builtin_errors: bool,
}

/// Which evaluator an entrypoint has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// regorus's virtual machine, the fast one.
    Rvm,
    /// regorus's interpreter, and why.
    Interpreter { reason: String },
}

impl Policy {
    /// # Errors
    /// Everything found that is wrong with the sources, or missing from them.
    pub fn load(sources: Sources, entrypoints: &[Entrypoint]) -> Result<Policy, LoadErrors> {
        Policy::load_with(sources, entrypoints, &[])
    }

    /// The same with entrypoints that may be there, such as those of decision logs: [`Policy::has`] tells.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn load_with(
        sources: Sources,
        entrypoints: &[Entrypoint],
        optional: &[Entrypoint],
    ) -> Result<Policy, LoadErrors> {
        steps::finish(Policy::loaded(sources, entrypoints, optional))
    }

    /// The same in steps.
    pub(crate) async fn loaded(
        sources: Sources,
        entrypoints: &[Entrypoint],
        optional: &[Entrypoint],
    ) -> Result<Policy, LoadErrors> {
        let loaded = load::load(sources, entrypoints, optional).await?;
        Ok(Policy(Arc::new(loaded)))
    }

    /// Whether it can be asked by this entrypoint.
    pub fn has(&self, entrypoint: &Entrypoint) -> bool {
        self.route(entrypoint).is_some()
    }

    /// What of an input can make a difference, whichever entrypoint is asked.
    pub fn reach(&self) -> &Reach {
        &self.0.reach
    }

    /// Which package each of its modules is of.
    pub fn packages(&self) -> &[Package] {
        &self.0.packages
    }

    /// The rule's value for an input; none where it is undefined.
    ///
    /// # Errors
    /// Where the evaluation went wrong or used up its budget: a refusal, never undefined.
    pub fn evaluate(
        &self,
        entrypoint: &Entrypoint,
        input: Value,
        moment: &Moment,
    ) -> Result<Option<Value>, EvalError> {
        let route = self
            .route(entrypoint)
            .ok_or_else(|| EvalError::UnknownEntrypoint(entrypoint.to_string()))?;
        match route.evaluator() {
            // The machine would be strict about more than builtins.
            Ok(rvm) if !moment.strict_builtin_errors => rvm.evaluate(input, moment),
            _ => self.0.interpreter.evaluate(&route.asked, input, moment),
        }
    }

    /// The same question to the interpreter, which is slower and the reference: the two must agree.
    ///
    /// # Errors
    /// As [`Policy::evaluate`].
    pub fn evaluate_by_interpreter(
        &self,
        entrypoint: &Entrypoint,
        input: Value,
        moment: &Moment,
    ) -> Result<Option<Value>, EvalError> {
        match self.route(entrypoint) {
            Some(route) => self.0.interpreter.evaluate(&route.asked, input, moment),
            None => Err(EvalError::UnknownEntrypoint(entrypoint.to_string())),
        }
    }

    /// Which evaluator the entrypoint has, for those who ask why it is slow.
    pub fn evaluator(&self, entrypoint: &Entrypoint) -> Option<Choice> {
        let route = self.route(entrypoint)?;
        Some(match route.evaluator() {
            Ok(_) => Choice::Rvm,
            Err(reason) => Choice::Interpreter {
                reason: reason.to_owned(),
            },
        })
    }

    /// Whether [`Policy::evaluate`] asks the machine about this entrypoint, and its answer can be held
    /// against the interpreter's.
    pub fn is_on_machine(&self, entrypoint: &Entrypoint) -> bool {
        self.route(entrypoint)
            .is_some_and(|route| route.evaluator().is_ok())
    }

    /// Leaves the entrypoint to the interpreter from here on, in every clone. The first reason stays.
    pub fn leave_machine(&self, entrypoint: &Entrypoint, reason: impl Into<String>) {
        if let Some(route) = self.route(entrypoint) {
            let _ = route.left.set(reason.into());
        }
    }

    fn route(&self, entrypoint: &Entrypoint) -> Option<&Route> {
        self.0
            .routes
            .iter()
            .find(|route| route.entrypoint == *entrypoint)
    }
}

/// A host may decide on several threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
};
