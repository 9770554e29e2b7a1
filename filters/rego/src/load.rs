//! From sources to a policy: parse, check, compile; every error with its place.

use regorus::Engine;

use crate::{
    error::{LoadError, LoadErrors},
    interpreter::Interpreter,
    policy::{Choice, Loaded},
    source::{Entrypoint, RegoVersion, Sources},
};

pub(crate) fn load(sources: Sources, entrypoints: &[Entrypoint]) -> Result<Loaded, LoadErrors> {
    let mut errors = Vec::new();
    let mut engine = Engine::new();
    engine.set_rego_v0(sources.version == RegoVersion::V0);
    engine.set_strict_builtin_errors(false);
    engine.set_gather_prints(true);
    for module in &sources.modules {
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            errors.push(LoadError::new(&module.path, error.to_string()));
        }
    }
    if let Err(error) = engine.add_data(sources.data) {
        errors.push(LoadError::new("data", error.to_string()));
    }
    LoadErrors::refuse(errors)?;
    for entrypoint in entrypoints {
        engine
            .compile_with_entrypoint(&entrypoint.to_string().into())
            .map_err(|error| LoadError::new("", error.to_string()))?;
    }
    Ok(Loaded {
        interpreter: Interpreter::new(engine),
        entrypoints: entrypoints
            .iter()
            .map(|entrypoint| {
                let reason = "the virtual machine is not built yet".to_owned();
                (entrypoint.clone(), Choice::Interpreter { reason })
            })
            .collect(),
    })
}
