//! No policy overflows the stack or hangs: it loads and answers, or is refused.

use portcullis_rego::{Entrypoint, Module, Moment, Policy, Sources, Value};

const MOMENT: Moment = Moment {
    now_ns: 0,
    instructions: 200_000,
    strict_builtin_errors: false,
};

/// Loads a policy of one rule, and asks both evaluators.
fn ask(body: &str) -> Result<(), String> {
    let entrypoint = Entrypoint::parse("p/allow").map_err(|error| error.to_string())?;
    let sources = Sources {
        modules: vec![Module::new("p.rego", format!("package p\n\n{body}\n"))],
        ..Sources::default()
    };
    let policy = Policy::load(sources, std::slice::from_ref(&entrypoint))
        .map_err(|error| error.to_string())?;
    let input = Value::from_json_str(r#"{"x": 1}"#).map_err(|error| error.to_string())?;
    let one = policy.evaluate(&entrypoint, input.clone(), &MOMENT);
    let other = policy.evaluate_by_interpreter(&entrypoint, input, &MOMENT);
    assert_eq!(one.is_ok(), other.is_ok(), "{one:?} against {other:?}");
    Ok(())
}

/// The threads of a proxy have small stacks, and a guest has 1 MiB.
fn on_a_small_stack(body: String) {
    // Without optimization frames are many times as large.
    let size = if cfg!(debug_assertions) {
        32 << 20
    } else {
        1 << 20
    };
    let asked = std::thread::Builder::new()
        .stack_size(size)
        .spawn(move || ask(&body))
        .map(|thread| thread.join());
    assert!(matches!(asked, Ok(Ok(_))), "the stack overflowed");
}

#[test]
fn long_chains() {
    for (head, link) in [
        ("allow if 1 == 1", " + 1"),
        ("allow if 1 == 1", " * input.x"),
        ("allow if 1 == 1", " == 1"),
        ("allow := {1}", " | {1}"),
        ("allow := input", ".x"),
        ("allow := input", "[input.x]"),
        ("allow := 1 if input.y", "\nelse := 2 if input.y"),
        ("allow := 1", " in [1]"),
    ] {
        for length in [100, 199, 5_000, 50_000] {
            on_a_small_stack(format!("{head}{}", link.repeat(length)));
        }
    }
}

#[test]
fn deep_nests() {
    for (before, inner, after) in [
        ("allow := ", "[", "]"),
        ("allow := ", "(", ")"),
        ("allow := ", "{\"a\": ", "}"),
        ("allow := ", "count(", ")"),
        ("allow := ", "[1 | ", "]"),
        ("allow if ", "not ", ""),
        ("allow := ", "-", ""),
        ("allow if ", "every x in [1] { ", " }"),
        ("allow := ", "input[", "]"),
    ] {
        for depth in [10, 14, 31, 1_000, 50_000] {
            let text = format!(
                "{before}{}input.x{}",
                inner.repeat(depth),
                after.repeat(depth)
            );
            on_a_small_stack(text);
        }
    }
}

#[test]
fn rules_that_ask_rules() {
    for count in [100, 1_000] {
        let mut body = "x0 := [input.x]\n".to_owned();
        for index in 1..count {
            let before = index - 1;
            body.push_str(&format!("x{index} := [x{before}]\n"));
        }
        on_a_small_stack(format!("{body}allow := x{}", count - 1));
    }
}
