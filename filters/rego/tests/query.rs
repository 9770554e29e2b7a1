//! Queries answer as `opa eval --format json` does.

#![expect(clippy::unwrap_used, reason = "a test, outside of its test functions")]

use portcullis_rego::{Module, Moment, QueryError, Sources, query, value};
use serde_json::json;

const MOMENT: Moment = Moment {
    now_ns: 7,
    instructions: 200_000,
    strict_builtin_errors: false,
};

fn sources() -> Sources {
    Sources {
        modules: vec![
            Module::new(
                "a.rego",
                "package a\nb := input.x + 1\ns contains x if some x in [2, 1]\nnow := time.now_ns()",
            ),
            Module::new(
                "h.rego",
                "package h\na[k].r contains 2 if some k in [\"b\"]\na.b.r contains 1",
            ),
        ],
        data: value::from_json(&json!({"roles": ["admin"], "zero": 0, "two": {"a": 1, "b": 2}}))
            .unwrap(),
        ..Sources::default()
    }
}

fn ask(text: &str) -> Result<serde_json::Value, QueryError> {
    let input = value::from_json(&json!({"x": 1})).unwrap();
    query(sources(), Some(input), text, &MOMENT).map(|rows| rows.to_json())
}

#[test]
fn a_rule() {
    assert_eq!(
        ask("data.a.b").unwrap(),
        json!({"result": [{"expressions": [
            {"value": 2, "text": "data.a.b", "location": {"row": 1, "col": 1}}
        ]}]})
    );
}

#[test]
fn rules_data_and_the_moment() {
    for (text, expected) in [
        ("data.a.s", json!([1, 2])),
        ("data.a.now", json!(7)),
        ("data.roles[0]", json!("admin")),
        ("data.a", json!({"b": 2, "now": 7, "s": [1, 2]})),
    ] {
        let found = ask(text).unwrap();
        assert_eq!(
            found["result"][0]["expressions"][0]["value"], expected,
            "{text}"
        );
    }
}

#[test]
fn bindings() {
    let found = ask("x := data.a.b; x > 1").unwrap();
    assert_eq!(found["result"][0]["bindings"], json!({"x": 2}));
    assert_eq!(
        found["result"][0]["expressions"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn undefined() {
    assert_eq!(ask("data.a.nothing").unwrap(), json!({}));
    assert_eq!(ask("x := data.a.b; x > 2").unwrap(), json!({}));
}

#[test]
fn what_is_no_query() {
    assert!(matches!(ask("data.a.("), Err(QueryError::Query(_))));
    assert!(matches!(ask("nope(1)"), Err(QueryError::Query(_))));
    assert!(matches!(
        ask("rand.intn(\"a\", 3)"),
        Err(QueryError::Query(_))
    ));
}

#[test]
fn what_is_ours() {
    for text in ["__portcullis_add(1, 2)", "x := __portcullis"] {
        assert!(matches!(ask(text), Err(QueryError::Query(_))), "{text}");
    }
}

/// A query means what it would in a policy.
#[test]
fn rewritten_as_policies_are() {
    for (text, expected) in [
        // An error of arithmetic is undefined.
        ("x := [y | y := 1 / data.zero]", json!([{"x": []}])),
        ("not 1 / data.zero > 1; x := 1", json!([{"x": 1}])),
        // A pattern fits exactly.
        ("{\"a\": x} = data.two", json!([])),
        ("{\"a\": x, \"b\": y} = data.two", json!([{"x": 1, "y": 2}])),
        ("some {\"a\": x, \"b\": _} in [data.two]", json!([{"x": 1}])),
        ("some x in data.zero", json!([])),
        // A builtin's result as one argument more, its stand-in, and `walk`.
        ("count([1, 2], x)", json!([{"x": 2}])),
        (
            "x := time.now_ns() with time.now_ns as 3",
            json!([{"x": 3}]),
        ),
        ("walk({\"a\": 1}, [[\"a\"], x])", json!([{"x": 1}])),
        // A value that one round lacks.
        (
            "x := {data.two[k] | some k in [\"a\", \"z\"]}",
            json!([{"x": [1]}]),
        ),
        ("x := data.h.a.b.r", json!([{"x": [1, 2]}])),
        ("x := $\"a {data.two.a}\"", json!([{"x": "a 1"}])),
    ] {
        let found = ask(text).unwrap();
        let rows = found["result"].as_array().cloned().unwrap_or_default();
        let bindings: Vec<_> = rows.iter().map(|row| row["bindings"].clone()).collect();
        assert_eq!(json!(bindings), expected, "{text}");
    }
}

#[test]
fn expressions_as_they_were_written() {
    let found = ask("{\"a\": x, \"b\": y} = data.two; x <\n  y; count([1], z)").unwrap();
    let expressions = &found["result"][0]["expressions"];
    assert_eq!(
        expressions,
        &json!([
            {"value": true, "text": "{\"a\": x, \"b\": y} = data.two", "location": {"row": 1, "col": 1}},
            {"value": true, "text": "x <\n  y", "location": {"row": 1, "col": 30}},
            {"value": true, "text": "count([1], z)", "location": {"row": 2, "col": 6}},
        ])
    );
}

#[test]
fn where_a_query_is_wrong() {
    let Err(QueryError::Query(error)) = ask("x := 1;\ny := nope(x)") else {
        panic!("it is wrong");
    };
    assert_eq!(error.to_string(), "query:2:6: unknown function `nope`");
}

#[test]
fn without_input() {
    let found = query(sources(), None, "data.a.b", &MOMENT).unwrap();
    assert_eq!(found.to_json(), json!({}));
}

/// A value of several lines that moves into the body takes no line along.
#[test]
fn an_error_names_the_line_that_was_written() {
    let text = r##"package a

p := {
	"x": input.x, # a comment; with { and "
	"y": [y |
		some y in input.ys
		y > 1 # and another
		y < 9
	],
	"z": `raw
text`,
} if {
	some r in input.rs
	r == 1
}

q := 1
q := 2 if input.x
"##;
    let sources = Sources {
        modules: vec![Module::new("a.rego", text)],
        ..Sources::default()
    };
    let input = value::from_json(&json!({"x": 1, "ys": [1, 2, 9], "rs": [0, 1]})).unwrap();
    let found = query(sources.clone(), Some(input.clone()), "data.a.p", &MOMENT).unwrap();
    assert_eq!(
        found.to_json()["result"][0]["expressions"][0]["value"],
        json!({"x": 1, "y": [2], "z": "raw\ntext"})
    );
    let error = query(sources, Some(input), "data.a.q", &MOMENT).unwrap_err();
    let places = ["a.rego:17:", "a.rego:18:"];
    assert!(
        places.iter().all(|place| error.to_string().contains(place)),
        "{error}"
    );
}
