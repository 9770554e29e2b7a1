//! regorus's interpreter: the reference, and the evaluator of what the virtual machine cannot.
//!
//! It runs with strict errors, since the lenient mode drops any error, a used-up budget too, from a
//! function of which another definition answers. That a builtin's error is undefined, as OPA has it
//! by default, is brought about by a wrapper around each builtin.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use regorus::{
    Engine, LimitError,
    unstable::{BUILTINS, BuiltinFcn, Expr, Ref, Source, Span},
    utils::limits::ExecutionTimerConfig,
};

use crate::{
    builtins::{self, Known},
    error::EvalError,
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

/// An engine with its builtins, and the clock that they read.
pub(crate) struct Ready {
    pub engine: Engine,
    now_ns: Arc<AtomicU64>,
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
            .map_err(|error| eval_error(&error))?;
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
        let now_ns = Arc::new(AtomicU64::new(0));
        let failed = |error: &dyn std::fmt::Display| EvalError::Failed(error.to_string());
        for own in builtins::OWN {
            let (call, now_ns) = (own.call, Arc::clone(&now_ns));
            let extension = move |arguments: Vec<Value>| {
                let moment = Moment {
                    now_ns: now_ns.load(Ordering::Relaxed),
                    instructions: 0,
                };
                Ok(call(&arguments, &moment)?.unwrap_or(Value::Undefined))
            };
            let arity = u8::try_from(own.arity).unwrap_or(u8::MAX);
            engine
                .add_extension(own.name.to_owned(), arity, Box::new(extension))
                .map_err(|error| failed(&error))?;
        }
        let stand_in = StandIn::new().map_err(|error| failed(&error))?;
        for (name, builtin) in BUILTINS.iter() {
            // The interpreter iterates over what `walk` finds; it cannot do so with a wrapper.
            if *name == "walk"
                || builtins::find(name).is_some()
                || !matches!(builtins::known(name), Some(Known::Arity(_)))
            {
                continue;
            }
            let (builtin, stand_in): (BuiltinFcn, _) = (*builtin, stand_in.clone());
            let extension = move |arguments: Vec<Value>| Ok(stand_in.call(builtin, &arguments));
            engine
                .add_extension((*name).to_owned(), builtin.1, Box::new(extension))
                .map_err(|error| failed(&error))?;
        }
        Ok(Ready { engine, now_ns })
    }

    pub fn set(&mut self, input: Value, moment: &Moment) {
        self.now_ns.store(moment.now_ns, Ordering::Relaxed);
        self.engine.set_input(input);
        self.engine.set_execution_timer_config(budget(moment));
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

pub(crate) fn eval_error<E>(error: &E) -> EvalError
where
    E: std::fmt::Display + AsRef<dyn std::error::Error + Send + Sync>,
{
    // A function's error arrives as its text.
    let text = error.to_string();
    let cause: &(dyn std::error::Error + Send + Sync) = error.as_ref();
    let limits = ["exceeded time limit", builtins::Exceeded::TEXT];
    if cause.downcast_ref::<LimitError>().is_some() || limits.iter().any(|l| text.contains(l)) {
        EvalError::Budget
    } else {
        EvalError::Failed(crate::error::one_line(&text))
    }
}

/// What builtins want for their messages, which nobody reads.
#[derive(Clone)]
struct StandIn {
    span: Span,
    parameters: Arc<Vec<Ref<Expr>>>,
}

impl StandIn {
    fn new() -> Result<Self, impl std::fmt::Display> {
        Source::from_contents("builtin".to_owned(), "_".to_owned()).map(|source| {
            let span = Span {
                source,
                line: 1,
                col: 1,
                start: 0,
                end: 1,
            };
            let parameters = (0..u8::MAX)
                .map(|_| {
                    Ref::new(Expr::Null {
                        span: span.clone(),
                        value: Value::Null,
                        eidx: 0,
                    })
                })
                .collect();
            StandIn {
                span,
                parameters: Arc::new(parameters),
            }
        })
    }

    fn call(&self, builtin: BuiltinFcn, arguments: &[Value]) -> Value {
        let parameters = self.parameters.get(..arguments.len()).unwrap_or_default();
        (builtin.0)(&self.span, parameters, arguments, false).unwrap_or(Value::Undefined)
    }
}
