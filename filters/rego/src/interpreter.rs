//! regorus's interpreter: the reference, and the evaluator of what the virtual machine cannot.
//!
//! It runs with strict errors, since the lenient mode drops any error, a used-up budget too, from a
//! function of which another definition answers. That a builtin's error is undefined, as OPA has it
//! by default, is brought about by a wrapper around each builtin.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use regorus::{Engine, LimitError, utils::limits::ExecutionTimerConfig};

use crate::{
    builtins::{self, Failure, Meter, World},
    error::{self, EvalError},
    policy::Moment,
    source::Entrypoint,
    value::Value,
};

/// As many engines wait for the next evaluation.
const POOLED: usize = 4;

pub(crate) struct Interpreter {
    engine: Engine,
    pool: Mutex<Vec<Ready>>,
}

/// An engine with its builtins, and what they know.
pub(crate) struct Ready {
    pub engine: Engine,
    shared: Arc<Shared>,
}

impl Interpreter {
    /// Of an engine that has its modules and data.
    pub fn new(engine: Engine) -> Self {
        Interpreter {
            engine,
            pool: Mutex::new(Vec::new()),
        }
    }

    pub fn evaluate(
        &self,
        entrypoint: &Entrypoint,
        input: Value,
        moment: &Moment,
    ) -> Result<Option<Value>, EvalError> {
        let pooled = self
            .pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut ready = match pooled {
            Some(ready) => ready,
            None => Ready::new(self.engine.clone())?,
        };
        ready.set(input, moment);
        let value = ready
            .engine
            .eval_rule(entrypoint.to_string())
            .map_err(|error| match moment.strict_builtin_errors {
                true => eval_error(&error, error::one_line),
                false => eval_error(&error, |text| {
                    error::without_values(text, ready.shared.unsupported())
                }),
            })?;
        // One that erred is not reused.
        ready.engine.set_input(Value::Undefined);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < POOLED {
            pool.push(ready);
        }
        Ok((value != Value::Undefined).then_some(value))
    }
}

impl Ready {
    pub fn new(mut engine: Engine) -> Result<Self, EvalError> {
        let shared = Arc::new(Shared::default());
        for (name, arity) in builtins::called() {
            let shared = Arc::clone(&shared);
            let extension = move |arguments: Vec<Value>| {
                let world = World {
                    moment: shared.moment(),
                    meter: &shared.meter,
                };
                let result = builtins::call(name, &arguments, &world);
                if let Err(Failure::Unsupported(what)) = &result {
                    let _ = shared.lock_unsupported().insert(what);
                }
                Ok(result?)
            };
            let arity = u8::try_from(arity).unwrap_or(u8::MAX);
            engine
                .add_extension(name.to_owned(), arity, Box::new(extension))
                .map_err(|error| EvalError::Failed(error.to_string()))?;
        }
        Ok(Ready { engine, shared })
    }

    pub fn set(&mut self, input: Value, moment: &Moment) {
        self.shared.set(moment);
        self.engine.set_input(input);
        self.engine.set_execution_timer_config(budget(moment));
    }
}

/// What the extensions of an engine know of the evaluation it is in.
#[derive(Default)]
struct Shared {
    now_ns: AtomicU64,
    strict_builtin_errors: AtomicBool,
    meter: Meter,
    /// What a builtin would have had to do that this does not.
    unsupported: Mutex<Option<&'static str>>,
}

impl Shared {
    fn set(&self, moment: &Moment) {
        *self.lock_unsupported() = None;
        self.now_ns.store(moment.now_ns, Ordering::Relaxed);
        self.strict_builtin_errors
            .store(moment.strict_builtin_errors, Ordering::Relaxed);
        self.meter.fill(moment);
    }

    fn unsupported(&self) -> Option<&'static str> {
        *self.lock_unsupported()
    }

    fn lock_unsupported(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.unsupported
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        Moment {
            now_ns: self.now_ns.load(Ordering::Relaxed),
            instructions: 0,
            strict_builtin_errors: self.strict_builtin_errors.load(Ordering::Relaxed),
        }
    }
}

/// regorus bounds the interpreter by time, and looks at the clock after so many units of work. With
/// no time allowed the first look fails: the units are the budget.
fn budget(moment: &Moment) -> ExecutionTimerConfig {
    ExecutionTimerConfig {
        limit: Duration::ZERO,
        check_interval: NonZeroU32::new(moment.instructions).unwrap_or(NonZeroU32::MIN),
    }
}

/// An evaluation's error, in the words of who tells it.
pub(crate) fn eval_error<E>(error: &E, told: impl FnOnce(&str) -> String) -> EvalError
where
    E: std::fmt::Display + AsRef<dyn std::error::Error + Send + Sync>,
{
    // A function's error arrives as its text.
    let text = error.to_string();
    let cause: &(dyn std::error::Error + Send + Sync) = error.as_ref();
    let limits = ["exceeded time limit", Failure::EXCEEDED];
    if cause.downcast_ref::<LimitError>().is_some() || limits.iter().any(|l| text.contains(l)) {
        EvalError::Budget
    } else {
        EvalError::Failed(told(&text))
    }
}
