//! What those who read a policy's files need of the builtins.

use crate::{
    builtins::{self, Meter, World, yaml},
    policy::Moment,
    value::{self, Value},
};

/// Of what an evaluation may do, for each byte of a text: aliases repeat what is written once.
const PER_BYTE: u32 = 8;
/// And for any.
const LEAST: u32 = 10_000;

/// YAML as `yaml.unmarshal` reads it. It is read in one go: who must not wait bounds the text.
///
/// # Errors
/// Where it is no YAML, or has no JSON.
pub fn from_yaml(text: &str) -> Result<Value, String> {
    within_budget(text, |world| {
        yaml::read(text, yaml::Words::YesNo, world).map_err(|error| error.to_string())
    })
}

/// `glob.match` without delimiters: a `*` matches slashes too.
///
/// # Errors
/// Where the pattern is no glob.
pub fn glob_matches(pattern: &str, text: &str) -> Result<bool, String> {
    let arguments = [value::string(pattern), Value::Null, value::string(text)];
    let answer = within_budget(pattern, |world| {
        builtins::call("glob.match", &arguments, world).map_err(|failure| failure.to_string())
    })?;
    match answer {
        Value::Bool(matches) => Ok(matches),
        _ => Err("it is no glob".to_owned()),
    }
}

fn within_budget<T>(text: &str, ask: impl FnOnce(&World<'_>) -> T) -> T {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let moment = Moment {
        now_ns: 0,
        instructions: length.saturating_mul(PER_BYTE).saturating_add(LEAST),
        strict_builtin_errors: true,
    };
    let meter = Meter::new(&moment);
    ask(&World {
        moment,
        meter: &meter,
    })
}
