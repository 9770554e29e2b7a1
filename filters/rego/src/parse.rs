//! From texts to syntax trees, and to regorus's engine.

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::{
    Engine, PolicyLengthConfig,
    unstable::{self as ast, Ref},
};

use crate::{
    error::{self, LoadError, LoadErrors},
    source::{Module, RegoVersion},
    steps,
};

/// Modules on their way to the evaluators, and how they parse.
pub(crate) struct Parsed {
    pub modules: Vec<Module>,
    pub trees: Vec<Ref<ast::Module>>,
    pub version: RegoVersion,
}

impl Parsed {
    /// # Errors
    /// Everything that is not Rego in them.
    pub async fn new(modules: Vec<Module>, version: RegoVersion) -> Result<Parsed, LoadErrors> {
        let mut parsed = Parsed {
            modules: Vec::new(),
            trees: Vec::new(),
            version,
        };
        parsed.take(modules).await?;
        Ok(parsed)
    }

    /// Other modules in the place of these; what did not change is not parsed again. Whether anything
    /// was changed.
    ///
    /// # Errors
    /// Everything that is not Rego in them.
    pub async fn take(&mut self, modules: Vec<Module>) -> Result<bool, LoadErrors> {
        if modules == self.modules {
            return Ok(false);
        }
        let modules_before = std::mem::take(&mut self.modules).into_iter();
        // What is not needed any more goes a tree at a time, too.
        let mut before = modules_before.zip(std::mem::take(&mut self.trees));
        let (mut trees, mut errors) = (Vec::new(), Vec::new());
        for module in &modules {
            match before.next() {
                Some((known, tree)) if known == *module => trees.push(tree),
                _ => match tree(module, self.version) {
                    Ok(tree) => trees.push(tree),
                    Err(error) => errors.push(error),
                },
            }
            steps::pause().await;
        }
        LoadErrors::refuse(errors)?;
        self.modules = modules;
        self.trees = trees;
        Ok(true)
    }

    /// One module more.
    ///
    /// # Errors
    /// Where it is not Rego.
    pub fn push(&mut self, module: Module) -> Result<(), LoadErrors> {
        self.trees.push(tree(&module, self.version)?);
        self.modules.push(module);
        Ok(())
    }
}

fn tree(module: &Module, version: RegoVersion) -> Result<Ref<ast::Module>, LoadError> {
    let mut engine = empty();
    add(&mut engine, module, version)?;
    let tree = engine.get_modules().first().cloned();
    tree.ok_or_else(|| LoadError::new(&module.path, "it was not parsed"))
}

/// Parses modules, one in each step.
///
/// # Errors
/// Everything that is not Rego in them.
pub(crate) async fn parse(modules: &[Module], version: RegoVersion) -> Result<Engine, LoadErrors> {
    let mut errors = Vec::new();
    let mut engine = empty();
    for module in modules {
        errors.extend(add(&mut engine, module, version).err());
        steps::pause().await;
    }
    // Queries are of the sources' version.
    engine.set_rego_v0(version == RegoVersion::V0);
    LoadErrors::refuse(errors)?;
    Ok(engine)
}

fn empty() -> Engine {
    let mut engine = Engine::new();
    engine.set_policy_length_config(LENGTHS);
    // What is printed is dropped: a guest has no stdout.
    engine.set_gather_prints(true);
    engine
}

fn add(engine: &mut Engine, module: &Module, version: RegoVersion) -> Result<(), LoadError> {
    engine.set_rego_v0(module.version.unwrap_or(version) == RegoVersion::V0);
    let added = engine.add_policy(module.path.clone(), module.text.clone());
    added.map_err(|error| error::from_regorus(&module.path, &error.to_string()))?;
    Ok(())
}

/// What regorus takes by itself is too little for a certificate on one line, and OPA has no such
/// bounds.
pub(crate) const LENGTHS: PolicyLengthConfig = PolicyLengthConfig {
    max_col: NonZeroU32::MAX,
    max_file_bytes: MAX_BYTES,
    max_lines: MAX_BYTES,
};

/// 16 MiB; an offset into a text has 32 bits.
const MAX_BYTES: NonZeroUsize = match NonZeroUsize::new(16 << 20) {
    Some(bytes) => bytes,
    None => NonZeroUsize::MIN,
};
