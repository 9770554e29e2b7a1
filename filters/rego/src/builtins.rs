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
    pub call: fn(&[Value], &Moment) -> Outcome,
}

/// None is undefined: a builtin's error, as OPA takes it by default. What OPA would do and this does
/// not is no such error: under `not` it would be true.
pub(crate) type Outcome = Result<Option<Value>, Exceeded>;

/// One call would take more than the budget lets a policy take.
#[derive(Debug)]
pub(crate) struct Exceeded;

impl Exceeded {
    /// The interpreter hands an error on as its text.
    pub const TEXT: &str = "a builtin exceeded the budget";
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Exceeded::TEXT)
    }
}

impl std::error::Error for Exceeded {}

pub(crate) const OWN: &[Own] = &[
    own("json.is_valid", 1, |arguments, moment| {
        Ok(json_is_valid(arguments, moment))
    }),
    own("json.unmarshal", 1, |arguments, moment| {
        Ok(json_unmarshal(arguments, moment))
    }),
    own("numbers.range", 2, numbers_range),
    own("numbers.range_step", 3, numbers_range_step),
    own("time.now_ns", 0, |_, moment| {
        Ok(Some(Value::from(moment.now_ns)))
    }),
    own("to_number", 1, |arguments, _| Ok(to_number(arguments))),
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

const fn own(name: &'static str, arity: usize, call: fn(&[Value], &Moment) -> Outcome) -> Own {
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

fn to_number(arguments: &[Value]) -> Option<Value> {
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

fn numbers_range(arguments: &[Value], _: &Moment) -> Outcome {
    let [from, to] = arguments else {
        return Ok(None);
    };
    range(from, to, 1)
}

fn numbers_range_step(arguments: &[Value], _: &Moment) -> Outcome {
    let [from, to, step] = arguments else {
        return Ok(None);
    };
    match step.as_i64() {
        Ok(step) if step > 0 => range(from, to, step),
        _ => Ok(None),
    }
}

/// At most so many numbers at once: building them is one instruction.
const MAX_RANGE: u64 = 100_000;

/// From one number to the other, either way; a positive step.
fn range(from: &Value, to: &Value, step: i64) -> Outcome {
    let (Ok(from), Ok(to)) = (from.as_i64(), to.as_i64()) else {
        return Ok(None);
    };
    let last = from.abs_diff(to) / step.unsigned_abs().max(1);
    if last >= MAX_RANGE {
        return Err(Exceeded);
    }
    let step = match from <= to {
        true => i128::from(step),
        false => -i128::from(step),
    };
    let numbers = (0..=i128::from(last)).map(|index| {
        let number = i128::from(from) + index * step;
        i64::try_from(number).map(Value::from).ok()
    });
    Ok(numbers.collect::<Option<Vec<Value>>>().map(Value::from))
}
