//! From sources to a policy: parse, check, compile; every error with its place.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::OnceLock,
};

use regorus::{
    Engine, PolicyLengthConfig,
    unstable::{self as ast, Ref},
};

use crate::{
    arithmetic, bind, calls,
    check::Rules,
    defaults,
    error::{self, LoadError, LoadErrors},
    guard, imports,
    interpreter::Interpreter,
    keywords, metadata, nesting, overlaps, patterns,
    policy::{Loaded, Package, Route},
    reach,
    rvm::Rvm,
    source::{Entrypoint, Module, RegoVersion, Sources},
    syntax, template,
    value::Value,
};

pub(crate) fn load(sources: Sources, entrypoints: &[Entrypoint]) -> Result<Loaded, LoadErrors> {
    let version = sources.version;
    let data = sources.data.clone();
    let Prepared {
        mut engine,
        modules,
        mut rules,
        asked,
        packages,
    } = prepare(sources, entrypoints, &mut None)?;
    let guarded = guard::modules(&modules, engine.get_modules());
    for (path, form) in guarded.unfit {
        rules.leave(&path, form);
    }
    let routes = entrypoints
        .iter()
        .zip(asked)
        .map(|(entrypoint, asked)| {
            let machine = match rules.unfit(&asked) {
                Some(form) => Err(form.to_string()),
                None => Rvm::compile(&guarded.modules, version, &data, &asked),
            };
            Route {
                entrypoint: entrypoint.clone(),
                asked,
                machine,
                left: OnceLock::new(),
            }
        })
        .collect();
    Ok(Loaded {
        reach: reach::of(engine.get_modules()),
        packages,
        interpreter: Interpreter::new(engine),
        routes,
    })
}

/// What passed every check.
pub(crate) struct Prepared {
    /// The interpreter, with the modules and the data.
    pub engine: Engine,
    /// As the evaluators see them.
    modules: Vec<Module>,
    rules: Rules,
    /// For each entrypoint the rule that is asked.
    asked: Vec<Entrypoint>,
    /// Of the modules as they came.
    packages: Vec<Package>,
}

/// Where rules of ours stand that have a document for their value: regorus asks rules only.
const DOCUMENTS: &str = "__portcullis_documents";

/// For each entrypoint the rule to ask, and a module with those that are not there yet: an entrypoint
/// may be an object that several rules make up, or a package.
fn asked(rules: &Rules, entrypoints: &[Entrypoint]) -> (Vec<Entrypoint>, Option<Module>) {
    let mut text = format!("package {DOCUMENTS}\n");
    let asked: Vec<Entrypoint> = entrypoints
        .iter()
        .enumerate()
        .map(|(index, entrypoint)| {
            let rule = Entrypoint::parse(&format!("{DOCUMENTS}/e{index}"));
            let is_written = rules.is_document(entrypoint) || rules.is_shared(entrypoint);
            match (is_written, rule) {
                (true, Ok(rule)) => {
                    text.push_str(&format!("\ne{index} := {entrypoint}\n"));
                    rule
                }
                _ => entrypoint.clone(),
            }
        })
        .collect();
    let module = (asked != entrypoints).then(|| Module::new(format!("{DOCUMENTS}.rego"), text));
    (asked, module)
}

/// Everything up to the evaluators. A query is a module of its own that no rule may see: it is
/// rewritten with the others, and not among them then.
///
/// # Errors
/// Everything found that is wrong.
pub(crate) fn prepare(
    sources: Sources,
    entrypoints: &[Entrypoint],
    query: &mut Option<Module>,
) -> Result<Prepared, LoadErrors> {
    prepare_plain(read(sources)?, entrypoints, query)
}

/// Sources as regorus reads them: each module [`plain`].
///
/// # Errors
/// Names that are ours, and what has no end.
pub(crate) fn read(sources: Sources) -> Result<Sources, LoadErrors> {
    let mut errors: Vec<LoadError> = sources
        .modules
        .iter()
        .filter(|module| module.text.contains("__portcullis"))
        .map(|module| {
            LoadError::new(
                &module.path,
                "names that begin with `__portcullis` are ours",
            )
        })
        .collect();
    let mut modules = Vec::new();
    for module in sources.modules {
        match plain(module, sources.version) {
            Ok(module) => modules.push(module),
            Err(error) => errors.push(error),
        }
    }
    LoadErrors::refuse(errors)?;
    Ok(Sources { modules, ..sources })
}

/// A module as regorus reads it: without templates, and without keywords for names.
///
/// # Errors
/// Where a template has no end.
pub(crate) fn plain(module: Module, version: RegoVersion) -> Result<Module, LoadError> {
    let module = template::module(module)?;
    Ok(match module.version.unwrap_or(version) {
        RegoVersion::V0 => module,
        RegoVersion::V1 => keywords::named(module),
    })
}

/// The same of modules that are [`plain`], whose names are not looked at.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_plain(
    sources: Sources,
    entrypoints: &[Entrypoint],
    query: &mut Option<Module>,
) -> Result<Prepared, LoadErrors> {
    prepare_read(sources, entrypoints, query, |modules, _| modules.to_vec())
}

