//! A policy that is loaded in steps: the same policy, in pieces that grow in number and not in size.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_rego::{
    Entrypoint, LoadErrors, Loading, Module, Moment, Policy, RegoVersion, Sources, Value,
    testing::Suite,
};

const MOMENT: Moment = Moment {
    now_ns: 0,
    instructions: 100_000,
    strict_builtin_errors: false,
};

fn sources(modules: usize) -> Sources {
    let module = |index: usize| {
        let text = format!(
            "package p.m{index}\n\nallow if {{\n\tsome role in input.roles\n\trole == \"r{index}\"\n}}\n\
             \nnames contains upper(name) if some name in input.names\n\ntest_allow if allow with input \
             as {{\"roles\": [\"r{index}\"]}}\n"
        );
        Module::new(format!("m{index}.rego"), text)
    };
    Sources {
        modules: (0..modules).map(module).collect(),
        data: portcullis_rego::from_yaml("{}").unwrap(),
        version: RegoVersion::V1,
    }
}

fn entrypoints() -> [Entrypoint; 2] {
    ["p/m0/allow", "p/m0"].map(|path| Entrypoint::parse(path).unwrap())
}

/// What came in the end, and in how many steps.
fn driven<T>(mut loading: Loading<T>) -> (Result<T, LoadErrors>, usize) {
    for steps in 1..100_000 {
        if let Some(loaded) = loading.step() {
            assert!(matches!(loading.step(), Some(Err(_))), "it ends once");
            return (loaded, steps);
        }
    }
    panic!("it does not end");
}

#[test]
fn steps_come_to_the_same_policy() {
    let whole = Policy::load(sources(3), &entrypoints()).unwrap();
    let (stepped, _) = driven(Loading::new(sources(3), &entrypoints()));
    let stepped = stepped.unwrap();
    let input = portcullis_rego::from_yaml("{roles: [r0], names: [a]}").unwrap();
    for entrypoint in entrypoints() {
        assert_eq!(stepped.evaluator(&entrypoint), whole.evaluator(&entrypoint));
        let answer = stepped.evaluate(&entrypoint, input.clone(), &MOMENT);
        assert!(matches!(answer, Ok(Some(_))), "{answer:?}");
        assert_eq!(answer, whole.evaluate(&entrypoint, input.clone(), &MOMENT));
    }
    assert_eq!(stepped.packages(), whole.packages());
    assert_eq!(stepped.reach(), whole.reach());
}

#[test]
fn more_modules_are_more_steps() {
    let steps = |modules| driven(Loading::new(sources(modules), &entrypoints())).1;
    let (few, many) = (steps(4), steps(40));
    assert!(few > 4 * 10, "{few}");
    assert!(many > few * 8, "{few}, {many}");
}

#[test]
fn errors_are_the_same() {
    let broken = || {
        let mut sources = sources(2);
        for (index, text) in [
            "package q\n\nallow if {\n",
            "package q\n\nallow if foo(1)\n",
        ]
        .into_iter()
        .enumerate()
        {
            sources
                .modules
                .push(Module::new(format!("q{index}.rego"), text));
        }
        sources
    };
    let whole = Policy::load(broken(), &entrypoints()).err();
    assert!(whole.is_some());
    assert_eq!(
        driven(Loading::new(broken(), &entrypoints())).0.err(),
        whole
    );
}

#[test]
fn its_own_tests_are_found_in_steps() {
    let (suite, steps) = driven(Suite::loading(sources(4)));
    assert!(steps > 4 * 10, "{steps}");
    let suite = suite.unwrap();
    assert_eq!(suite.tests().len(), 4);
    let mut sources = sources(1);
    sources.data = Value::Null;
    assert!(driven(Suite::loading(sources)).0.is_err());
}
