//! The functions a policy may call: regorus's own where they are right, ours where they are not.
//! Adding one of ours is adding an entry
//! to its family's `FUNCTIONS`.

mod call;
mod crypto;
mod json;
mod jwt;
mod numbers;
mod operand;
mod theirs;
mod time;
mod x509;

use std::{collections::HashMap, sync::LazyLock};

use regorus::unstable::BUILTINS;

pub(crate) use call::{Failure, Meter, World};
use call::{Outcome, Own};

use crate::value::Value;

/// Every function of ours, a file a family.
const FAMILIES: &[&[Own]] = &[
    crypto::FUNCTIONS,
    json::FUNCTIONS,
    jwt::FUNCTIONS,
    numbers::FUNCTIONS,
    time::FUNCTIONS,
    x509::FUNCTIONS,
];

static OWN: LazyLock<HashMap<&'static str, &'static Own>> =
    LazyLock::new(|| families().map(|own| (own.name, own)).collect());

fn families() -> impl Iterator<Item = &'static Own> {
    FAMILIES.iter().copied().flatten()
}

/// Cheap, and their result no larger than what they are given: the machine may call regorus's by
/// itself. Every other builtin is called by [`call`].
const NATIVE: &[&str] = &[];

/// The names and numbers of arguments of all that is called by [`call`].
pub(crate) fn called() -> impl Iterator<Item = (&'static str, usize)> {
    let theirs = BUILTINS
        .iter()
        .filter(|(name, _)| find(name).is_none() && is_called(name))
        .map(|(name, builtin)| (*name, usize::from(builtin.1)));
    families().map(|own| (own.name, own.arity)).chain(theirs)
}

/// The interpreter iterates over what `walk` finds; it cannot do so with a function of ours.
fn is_called(name: &str) -> bool {
    name != "walk" && !NATIVE.contains(&name) && matches!(known(name), Some(Known::Arity(_)))
}

/// Calls a builtin by its name. What OPA takes for undefined is undefined.
///
/// # Errors
/// What must end the evaluation.
pub(crate) fn call(name: &str, arguments: &[Value], world: &World<'_>) -> Result<Value, Failure> {
    let outcome: Outcome = match (find(name), theirs::find(name)) {
        (Some(own), _) => (own.call)(arguments, world),
        (None, Some(builtin)) => theirs::call(builtin, arguments, world),
        (None, None) => Err(Failure::Unsupported("an unknown builtin")),
    };
    match outcome {
        Ok(value) => Ok(value.unwrap_or(Value::Undefined)),
        Err(Failure::Error(_)) if !world.moment.strict_builtin_errors => Ok(Value::Undefined),
        Err(failure) => Err(failure),
    }
}

fn find(name: &str) -> Option<&'static Own> {
    OWN.get(name).copied()
}

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
    "graphql.",
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
