//! From sources to a policy: parse, check, compile; every error with its place.

use std::num::NonZeroU32;

use regorus::{Engine, utils::limits::PolicyLengthConfig};

use crate::{
    bind,
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
    let version = sources.version;
    let data = sources.data.clone();
    let Prepared {
        mut engine,
        modules,
        mut rules,
    } = prepare(sources, entrypoints)?;
    let guarded = guard::modules(&modules, engine.get_modules(), version);
    for (path, form) in guarded.unfit {
        rules.leave(&path, form);
    }
    let routes = entrypoints
        .iter()
        .map(|entrypoint| {
            let machine = match rules.unfit(entrypoint) {
                Some(form) => Err(form.to_string()),
                None => Rvm::compile(&guarded.modules, version, &data, entrypoint),
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

/// What passed every check.
pub(crate) struct Prepared {
    /// Has the modules and the data.
    pub engine: Engine,
    /// As the evaluators see them.
    modules: Vec<Module>,
    rules: Rules,
}

pub(crate) fn prepare(
    sources: Sources,
    entrypoints: &[Entrypoint],
) -> Result<Prepared, LoadErrors> {
    let Sources {
        mut modules,
        data,
        version,
    } = sources;
    let mut errors: Vec<LoadError> = modules
        .iter()
        .filter(|module| module.text.contains("__portcullis"))
        .map(|module| {
            LoadError::new(
                &module.path,
                "names that begin with `__portcullis` are ours",
            )
        })
        .collect();
    LoadErrors::refuse(std::mem::take(&mut errors))?;
    let mut engine = parse(&modules, version)?;
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
    // Compiling analyzes every rule: a variable that is never bound is found here.
    for entrypoint in entrypoints {
        engine
            .compile_with_entrypoint(&entrypoint.as_str().into())
            .map_err(|error| error::from_regorus("", &error.to_string()))?;
    }
    if let Some(braced) = bind::braces(&modules, engine.get_modules()) {
        modules = braced;
        engine = parse(&modules, version)?;
    }
    // As often as comprehensions stand in one another, and not without end.
    for _ in 0..MAX_ROUNDS {
        let Some(bound) = bind::modules(&modules, engine.get_modules(), version) else {
            break;
        };
        modules = bound;
        engine = parse(&modules, version)?;
    }
    // Which forms the evaluators see.
    let rules = Rules::check(engine.get_modules(), &data, entrypoints);
    engine
        .add_data(data)
        .map_err(|error| error::from_regorus("data", &error.to_string()))?;
    Ok(Prepared {
        engine,
        modules,
        rules,
    })
}

/// A token, a key or a certificate stands in one line.
const LONGEST_LINE: NonZeroU32 = NonZeroU32::MIN.saturating_add(65_535);

/// An engine that reads such modules.
pub(crate) fn engine(version: RegoVersion) -> Engine {
    let mut engine = Engine::new();
    engine.set_rego_v0(version == RegoVersion::V0);
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: LONGEST_LINE,
        ..PolicyLengthConfig::default()
    });
    engine
}

const MAX_ROUNDS: usize = 16;

fn parse(modules: &[Module], version: RegoVersion) -> Result<Engine, LoadErrors> {
    let mut errors = Vec::new();
    let mut engine = engine(version);
    // What is printed is dropped: a guest has no stdout.
    engine.set_gather_prints(true);
    for module in modules {
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            errors.push(error::from_regorus(&module.path, &error.to_string()));
        }
    }
    LoadErrors::refuse(errors)?;
    Ok(engine)
}
