//! A share of requests is asked of both evaluators. Where they differ the stricter answer holds, the
//! record tells of it, and the policy is the interpreter's from there on.

use crate::{
    answer::{self, Answer, Failure, Said},
    decision::Difference,
    pass::Pass,
    words::Reason,
};
use portcullis_rego::{Entrypoint, EvalError, Moment, Policy, Value};

/// What a policy gave as a rule's value.
type Result = std::result::Result<Option<Value>, EvalError>;

const ANSWERS_DIFFER: &str =
    "both evaluators allow the request, and differ in the rest of their answers";

/// What came of asking.
pub struct Asked {
    pub said: Said,
    pub difference: Option<Difference>,
    /// What it was read from, where that was one value.
    pub value: Option<Value>,
}

/// Asks the policy, and where it is this request's turn, both evaluators. Costs nothing where there
/// is only the interpreter to ask.
pub fn ask(
    policy: &Policy,
    pass: &Pass<'_>,
    rule: &Entrypoint,
    input: Value,
    moment: &Moment,
) -> Asked {
    let said = |result| answer::said(result, &pass.config.headers);
    let agreed = |result: Result| Asked {
        value: result.as_ref().ok().cloned().flatten(),
        said: said(result),
        difference: None,
    };
    let is_checked =
        pass.config.self_check.takes(pass.moment.decision_id) && policy.is_on_machine(rule);
    if !is_checked {
        return agreed(policy.evaluate(rule, input, moment));
    }
    let machine = policy.evaluate(rule, input.clone(), moment);
    let interpreter = policy.evaluate_by_interpreter(rule, input, moment);
    if agree(&machine, &interpreter) {
        return agreed(machine);
    }
    let (machine, interpreter) = (said(machine), said(interpreter));
    let difference = Difference {
        machine: answer::reason(&machine),
        interpreter: answer::reason(&interpreter),
    };
    policy.leave_machine(rule, format!("the evaluators differed: {difference}"));
    Asked {
        said: stricter(machine, interpreter),
        difference: Some(difference),
        value: None,
    }
}

/// Whether the evaluators came to the same, as far as can be told.
fn agree(machine: &Result, interpreter: &Result) -> bool {
    match (machine, interpreter) {
        // Their instructions count different things, so one may answer where the other's budget is
        // used up. Nothing is learnt of what the policy means: the machine's word holds unchecked,
        // and is a refusal where the budget was its own.
        (Err(EvalError::Budget), _) | (_, Err(EvalError::Budget)) => true,
        // Each has words of its own for what went wrong.
        (Err(_), Err(_)) => true,
        (Ok(machine), Ok(interpreter)) => machine == interpreter,
        _ => false,
    }
}

/// A refusal over an allow; of two refusals the interpreter's, which is the reference.
fn stricter(machine: Said, interpreter: Said) -> Said {
    let allows = |said: &Said| matches!(said, Ok(Answer::Allow(..)));
    match (allows(&machine), allows(&interpreter)) {
        (true, true) if machine != interpreter => Err(Failure {
            reason: Reason::PolicyError,
            detail: Some(ANSWERS_DIFFER.to_owned()),
        }),
        (false, true) => machine,
        _ => interpreter,
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWERS_DIFFER, Result, agree, stricter};
    use crate::{
        answer::{Answer, Edits, Failure, Note, Said, Shape},
        words::Reason,
    };
    use portcullis_rego::{EvalError, Value};

    fn allow(header: &str) -> Said {
        let edits = Edits {
            remove_headers: vec![header.to_owned()],
            ..Edits::default()
        };
        Ok(Answer::Allow(edits, Note::default()))
    }

    fn deny(status: u16) -> Said {
        let shape = Shape {
            status: Some(status),
            ..Shape::default()
        };
        Ok(Answer::Deny(shape, Note::default()))
    }

    fn failure(reason: Reason, detail: &str) -> Said {
        Err(Failure {
            reason,
            detail: Some(detail.to_owned()),
        })
    }

    #[test]
    fn the_stricter_answer_holds() {
        let undefined = || failure(Reason::PolicyUndefined, "");
        let error = || failure(Reason::PolicyError, "a conflict");
        let differ = || failure(Reason::PolicyError, ANSWERS_DIFFER);
        // The machine's, the interpreter's, what holds.
        let table = [
            (allow("x-a"), deny(403), deny(403)),
            (allow("x-a"), undefined(), undefined()),
            (allow("x-a"), error(), error()),
            (deny(403), allow("x-a"), deny(403)),
            (undefined(), allow("x-a"), undefined()),
            (error(), allow("x-a"), error()),
            (deny(403), deny(401), deny(401)),
            (deny(403), undefined(), undefined()),
            (error(), deny(403), deny(403)),
            (undefined(), error(), error()),
            (allow("x-a"), allow("x-b"), differ()),
            // Values of which the gate reads the same.
            (allow("x-a"), allow("x-a"), allow("x-a")),
        ];
        for (machine, interpreter, holds) in table {
            let shown = format!("{machine:?} against {interpreter:?}");
            assert_eq!(stricter(machine, interpreter), holds, "{shown}");
        }
    }

    #[test]
    fn a_used_up_budget_and_other_words_are_no_difference() {
        let value = |value: bool| -> Result { Ok(Some(Value::from(value))) };
        let failed = |text: &str| -> Result { Err(EvalError::Failed(text.to_owned())) };
        let budget = || -> Result { Err(EvalError::Budget) };
        // What one says, what the other says, whether that is one thing.
        let table = [
            (value(true), value(true), true),
            (value(true), value(false), false),
            (value(true), Ok(None), false),
            (value(false), Ok(None), false),
            (value(true), failed("a conflict"), false),
            (value(false), failed("a conflict"), false),
            (Ok(None), failed("a conflict"), false),
            (Ok(None), Ok(None), true),
            (failed("a conflict"), failed("more than one value"), true),
            (budget(), value(true), true),
            (budget(), value(false), true),
            (budget(), Ok(None), true),
            (budget(), failed("a conflict"), true),
            (budget(), budget(), true),
        ];
        for (one, other, same) in table {
            assert_eq!(agree(&one, &other), same, "{one:?} against {other:?}");
            assert_eq!(agree(&other, &one), same, "{other:?} against {one:?}");
        }
    }
}
