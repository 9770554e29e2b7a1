//! From sources to a policy: parse, check, compile; every error with its place.

use regorus::Engine;

use crate::{
    check::Rules,
    error::{self, LoadError, LoadErrors},
    guard,
    interpreter::Interpreter,
    policy::{Choice, Loaded, Route},
    rvm::Rvm,
    source::{Entrypoint, Module, RegoVersion, Sources},
    value::Value,
};

pub(crate) fn load(sources: Sources, entrypoints: &[Entrypoint]) -> Result<Loaded, LoadErrors> {
    let Sources {
        modules,
        data,
        version,
    } = sources;
    let (mut engine, rules) = prepare(&modules, data.clone(), version, entrypoints)?;
    // Compiling analyzes every rule: a variable that is never bound is found here.
    for entrypoint in entrypoints {
        engine
            .compile_with_entrypoint(&entrypoint.as_str().into())
            .map_err(|error| error::from_regorus("", &error.to_string()))?;
    }
    let guarded = guard::modules(&modules, engine.get_modules());
    let routes = entrypoints
        .iter()
        .map(|entrypoint| {
            let machine = match rules.unfit(entrypoint) {
                Some(form) => Err(form.to_string()),
                None => Rvm::compile(&guarded, version, &data, entrypoint),
            };
            let (rvm, choice) = match machine {
                Ok(rvm) => (Some(rvm), Choice::Rvm),
                Err(reason) => (None, Choice::Interpreter { reason }),
            };
            Route {
                entrypoint: entrypoint.clone(),
                rvm,
                choice,
            }
        })
        .collect();
    Ok(Loaded {
        interpreter: Interpreter::new(engine),
        routes,
    })
}

/// An engine that has modules and data which passed every check.
pub(crate) fn prepare(
    modules: &[Module],
    data: Value,
    version: RegoVersion,
    entrypoints: &[Entrypoint],
) -> Result<(Engine, Rules), LoadErrors> {
    let mut errors = Vec::new();
    let mut engine = Engine::new();
    engine.set_rego_v0(version == RegoVersion::V0);
    // What is printed is dropped: a guest has no stdout.
    engine.set_gather_prints(true);
    for module in modules {
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            errors.push(error::from_regorus(&module.path, &error.to_string()));
        }
    }
    LoadErrors::refuse(std::mem::take(&mut errors))?;
    let rules = Rules::check(engine.get_modules(), &data, entrypoints);
    if !matches!(data, Value::Object(_)) {
        errors.push(LoadError::new("data", "the base data is no object"));
    }
    for error in &rules.errors {
        if !errors.contains(error) {
            errors.push(error.clone());
        }
    }
    LoadErrors::refuse(errors)?;
    engine
        .add_data(data)
        .map_err(|error| error::from_regorus("data", &error.to_string()))?;
    Ok((engine, rules))
}
