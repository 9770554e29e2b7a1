//! The functions a policy may call: regorus's own where they are right, ours where they are not.
//! Adding one of ours is adding an entry to its family's `FUNCTIONS`.

pub(crate) mod arithmetic;
mod bits;
mod call;
mod collections;
pub(crate) mod compare;
mod crypto;
mod deprecated;
mod effects;
mod encodings;
mod glob;
mod graph;
mod integers;
mod json;
mod jwt;
mod net;
mod numbers;
mod objects;
mod operand;
mod patch;
mod paths;
mod pattern;
mod regex;
mod replace;
mod schema;
mod semver;
mod shaped;
mod sprintf;
mod strings;
mod template;
mod theirs;
mod time;
mod units;
mod url;
mod uuid;
mod walk;
mod x509;
pub(crate) mod yaml;

use std::{collections::HashMap, sync::LazyLock};

use regorus::unstable::BUILTINS;

pub(crate) use call::{Failure, Meter, World};
use call::{Outcome, Own};
pub(crate) use shaped::SHAPED;
pub(crate) use template::TEMPLATE;
pub(crate) use walk::WALK;

use crate::value::Value;

/// Every function of ours, a file a family.
const FAMILIES: &[&[Own]] = &[
    arithmetic::FUNCTIONS,
    bits::FUNCTIONS,
    collections::FUNCTIONS,
    compare::FUNCTIONS,
    crypto::FUNCTIONS,
    deprecated::FUNCTIONS,
    effects::FUNCTIONS,
    encodings::FUNCTIONS,
    glob::FUNCTIONS,
    graph::FUNCTIONS,
    json::FUNCTIONS,
    jwt::FUNCTIONS,
    net::FUNCTIONS,
    numbers::FUNCTIONS,
    objects::FUNCTIONS,
    patch::FUNCTIONS,
    paths::FUNCTIONS,
    regex::FUNCTIONS,
    replace::FUNCTIONS,
    schema::FUNCTIONS,
    semver::FUNCTIONS,
    shaped::FUNCTIONS,
    sprintf::FUNCTIONS,
    strings::FUNCTIONS,
    template::FUNCTIONS,
    time::FUNCTIONS,
    units::FUNCTIONS,
    url::FUNCTIONS,
    uuid::FUNCTIONS,
    walk::FUNCTIONS,
    x509::FUNCTIONS,
    yaml::FUNCTIONS,
];

static OWN: LazyLock<HashMap<&'static str, &'static Own>> =
    LazyLock::new(|| families().map(|own| (own.name, own)).collect());

fn families() -> impl Iterator<Item = &'static Own> {
    FAMILIES.iter().copied().flatten()
}

/// Cheap, and their result no larger than what they are given: the machine may call regorus's by
/// itself.
const NATIVE: &[&str] = &[
    "abs",
    "ceil",
    "endswith",
    "floor",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "round",
    "startswith",
    "type_name",
];

/// The names and numbers of arguments of all that is called by [`call`].
pub(crate) fn called() -> impl Iterator<Item = (&'static str, usize)> {
    let theirs = BUILTINS
        .iter()
        .filter(|(name, _)| find(name).is_none() && is_called(name))
        .map(|(name, builtin)| (*name, usize::from(builtin.1)));
    families().map(|own| (own.name, own.arity)).chain(theirs)
}

fn is_called(name: &str) -> bool {
    name != "walk" && matches!(known(name), Some(Known::Arity(_)))
}

/// The same for the machine.
pub(crate) fn called_by_machine() -> impl Iterator<Item = (&'static str, usize)> {
    called().filter(|(name, _)| !NATIVE.contains(name))
}

/// Calls a builtin by its name. What OPA takes for undefined is undefined.
///
/// # Errors
/// What must end the evaluation.
pub(crate) fn call(name: &str, arguments: &[Value], world: &World<'_>) -> Result<Value, Failure> {
    let outcome: Outcome = match find(name) {
        Some(own) => (own.call)(arguments, world),
        None => theirs::call(name, arguments, world),
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

/// Refused for good: each takes work or memory past any budget, is not of this world, or was
/// given up.
const REFUSED: &[(&str, &str)] = &[
    (
        RUNTIME,
        ": a proxy has no configuration and no environment to show",
    ),
    (
        "providers.aws.sign_req",
        ": a gate signs no requests to another service",
    ),
    ("rand.intn", ": a decision is not left to chance"),
    (
        "rego.parse_module",
        ": there is no OPA here whose syntax tree it would show",
    ),
    ("uuid.rfc4122", ": a decision is not left to chance"),
    (
        "net.lookup_ip_addr",
        ": a proxy's filter cannot look up names",
    ),
    (
        "strings.render_template",
        ": Go's template language is not here",
    ),
];

/// It shows OPA's configuration, of which there is none: refused, but where `with` puts it in the place
/// of [`NOW`] and it says only that it is empty.
pub(crate) const RUNTIME: &str = "opa.runtime";

/// Its value is a number, of which nothing reads a member.
pub(crate) const NOW: &str = "time.now_ns";

/// The families of OPA's functions of which something or all is neither regorus's nor ours; told
/// apart from mistakes in spelling.
const MISSING_FAMILIES: &[&str] = &["crypto.", "graphql.", "io.jwt.verify_"];

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
    // What regorus's compiler calls is for no policy to call.
    if let Some((_, arity)) = BUILTINS.get(name)
        && !name.starts_with("__builtin")
    {
        return Some(Known::Arity(usize::from(*arity)));
    }
    MISSING_FAMILIES
        .iter()
        .any(|family| name.starts_with(family))
        .then_some(Known::Unsupported(" yet"))
}

#[cfg(test)]
mod tests {
    use super::{OWN, REFUSED, families};

    #[test]
    fn each_name_stands_once() {
        assert_eq!(families().count(), OWN.len());
        for (name, _) in REFUSED {
            assert!(!OWN.contains_key(name), "{name} is ours");
        }
    }
}
