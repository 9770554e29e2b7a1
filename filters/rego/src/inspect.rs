//! One rule by itself: what it uses, what it calls, what the virtual machine gets wrong in it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Query, Ref, Rule, Span};

use crate::{
    builtins::{self, Known},
    check::{RuleSet, at},
    error::LoadError,
    forms::{self, Form},
    loops, safety, syntax,
    visit::{Call, Visitor},
    walk,
};

/// What there is to say of a rule.
pub(crate) struct Found {
    /// The rules it refers to, by their index.
    pub uses: BTreeSet<usize>,
    pub forms: Vec<Form>,
    pub errors: Vec<LoadError>,
}

pub(crate) fn rule(rule: &Rule, names: &Names, rules: &[RuleSet]) -> Found {
    let iterates = loops::before_else(rule, &names.bare);
    let mut inspector = Inspector {
        rules,
        names,
        found: Found {
            uses: BTreeSet::new(),
            forms: forms::of_rule(rule, iterates, &|name| names.is_rule(name)),
            errors: safety::unsafe_variables(rule, &names.bare),
        },
    };
    if let Rule::Default { value, .. } = rule
        && !forms::may_be_default(value)
    {
        inspector.found.errors.push(
            at(value.span(), "the default depends on something")
                .hint("a default is a constant or a comprehension"),
        );
    }
    walk::rule(rule, &mut inspector);
    inspector.found
}

/// What a module's names mean.
pub(crate) struct Names {
    /// All that are no variables.
    bare: BTreeSet<String>,
    package: Vec<String>,
    /// The packages of all modules.
    packages: Vec<Vec<String>>,
    /// Alias to absolute path, without `data`.
    imports: BTreeMap<String, Vec<String>>,
    /// The first segments of the package's rules.
    rules: BTreeSet<String>,
}

impl Names {
    pub fn of(module: &Module, modules: &[Ref<Module>], rules: &[RuleSet]) -> Names {
        let package = syntax::package_path(module);
        let own = rules
            .iter()
            .filter_map(|set| set.path.strip_prefix(package.as_slice())?.first().cloned())
            .collect();
        let imports = module
            .imports
            .iter()
            .filter_map(|import| {
                let (root, segments) = syntax::reference(&import.refr)?;
                let path: Vec<String> = segments.into_iter().map_while(|segment| segment).collect();
                let alias = match &import.r#as {
                    Some(alias) => alias.text().to_owned(),
                    None => path.last()?.clone(),
                };
                (root == "data").then_some((alias, path))
            })
            .collect();
        Names {
            bare: syntax::names(module, modules),
            package,
            packages: modules.iter().map(|it| syntax::package_path(it)).collect(),
            imports,
            rules: own,
        }
    }

    /// Whether a name may be undefined where every variable is bound.
    fn is_rule(&self, name: &str) -> bool {
        matches!(name, "input" | "data") || self.bare.contains(name)
    }

    /// Whether rules of the package have this for their first name.
    pub fn is_own(&self, name: &str) -> bool {
        self.rules.contains(name)
    }

    /// Whether a dotted name begins with a rule, an import or `data`.
    pub fn is_resolved(&self, name: &str) -> bool {
        let root = name.split('.').next().unwrap_or_default();
        self.resolve(root).is_some()
    }

    /// Whether `with` puts `opa.runtime` where it may stand.
    pub fn is_empty_runtime(&self, target: &Expr, by: &str) -> bool {
        by == builtins::RUNTIME
            && !self.is_resolved(by)
            && syntax::name(target)
                .is_some_and(|target| target == builtins::NOW && !self.is_resolved(&target))
    }

    /// Where a name points that no variable shadows: a path below `data`.
    pub fn resolve(&self, root: &str) -> Option<Vec<String>> {
        if root == "data" {
            return Some(Vec::new());
        }
        // An import stands before a rule of the package, as in OPA's `getGlobals`.
        if let Some(path) = self.imports.get(root) {
            return Some(path.clone());
        }
        let own = std::iter::once(root.to_owned());
        let is_own = self.rules.contains(root);
        is_own.then(|| self.package.iter().cloned().chain(own).collect())
    }

    /// The same for a reference. A segment that is only known when it runs may be any.
    pub fn path(&self, root: &str, segments: &[Option<String>]) -> Option<Vec<Option<String>>> {
        let base = self.resolve(root)?.into_iter().map(Some);
        Some(base.chain(segments.iter().cloned()).collect())
    }
}

struct Inspector<'a> {
    rules: &'a [RuleSet],
    names: &'a Names,
    found: Found,
}

