//! The functions a policy may call: regorus's own where they are right, ours where they are not.
//! Adding one of ours is adding an entry to [`OWN`].

use regorus::unstable::BUILTINS;

use crate::{
    policy::Moment,
    value::{self, Value},
};

/// A function of ours. It stands before regorus's of the same name, on both evaluators.
pub(crate) struct Own {
    pub name: &'static str,
    pub arity: usize,
    /// None is undefined: a builtin's error, as OPA takes it by default.
    pub call: fn(&[Value], &Moment) -> Option<Value>,
}

pub(crate) const OWN: &[Own] = &[
    own("json.is_valid", 1, json_is_valid),
    own("json.unmarshal", 1, json_unmarshal),
    own("numbers.range", 2, numbers_range),
    own("numbers.range_step", 3, numbers_range_step),
    own("time.now_ns", 0, |_, moment| {
        Some(Value::from(moment.now_ns))
    }),
    own("to_number", 1, to_number),
];

/// regorus's, refused: each takes work or memory past any budget, or is not of this world.
const REFUSED: &[(&str, &str)] = &[
    ("bits.lsh", " yet: a large shift would take all memory"),
    (
        "graph.reachable_paths",
        " yet: it may take exponential time",
    ),
    ("rand.intn", ": a decision is not left to chance"),
    ("strings.count", " yet"),
    ("trace", " yet"),
    ("units.parse", " yet"),
    ("units.parse_bytes", " yet"),
];

/// OPA's that are neither regorus's nor ours; told apart from mistakes in spelling.
const MISSING: &[&str] = &[
    "array.flatten",
    "cast_array",
    "cast_boolean",
    "cast_null",
    "cast_object",
    "cast_set",
    "cast_string",
    "glob.match",
    "glob.quote_meta",
    "http.send",
    "io.jwt.decode",
    "io.jwt.decode_verify",
    "io.jwt.encode_sign",
    "io.jwt.encode_sign_raw",
    "json.match_schema",
    "json.verify_schema",
    "net.lookup_ip_addr",
    "opa.runtime",
    "re_match",
    "set_diff",
    "strings.render_template",
    "yaml.is_valid",
    "yaml.marshal",
    "yaml.unmarshal",
];

/// The families of OPA's functions of which nothing is here yet.
const MISSING_FAMILIES: &[&str] = &[
    "crypto.",
    "graphql.",
    "io.jwt.verify_",
    "net.cidr_",
    "providers.aws.",
    "regex.",
    "rego.",
    "time.",
    "urlquery.",
    "uuid.",
];

/// What is known of a name that no rule has.
pub(crate) enum Known {
    Arity(usize),
    /// `print` takes what it is given.
    Any,
    /// And why.
    Unsupported(&'static str),
}

pub(crate) fn known(name: &str) -> Option<Known> {
    if name == "print" {
        return Some(Known::Any);
    }
    if let Some(own) = find(name) {
        return Some(Known::Arity(own.arity));
    }
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Some(Known::Unsupported(why));
    }
    if let Some((_, arity)) = BUILTINS.get(name) {
        return Some(Known::Arity(usize::from(*arity)));
    }
    (MISSING.contains(&name)
        || MISSING_FAMILIES
            .iter()
            .any(|family| name.starts_with(family)))
    .then_some(Known::Unsupported(" yet"))
}

/// Whether `with` may put something in its place: the interpreter replaces what regorus knows.
pub(crate) fn replaceable(name: &str) -> bool {
    BUILTINS.contains_key(name)
}

pub(crate) fn find(name: &str) -> Option<&'static Own> {
    OWN.iter().find(|own| own.name == name)
}

const fn own(
    name: &'static str,
    arity: usize,
    call: fn(&[Value], &Moment) -> Option<Value>,
) -> Own {
    Own { name, arity, call }
}

fn json_unmarshal(arguments: &[Value], _: &Moment) -> Option<Value> {
    let [Value::String(text)] = arguments else {
        return None;
    };
    let json = serde_json::from_str(text).ok()?;
    value::from_json(&json).ok()
}

fn json_is_valid(arguments: &[Value], moment: &Moment) -> Option<Value> {
    match arguments {
        [Value::String(_)] => Some(Value::Bool(json_unmarshal(arguments, moment).is_some())),
        _ => Some(Value::Bool(false)),
    }
}

fn to_number(arguments: &[Value], _: &Moment) -> Option<Value> {
    match arguments {
        [Value::Null] => Some(Value::from(0_u64)),
        [Value::Bool(value)] => Some(Value::from(u64::from(*value))),
        [number @ Value::Number(_)] => Some(number.clone()),
        [Value::String(text)] => {
            let json: serde_json::Number = text.parse().ok()?;
            value::number_from_text(json.as_str()).ok()
        }
        _ => None,
    }
}

fn numbers_range(arguments: &[Value], _: &Moment) -> Option<Value> {
    let [from, to] = arguments else {
        return None;
    };
    range(from, to, 1)
}

fn numbers_range_step(arguments: &[Value], _: &Moment) -> Option<Value> {
    let [from, to, step] = arguments else {
        return None;
    };
    range(from, to, step.as_i64().ok().filter(|step| *step > 0)?)
}

/// At most so many numbers at once: building them is one instruction.
const MAX_RANGE: i64 = 100_000;

fn range(from: &Value, to: &Value, step: i64) -> Option<Value> {
    let (from, to) = (from.as_i64().ok()?, to.as_i64().ok()?);
    let last = from.abs_diff(to).checked_div(step.unsigned_abs())?;
    let last = i64::try_from(last).ok().filter(|last| *last < MAX_RANGE)?;
    let step = if from <= to {
        step
    } else {
        step.checked_neg()?
    };
    let numbers: Option<Vec<Value>> = (0..=last)
        .map(|index| from.checked_add(index.checked_mul(step)?).map(Value::from))
        .collect();
    numbers.map(Value::from)
}
