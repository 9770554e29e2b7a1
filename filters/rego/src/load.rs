//! From sources to a policy: parse, check, compile; every error with its place.

use std::sync::OnceLock;

use regorus::{
    Engine,
    unstable::{self as ast, Ref},
};

use crate::{
    arithmetic, bind, calls,
    check::Rules,
    defaults,
    error::{self, LoadError, LoadErrors},
    guard, imports,
    interpreter::Interpreter,
    keywords, metadata, nesting, overlaps,
    parse::{Parsed, parse},
    patterns,
    policy::{Loaded, Package, Route},
    reach,
    rvm::Rvm,
    source::{Entrypoint, Module, RegoVersion, Sources},
    steps, syntax, template,
    value::Value,
};

/// `optional`: entrypoints that count where there are rules for them.
pub(crate) async fn load(
    sources: Sources,
    entrypoints: &[Entrypoint],
    optional: &[Entrypoint],
) -> Result<Loaded, LoadErrors> {
    let version = sources.version;
    let data = sources.data.clone();
    let as_they_are = |modules: &[Module], _: &[Ref<ast::Module>]| modules.to_vec();
    let read = read(sources).await?;
    let Prepared {
        mut engine,
        modules,
        mut rules,
        asked,
        packages,
        entrypoints: all,
    } = prepare_read(read, (entrypoints, optional), &mut None, as_they_are).await?;
    let guarded = guard::modules(&modules, engine.get_modules()).await;
    for (path, form) in guarded.unfit {
        rules.leave(&path, form);
    }
    let mut machines = None;
    let mut routes = Vec::new();
    for (entrypoint, asked) in all.iter().zip(asked) {
        let machine = match rules.unfit(&asked) {
            Some(form) => Err(form.to_string()),
            None => {
                if machines.is_none() {
                    machines = Some(parse(&guarded.modules, version).await);
                }
                match &mut machines {
                    Some(Ok(engine)) => Rvm::compile(engine, &data, &asked).await,
                    Some(Err(errors)) => Err(error::one_line(&errors.to_string())),
                    None => Err("it was not parsed".to_owned()),
                }
            }
        };
        routes.push(Route {
            entrypoint: entrypoint.clone(),
            asked,
            machine,
            left: OnceLock::new(),
        });
        steps::pause().await;
    }
    // It takes a while to take down what so many modules were made into.
    drop((machines, guarded.modules));
    steps::pause().await;
    Ok(Loaded {
        reach: reach::of(engine.get_modules(), entrypoints).await,
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
    /// Those that must be there, and then those others that are.
    entrypoints: Vec<Entrypoint>,
    /// For each entrypoint the rule that is asked.
    asked: Vec<Entrypoint>,
    /// Of the modules as they came.
    packages: Vec<Package>,
}

/// Where rules of ours stand that have a document for their value: regorus asks rules only.
pub(crate) const DOCUMENTS: &str = "__portcullis_documents";

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
    prepare_plain(steps::finish(read(sources))?, entrypoints, query)
}

/// Sources as regorus reads them: each module [`plain`].
///
/// # Errors
/// Names that are ours, and what has no end.
pub(crate) async fn read(sources: Sources) -> Result<Sources, LoadErrors> {
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
        steps::pause().await;
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
    let as_they_are = |modules: &[Module], _: &[Ref<ast::Module>]| modules.to_vec();
    let prepared = prepare_read(sources, (entrypoints, &[]), query, as_they_are);
    steps::finish(prepared)
}

/// The same in steps; `last` may change what the interpreter sees. The second entrypoints count only where
/// there are rules for them.
///
/// # Errors
/// As [`prepare`].
pub(crate) async fn prepare_read(
    sources: Sources,
    (entrypoints, optional): (&[Entrypoint], &[Entrypoint]),
    query: &mut Option<Module>,
    last: impl FnOnce(&[Module], &[Ref<ast::Module>]) -> Vec<Module>,
) -> Result<Prepared, LoadErrors> {
    let Sources {
        modules,
        data,
        version,
    } = sources;
    let mut errors = Vec::new();
    for module in &modules {
        errors.extend(nesting::check(module));
        steps::pause().await;
    }
    LoadErrors::refuse(std::mem::take(&mut errors))?;
    let mut engine = match parse(&modules, version).await {
        Ok(engine) => engine,
        Err(errors) => return Err(keywords::placed(errors, &modules)),
    };
    let mut parsed = Parsed {
        trees: engine.get_modules().clone(),
        modules,
        version,
    };
    let trees = parsed.trees.iter();
    let packages = parsed
        .modules
        .iter()
        .zip(trees)
        .map(|(module, tree)| Package {
            module: module.path.clone(),
            path: syntax::package_path(tree),
        });
    let packages = packages.collect();
    let moved = keywords::modules(&parsed.modules, &parsed.trees).await?;
    let mut is_changed = parsed.take(moved).await?;
    if let Some(annotated) = metadata::modules(&parsed.modules, &parsed.trees).await? {
        is_changed |= parsed.take(annotated).await?;
    }
    let inspected = Rules::inspected(&parsed.trees).await;
    let others = optional.iter().filter(|it| {
        !entrypoints.contains(it) && (inspected.is_rule(it) || inspected.is_document(it))
    });
    let entrypoints: Vec<Entrypoint> = entrypoints.iter().chain(others).cloned().collect();
    let (asked, documents) = asked(&inspected, &entrypoints);
    if let Some(documents) = documents {
        parsed.push(documents)?;
        is_changed = true;
    }
    let rules = Rules::check(&parsed.trees, &data, &asked).await;
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
    if is_changed {
        engine = parse(&parsed.modules, version).await?;
    }
    let analyzed = analyze(engine, &asked).await;
    let place = parsed.modules.len();
    if let Some(query) = query.as_ref() {
        parsed.push(template::module(query.clone())?)?;
        let mut errors = Rules::inspected(&parsed.trees).await.errors;
        errors.retain(|error| error.file == query.path);
        LoadErrors::refuse(errors)?;
    }
    let written = imports::modules(&parsed.modules, &parsed.trees).await;
    parsed.take(written).await?;
    let defined = defaults::modules(&parsed.modules, &parsed.trees).await;
    parsed.take(defined).await?;
    let apart = overlaps::modules(&parsed.modules, &parsed.trees, &rules).await;
    if parsed.take(apart).await? {
        // A rule may ask for itself by what stands above it.
        let mut errors = Rules::check(&parsed.trees, &data, &asked).await.errors;
        // A query of all of `data` is not in it.
        errors.retain(|error| query.as_ref().is_none_or(|query| error.file != query.path));
        LoadErrors::refuse(errors)?;
    }
    let braced = bind::braces(&parsed.modules, &parsed.trees).await;
    parsed.take(braced).await?;
    let rules = Rules::inspected(&parsed.trees).await;
    let called = calls::modules(&parsed.modules, &parsed.trees, &rules).await;
    parsed.take(called).await?;
    let exact = patterns::modules(&parsed.modules, &parsed.trees).await?;
    parsed.take(exact).await?;
    if analyzed.is_err() {
        let engine = parse(&parsed.modules, version).await?;
        if analyze(engine, &asked).await.is_err() {
            analyzed?;
        }
    }
    // As often as comprehensions stand in one another, and not without end.
    for _ in 0..MAX_ROUNDS {
        let bound = bind::modules(&parsed.modules, &parsed.trees).await;
        if !parsed.take(bound).await? {
            break;
        }
    }
    // Which forms the evaluators see.
    let rules = Rules::check(&parsed.trees, &data, &asked).await;
    let mut modules = arithmetic::modules(&parsed.modules, &parsed.trees).await;
    if let Some(query) = query {
        *query = modules.remove(place);
    }
    let mut engine = parse(&modules, version).await?;
    let changed = last(&modules, engine.get_modules());
    if changed != modules {
        modules = changed;
        engine = parse(&modules, version).await?;
    }
    engine
        .add_data(data)
        .map_err(|error| error::from_regorus("data", &error.to_string()))?;
    steps::pause().await;
    Ok(Prepared {
        engine,
        modules,
        rules,
        entrypoints,
        asked,
        packages,
    })
}

async fn analyze(mut engine: Engine, entrypoints: &[Entrypoint]) -> Result<(), LoadErrors> {
    for entrypoint in entrypoints {
        engine
            .compile_with_entrypoint(&entrypoint.as_str().into())
            .map_err(|error| error::from_regorus("", &error.to_string()))?;
        steps::pause().await;
    }
    Ok(())
}

const MAX_ROUNDS: usize = 16;