/// The same; `last` may change what the interpreter sees.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_read(
    sources: Sources,
    entrypoints: &[Entrypoint],
    query: &mut Option<Module>,
    last: impl FnOnce(&[Module], &[Ref<ast::Module>]) -> Vec<Module>,
) -> Result<Prepared, LoadErrors> {
    let Sources {
        mut modules,
        data,
        version,
    } = sources;
    let mut errors: Vec<LoadError> = modules.iter().filter_map(nesting::check).collect();
    LoadErrors::refuse(std::mem::take(&mut errors))?;
    let mut engine = match parse(&modules, version) {
        Ok(engine) => engine,
        Err(errors) => return Err(keywords::placed(errors, &modules)),
    };
    let trees = engine.get_modules().iter();
    let packages = modules.iter().zip(trees).map(|(module, tree)| Package {
        module: module.path.clone(),
        path: syntax::package_path(tree),
    });
    let packages = packages.collect();
    let moved = keywords::modules(&modules, engine.get_modules())?;
    if moved != modules {
        modules = moved;
        engine = parse(&modules, version)?;
    }
    if let Some(annotated) = metadata::modules(&modules, engine.get_modules())? {
        modules = annotated;
        engine = parse(&modules, version)?;
    }
    let (asked, documents) = asked(&Rules::inspected(engine.get_modules()), entrypoints);
    if let Some(documents) = documents {
        modules.push(documents);
        engine = parse(&modules, version)?;
    }
    let rules = Rules::check(engine.get_modules(), &data, &asked);
    if !matches!(data, Value::Object(_)) {
        errors.push(LoadError::new("data", "the base data is no object"));
    }
    for error in &rules.errors {
        if !errors.contains(error) {
            errors.push(error.clone());
        }
    }
    LoadErrors::refuse(errors)?;
    // Compiling analyzes every rule: a variable that is never bound is found here. Only that what
    // `calls` writes out is unknown to regorus as it stands.
    let analyzed = analyze(&mut engine, &asked);
    let mut stage = Stage {
        modules,
        engine,
        version,
    };
    let place = stage.modules.len();
    if let Some(query) = query.as_ref() {
        stage.modules.push(template::module(query.clone())?);
        stage.engine = parse(&stage.modules, version)?;
        let mut errors = Rules::inspected(stage.engine.get_modules()).errors;
        errors.retain(|error| error.file == query.path);
        LoadErrors::refuse(errors)?;
    }
    stage.rewrite(imports::modules)?;
    stage.rewrite(defaults::modules)?;
    if stage.rewrite(|modules, trees| overlaps::modules(modules, trees, &rules))? {
        // A rule may ask for itself by what stands above it.
        let mut errors = Rules::check(stage.engine.get_modules(), &data, &asked).errors;
        // A query of all of `data` is not in it.
        errors.retain(|error| query.as_ref().is_none_or(|query| error.file != query.path));
        LoadErrors::refuse(errors)?;
    }
    stage.rewrite(bind::braces)?;
    let rules = Rules::inspected(stage.engine.get_modules());
    stage.rewrite(|modules, trees| calls::modules(modules, trees, &rules))?;
    let exact = patterns::modules(&stage.modules, stage.engine.get_modules())?;
    stage.take(exact)?;
    if analyzed.is_err() && analyze(&mut stage.engine, &asked).is_err() {
        analyzed?;
    }
    // As often as comprehensions stand in one another, and not without end.
    for _ in 0..MAX_ROUNDS {
        if !stage.rewrite(bind::modules)? {
            break;
        }
    }
    // Which forms the evaluators see.
    let rules = Rules::check(stage.engine.get_modules(), &data, &asked);
    stage.rewrite(arithmetic::modules)?;
    if let Some(query) = query {
        *query = stage.modules.remove(place);
        stage.engine = parse(&stage.modules, version)?;
    }
    stage.rewrite(last)?;
    let Stage {
        modules,
        mut engine,
        ..
    } = stage;
    engine
        .add_data(data)
        .map_err(|error| error::from_regorus("data", &error.to_string()))?;
    Ok(Prepared {
        engine,
        modules,
        rules,
        asked,
        packages,
    })
}

/// Modules on their way to the evaluators, and how they parse.
struct Stage {
    modules: Vec<Module>,
    engine: Engine,
    version: RegoVersion,
}

impl Stage {
    /// Whether anything was changed.
    fn rewrite(
        &mut self,
        rewritten: impl FnOnce(&[Module], &[Ref<ast::Module>]) -> Vec<Module>,
    ) -> Result<bool, LoadErrors> {
        let modules = rewritten(&self.modules, self.engine.get_modules());
        self.take(modules)
    }

    fn take(&mut self, modules: Vec<Module>) -> Result<bool, LoadErrors> {
        if modules == self.modules {
            return Ok(false);
        }
        self.modules = modules;
        self.engine = parse(&self.modules, self.version)?;
        Ok(true)
    }
}

fn analyze(engine: &mut Engine, entrypoints: &[Entrypoint]) -> Result<(), LoadErrors> {
    for entrypoint in entrypoints {
        engine
            .compile_with_entrypoint(&entrypoint.as_str().into())
            .map_err(|error| error::from_regorus("", &error.to_string()))?;
    }
    Ok(())
}

const MAX_ROUNDS: usize = 16;

/// Parses modules.
///
/// # Errors
/// Everything that is not Rego in them.
pub(crate) fn parse(modules: &[Module], version: RegoVersion) -> Result<Engine, LoadErrors> {
    let mut errors = Vec::new();
    let mut engine = Engine::new();
    engine.set_policy_length_config(LENGTHS);
    // What is printed is dropped: a guest has no stdout.
    engine.set_gather_prints(true);
    for module in modules {
        engine.set_rego_v0(module.version.unwrap_or(version) == RegoVersion::V0);
        if let Err(error) = engine.add_policy(module.path.clone(), module.text.clone()) {
            errors.push(error::from_regorus(&module.path, &error.to_string()));
        }
    }
    // Queries are of the sources' version.
    engine.set_rego_v0(version == RegoVersion::V0);
    LoadErrors::refuse(errors)?;
    Ok(engine)
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
