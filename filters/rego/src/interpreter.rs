//! regorus's interpreter: the reference, and the evaluator of what the virtual machine cannot.

use std::{num::NonZeroU32, time::Duration};

use regorus::{Engine, utils::limits::ExecutionTimerConfig};

use crate::{error::EvalError, policy::Moment, source::Entrypoint, value::Value};

pub(crate) struct Interpreter {
    engine: Engine,
}

impl Interpreter {
    pub fn new(engine: Engine) -> Self {
        Interpreter { engine }
    }

    pub fn evaluate(
        &self,
        entrypoint: &Entrypoint,
        input: Value,
        moment: &Moment,
    ) -> Result<Option<Value>, EvalError> {
        let mut engine = self.engine.clone();
        engine.set_input(input);
        engine.set_execution_timer_config(budget(moment));
        match engine.eval_rule(entrypoint.to_string()) {
            Ok(Value::Undefined) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(eval_error(&error)),
        }
    }
}

/// regorus bounds the interpreter by time, and looks at the clock after so many units of work. With
/// no time allowed the first look fails: the units are the budget.
pub(crate) fn budget(moment: &Moment) -> ExecutionTimerConfig {
    ExecutionTimerConfig {
        limit: Duration::ZERO,
        check_interval: NonZeroU32::new(moment.instructions).unwrap_or(NonZeroU32::MIN),
    }
}

pub(crate) fn eval_error(error: &dyn std::fmt::Display) -> EvalError {
    EvalError::Failed(error.to_string())
}