impl Visitor for Inspector<'_> {
    fn reference(&mut self, whole: &Expr, root: &str, segments: &[Option<String>]) {
        let Some(path) = self.names.path(root, segments) else {
            return;
        };
        let mut is_base = true;
        for (index, set) in self.rules.iter().enumerate() {
            if !agree(&path, &set.path) {
                continue;
            }
            self.found.uses.insert(index);
            is_base = false;
            let whole_rule = path.get(..set.path.len());
            if !whole_rule.is_some_and(|path| path.iter().all(Option::is_some)) {
                self.document(whole);
            }
        }
        let mut packages = self.names.packages.iter();
        if packages.any(|package| package.len() >= path.len() && agree(&path, package)) {
            self.document(whole);
        }
        let is_number = |key: &&Expr| matches!(key, Expr::Number { .. });
        if is_base && syntax::dynamic_keys(whole).iter().any(is_number) {
            let form = Form::new(whole.span(), "reads base data by a number");
            self.found.forms.push(form);
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        if let Some(name) = &call.name {
            match self.function(name) {
                Some((index, arity)) => {
                    self.found.uses.insert(index);
                    self.arity(call, name, arity);
                    if builtins::known(name).is_some() {
                        self.found
                            .forms
                            .push(Form::new(call.span, "calls a rule by a builtin's name"));
                    }
                }
                None => self.builtin(call, name),
            }
        } else {
            self.found
                .errors
                .push(at(call.span, "only a name can be called"));
        }
    }

    fn replaced(&mut self, target: &Expr, by: &Expr) {
        if let Some((root, segments)) = syntax::reference(target)
            && let Some(path) = self.names.path(&root, &segments)
            && self.rules.iter().any(|set| set.is_open_above(&path))
        {
            // regorus would let the rule add to what is put there.
            let what = "`with` replaces a part of what a rule with a variable in its head makes";
            let error = at(target.span(), what).hint("replace all of it");
            self.found.errors.push(error);
        }
        if let Some(name) = syntax::name(target)
            && name.split('.').next() != Some("input")
            && !self.names.is_resolved(&name)
        {
            let message = match builtins::known(&name) {
                // It is a relation, which is replaced by none.
                Some(Known::Arity(_)) if name == "walk" => {
                    Some("`with` cannot replace `walk`".to_owned())
                }
                Some(Known::Arity(_)) => None,
                Some(Known::Unsupported(why)) => Some(format!("`{name}` is not supported{why}")),
                Some(Known::Any) => Some(format!("`with` cannot replace `{name}`")),
                None => Some(format!("`with` replaces `{name}`, which is not there")),
            };
            self.found
                .errors
                .extend(message.map(|message| at(target.span(), message)));
        }
        if let Some(name) = syntax::name(by)
            && !self.names.is_resolved(&name)
            && !self.names.is_empty_runtime(target, &name)
            && let Some(Known::Unsupported(why)) = builtins::known(&name)
        {
            let message = format!("`{name}` is not supported{why}");
            self.found.errors.push(at(by.span(), message));
        }
    }

    fn array_comprehension(&mut self, whole: &Span, term: &Expr, _: &Query) {
        if !forms::is_defined(term, &|name| self.names.is_rule(name)) {
            self.found.forms.push(Form::new(
                whole,
                "collects into an array what may be undefined",
            ));
        }
    }

    fn form(&mut self, form: Form) {
        self.found.forms.push(form);
    }
}

/// Whether a reference and a path may be one as far as both go.
pub(crate) fn agree(reference: &[Option<String>], path: &[String]) -> bool {
    reference
        .iter()
        .zip(path)
        .all(|(segment, own)| segment.as_ref().is_none_or(|segment| segment == own))
}

impl Inspector<'_> {
    fn document(&mut self, whole: &Expr) {
        self.found.forms.push(Form::new(
            whole.span(),
            "reads a package or a part of one as a document",
        ));
    }

    fn function(&self, name: &str) -> Option<(usize, usize)> {
        let mut segments = name.split('.');
        let mut path = self.names.resolve(segments.next()?)?;
        path.extend(segments.map(str::to_owned));
        let index = self.rules.iter().position(|set| set.path == path)?;
        let arity = self.rules.get(index)?.arity?;
        Some((index, arity))
    }

    fn builtin(&mut self, call: &Call<'_>, name: &str) {
        match builtins::known(name) {
            Some(Known::Arity(arity)) => self.arity(call, name, arity),
            Some(Known::Any) => {}
            Some(Known::Unsupported(why)) => self
                .found
                .errors
                .push(at(call.span, format!("`{name}` is not supported{why}"))),
            None => self
                .found
                .errors
                .push(at(call.span, format!("unknown function `{name}`"))),
        }
    }

    /// Rego may take the result as one argument more.
    fn arity(&mut self, call: &Call<'_>, name: &str, arity: usize) {
        let found = call.arguments.len();
        if found == arity || (call.is_statement && found == arity.saturating_add(1)) {
            return;
        }
        self.found.errors.push(at(
            call.span,
            format!("`{name}` takes {arity} arguments, not {found}"),
        ));
    }
}
