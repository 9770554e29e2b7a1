//! One rule by itself: what it uses, what it calls, what the virtual machine gets wrong in it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Query, Ref, Rule, Span};

use crate::{
    builtins::{self, Known},
    check::{RuleSet, at},
    error::LoadError,
    forms::{self, Form},
    syntax,
    walk::{self, Call, Visitor},
};

/// What there is to say of a rule.
pub(crate) struct Found {
    /// The rules it refers to, by their index.
    pub uses: BTreeSet<usize>,
    pub forms: Vec<Form>,
    pub errors: Vec<LoadError>,
}

pub(crate) fn rule(rule: &Rule, names: &Names, rules: &[RuleSet]) -> Found {
    let iterates = walk::iterates(rule, &names.bare);
    let mut inspector = Inspector {
        rules,
        names,
        found: Found {
            uses: BTreeSet::new(),
            forms: forms::of_rule(rule, iterates, &|name| names.is_rule(name)),
            errors: Vec::new(),
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
            imports,
            rules: own,
        }
    }

    /// Whether a name may be undefined where every variable is bound.
    fn is_rule(&self, name: &str) -> bool {
        matches!(name, "input" | "data") || self.bare.contains(name)
    }

    /// Where a name points that no variable shadows: a path below `data`.
    fn resolve(&self, root: &str) -> Option<Vec<String>> {
        if root == "data" {
            return Some(Vec::new());
        }
        // A rule shadows an import.
        if self.rules.contains(root) {
            let own = std::iter::once(root.to_owned());
            return Some(self.package.iter().cloned().chain(own).collect());
        }
        self.imports.get(root).cloned()
    }
}

struct Inspector<'a> {
    rules: &'a [RuleSet],
    names: &'a Names,
    found: Found,
}

impl Visitor for Inspector<'_> {
    fn reference(&mut self, span: &Span, root: &str, segments: &[Option<String>]) {
        let Some(mut path) = self.names.resolve(root) else {
            return;
        };
        path.extend(segments.iter().map_while(Clone::clone));
        for (index, set) in self.rules.iter().enumerate() {
            if path.starts_with(&set.path) {
                self.found.uses.insert(index);
            } else if set.path.starts_with(&path) {
                self.found.uses.insert(index);
                self.found.forms.push(Form::new(
                    span,
                    "reads a package or a part of one as a document",
                ));
            }
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

    fn replaced(&mut self, span: &Span, name: &str) {
        let root = name.split('.').next().unwrap_or_default();
        if root == "input" || self.names.resolve(root).is_some() || builtins::replaceable(name) {
            return;
        }
        let message = match builtins::known(name) {
            Some(_) => format!("`with` cannot replace `{name}` yet"),
            None => format!("`with` replaces `{name}`, which is not there"),
        };
        self.found.errors.push(at(span, message));
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

impl Inspector<'_> {
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
