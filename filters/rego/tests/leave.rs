//! A policy that leaves the machine stays with the interpreter, in every clone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_rego::{
    Choice, Entrypoint, EvalError, Module, Moment, Policy, RegoVersion, Sources, Value, value,
};

/// The machine stops at the first definition that says `true`. The interpreter asks the second one
/// too, which reads a rule of two values.
const DIFFERING: &str = "package p

allow if input.method == \"GET\"

allow if level == 1

level := 1 if input.path == \"/x\"

level := 2 if input.path == \"/x\"
";

#[test]
fn what_left_the_machine_is_the_interpreters() {
    let policy = load(DIFFERING);
    let clone = policy.clone();
    let (entrypoint, other) = (allow(), Entrypoint::parse("p/level").unwrap());
    let ask = |policy: &Policy| policy.evaluate(&entrypoint, input("/x"), &MOMENT);

    assert_eq!(policy.evaluator(&entrypoint), Some(Choice::Rvm));
    assert_eq!(ask(&policy), Ok(Some(Value::from(true))));
    let reference = policy.evaluate_by_interpreter(&entrypoint, input("/x"), &MOMENT);
    assert!(matches!(reference, Err(EvalError::Failed(_))));

    policy.leave_machine(&entrypoint, "the evaluators differed");
    policy.leave_machine(&entrypoint, "not the first reason");
    let reason = "the evaluators differed".to_owned();
    assert_eq!(
        policy.evaluator(&entrypoint),
        Some(Choice::Interpreter { reason })
    );
    assert!(!clone.is_on_machine(&entrypoint));
    assert_eq!(ask(&policy), reference);
    assert_eq!(ask(&clone), reference);
    let elsewhere = policy.evaluate(&entrypoint, input("/y"), &MOMENT);
    assert_eq!(elsewhere, Ok(Some(Value::from(true))));
    assert!(policy.is_on_machine(&other));
}

fn load(text: &str) -> Policy {
    let sources = Sources {
        modules: vec![Module::new("p.rego", text)],
        data: value::from_json(&serde_json::json!({})).unwrap(),
        version: RegoVersion::V1,
    };
    Policy::load(sources, &[allow(), Entrypoint::parse("p/level").unwrap()]).unwrap()
}

fn allow() -> Entrypoint {
    Entrypoint::parse("p/allow").unwrap()
}

fn input(path: &str) -> Value {
    value::from_json(&serde_json::json!({"method": "GET", "path": path})).unwrap()
}

const MOMENT: Moment = Moment {
    now_ns: 0,
    instructions: 200_000,
    strict_builtin_errors: false,
};
