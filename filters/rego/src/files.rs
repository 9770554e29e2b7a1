//! What those who read a policy's files need of the builtins.

use crate::{
    builtins::{self, Meter, World, yaml},
    policy::Moment,
    value::{self, Value},
};

/// Of what an evaluation may do. A longer text is refused.
const BUDGET: u32 = 10_000_000;

/// YAML as `yaml.unmarshal` reads it. It is read in one go: who must not wait bounds the text.
///
/// # Errors
/// Where it is no YAML, or has no JSON.
pub fn from_yaml(text: &str) -> Result<Value, String> {
    within_budget(|world| yaml::read(text, yaml::Words::YesNo, world).map_err(|e| e.to_string()))
}

/// `glob.match` without delimiters: a `*` matches slashes too.
///
/// # Errors
/// Where the pattern is no glob.
pub fn glob_matches(pattern: &str, text: &str) -> Result<bool, String> {
    let arguments = [value::string(pattern), Value::Null, value::string(text)];
    let answer = within_budget(|world| {
        builtins::call("glob.match", &arguments, world).map_err(|failure| failure.to_string())
    })?;
    match answer {
        Value::Bool(matches) => Ok(matches),
        _ => Err("it is no glob".to_owned()),
    }
}

fn within_budget<T>(ask: impl FnOnce(&World<'_>) -> T) -> T {
    let moment = Moment {
        now_ns: 0,
        instructions: BUDGET,
        strict_builtin_errors: true,
    };
    let meter = Meter::new(&moment);
    ask(&World {
        moment,
        meter: &meter,
    })
}
