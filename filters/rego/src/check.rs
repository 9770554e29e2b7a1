//! What regorus accepts and should not, found over the syntax tree before anything runs: calls of
//! functions that are not there, recursion, base data where a rule is, a missing entrypoint.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Query, Ref, Rule, RuleHead, Span};

use crate::{
    builtins::{self, Known},
    error::LoadError,
    forms::{self, Form},
    source::Entrypoint,
    value::Value,
    walk::{self, Call, Visitor},
};

/// The rules of a policy, who uses whom, and what the virtual machine gets wrong in each.
pub(crate) struct Rules {
    rules: Vec<RuleSet>,
    pub errors: Vec<LoadError>,
}

/// Every definition of one path.
struct RuleSet {
    path: Vec<String>,
    place: Span,
    /// The number of arguments of a function.
    arity: Option<usize>,
    uses: BTreeSet<usize>,
    forms: Vec<Form>,
}

impl Rules {
    pub fn check(modules: &[Ref<Module>], data: &Value, entrypoints: &[Entrypoint]) -> Rules {
        let mut rules = Rules {
            rules: Vec::new(),
            errors: Vec::new(),
        };
        let heads = rules.collect(modules);
        for (index, module) in modules.iter().enumerate() {
            let scope = Names::of(module, &rules);
            let bare = walk::names(module, modules);
            for (rule, &target) in module
                .policy
                .iter()
                .zip(heads.get(index).into_iter().flatten())
            {
                let iterates = walk::iterates(rule, &bare);
                rules.inspect(rule, &scope, iterates, target);
            }
        }
        rules.refuse_recursion();
        rules.refuse_overlap(data);
        for entrypoint in entrypoints {
            rules.refuse_missing(entrypoint);
        }
        rules
    }

    /// One more reason to leave a rule to the interpreter.
    pub fn leave(&mut self, path: &[String], form: Form) {
        if let Some(set) = self.rules.iter_mut().find(|set| set.path == path) {
            set.forms.push(form);
        }
    }

    /// Why an entrypoint cannot be left to the virtual machine: the first such form among the rules
    /// it reaches.
    pub fn unfit(&self, entrypoint: &Entrypoint) -> Option<&Form> {
        let start = self
            .rules
            .iter()
            .position(|set| dotted(&set.path) == entrypoint.as_str())?;
        let mut seen = BTreeSet::from([start]);
        let mut pending = vec![start];
        while let Some(set) = pending.pop().and_then(|index| self.rules.get(index)) {
            if let Some(form) = set.forms.first() {
                return Some(form);
            }
            pending.extend(set.uses.iter().filter(|&&next| seen.insert(next)));
        }
        None
    }

    /// One set for each path; for each module, the set each of its rules belongs to.
    fn collect(&mut self, modules: &[Ref<Module>]) -> Vec<Vec<usize>> {
        let mut by_path = BTreeMap::new();
        modules
            .iter()
            .map(|module| {
                let package = walk::package_path(module);
                module
                    .policy
                    .iter()
                    .map(|rule| {
                        let (refr, arity) = head(rule);
                        let path: Vec<String> = package
                            .iter()
                            .cloned()
                            .chain(walk::static_prefix(refr))
                            .collect();
                        let index = *by_path.entry(path.clone()).or_insert_with(|| {
                            self.rules.push(RuleSet {
                                path,
                                place: refr.span().clone(),
                                arity,
                                uses: BTreeSet::new(),
                                forms: Vec::new(),
                            });
                            self.rules.len().saturating_sub(1)
                        });
                        if self.rules.get(index).is_some_and(|set| set.arity != arity) {
                            self.errors.push(at(
                                refr.span(),
                                format!(
                                    "`{}` is defined with different numbers of arguments",
                                    refr.span().text()
                                ),
                            ));
                        }
                        index
                    })
                    .collect()
            })
            .collect()
    }

    fn inspect(&mut self, rule: &Rule, names: &Names, iterates: bool, target: usize) {
        let mut inspector = Inspector {
            rules: self,
            names,
            uses: BTreeSet::new(),
            forms: forms::of_rule(rule, iterates, &|name| names.is_rule(name)),
            errors: Vec::new(),
        };
        if let Rule::Default { value, .. } = rule
            && !forms::may_be_default(value)
        {
            inspector.errors.push(
                at(value.span(), "the default depends on something")
                    .hint("a default is a constant or a comprehension"),
            );
        }
        walk::rule(rule, &mut inspector);
        let Inspector {
            uses,
            forms,
            errors,
            ..
        } = inspector;
        self.errors.extend(errors);
        if let Some(set) = self.rules.get_mut(target) {
            set.uses.extend(uses);
            set.forms.extend(forms);
        }
    }

    /// OPA refuses recursion. regorus does not, and overflows its stack.
    fn refuse_recursion(&mut self) {
        for start in 0..self.rules.len() {
            if let Some(chain) = self.cycle(start) {
                let Some(set) = self.rules.get(start) else {
                    continue;
                };
                // Each cycle is told once, by its first rule.
                if chain.iter().any(|&index| index < start) {
                    continue;
                }
                let chain: Vec<String> = chain
                    .iter()
                    .filter_map(|&index| self.rules.get(index))
                    .map(|set| dotted(&set.path))
                    .collect();
                self.errors.push(at(
                    &set.place,
                    format!(
                        "`{}` is recursive: {}",
                        dotted(&set.path),
                        chain.join(" -> ")
                    ),
                ));
            }
        }
    }

    /// The shortest way from a rule back to itself.
    fn cycle(&self, start: usize) -> Option<Vec<usize>> {
        let mut from = BTreeMap::new();
        let mut pending = std::collections::VecDeque::from([start]);
        while let Some(index) = pending.pop_front() {
            for &next in &self.rules.get(index)?.uses {
                if next == start {
                    let mut chain = vec![start, index];
                    let mut at = index;
                    while let Some(&previous) = from.get(&at) {
                        chain.push(previous);
                        at = previous;
                    }
                    if index == start {
                        chain.truncate(1);
                        chain.push(start);
                    }
                    chain.reverse();
                    return Some(chain);
                }
                if next != index && !from.contains_key(&next) {
                    from.insert(next, index);
                    pending.push_back(next);
                }
            }
        }
        None
    }

    /// Base data at a rule's path would override the rule.
    fn refuse_overlap(&mut self, data: &Value) {
        for set in &self.rules {
            let mut here = data;
            let mut walked = vec!["data".to_owned()];
            for segment in &set.path {
                match here {
                    Value::Object(entries) => match entries.get(&Value::from(segment.as_str())) {
                        Some(inner) => here = inner,
                        None => {
                            here = &Value::Undefined;
                            break;
                        }
                    },
                    _ => break,
                }
                walked.push(segment.clone());
            }
            if *here != Value::Undefined {
                self.errors.push(
                    at(
                        &set.place,
                        format!(
                            "`{}` is a rule and `{}` is base data",
                            dotted(&set.path),
                            walked.join(".")
                        ),
                    )
                    .hint("the data would override the rule: move one of the two"),
                );
            }
        }
    }

    fn refuse_missing(&mut self, entrypoint: &Entrypoint) {
        let found = self
            .rules
            .iter()
            .find(|set| dotted(&set.path) == entrypoint.as_str());
        let message = match found {
            Some(set) if set.arity.is_none() => return,
            Some(_) => format!("the entrypoint `{entrypoint}` is a function; a rule is wanted"),
            None => format!("there is no rule for the entrypoint `{entrypoint}`"),
        };
        let rules: BTreeSet<String> = self
            .rules
            .iter()
            .filter(|set| set.arity.is_none())
            .map(|set| dotted(&set.path))
            .collect();
        let hint = if rules.is_empty() {
            "the policy has no rules".to_owned()
        } else {
            format!("the rules are {}", listed(&rules))
        };
        self.errors.push(LoadError::new("", message).hint(hint));
    }
}

/// At most so many names, so that an error stays readable.
fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 20;
    let mut text: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        text.push(format!("and {more} more"));
    }
    text.join(", ")
}

/// What a module's names mean.
struct Names {
    package: Vec<String>,
    /// Alias to absolute path, without `data`.
    imports: BTreeMap<String, Vec<String>>,
    /// The first segments of the package's rules.
    rules: BTreeSet<String>,
}

impl Names {
    fn of(module: &Module, rules: &Rules) -> Names {
        let package = walk::package_path(module);
        let own = rules
            .rules
            .iter()
            .filter_map(|set| set.path.strip_prefix(package.as_slice())?.first().cloned())
            .collect();
        let imports = module
            .imports
            .iter()
            .filter_map(|import| {
                let (root, segments) = walk::reference(&import.refr)?;
                let path: Vec<String> = segments.into_iter().map_while(|segment| segment).collect();
                let alias = match &import.r#as {
                    Some(alias) => alias.text().to_owned(),
                    None => path.last()?.clone(),
                };
                (root == "data").then_some((alias, path))
            })
            .collect();
        Names {
            package,
            imports,
            rules: own,
        }
    }

    /// Whether a name may be undefined where every variable is bound.
    fn is_rule(&self, name: &str) -> bool {
        name == "input" || self.resolve(name).is_some()
    }

    /// Where a name points that no variable shadows: a path below `data`.
    fn resolve(&self, root: &str) -> Option<Vec<String>> {
        if root == "data" {
            return Some(Vec::new());
        }
        if let Some(path) = self.imports.get(root) {
            return Some(path.clone());
        }
        self.rules.contains(root).then(|| {
            let mut path = self.package.clone();
            path.push(root.to_owned());
            path
        })
    }
}

struct Inspector<'a> {
    rules: &'a Rules,
    names: &'a Names,
    uses: BTreeSet<usize>,
    forms: Vec<Form>,
    errors: Vec<LoadError>,
}

impl Visitor for Inspector<'_> {
    fn reference(&mut self, span: &Span, root: &str, segments: &[Option<String>]) {
        let Some(mut path) = self.names.resolve(root) else {
            return;
        };
        path.extend(segments.iter().map_while(Clone::clone));
        for (index, set) in self.rules.rules.iter().enumerate() {
            if path.starts_with(&set.path) {
                self.uses.insert(index);
            } else if set.path.starts_with(&path) {
                self.uses.insert(index);
                self.forms.push(Form::new(
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
                    self.uses.insert(index);
                    self.arity(call, name, arity);
                    if builtins::find(name).is_some() {
                        self.forms
                            .push(Form::new(call.span, "calls a rule by a builtin's name"));
                    }
                }
                None => self.builtin(call, name),
            }
        } else {
            self.errors.push(at(call.span, "only a name can be called"));
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
        self.errors.push(at(span, message));
    }

    fn array_comprehension(&mut self, whole: &Span, term: &Expr, _: &Query) {
        if !forms::is_defined(term, &|name| self.names.is_rule(name)) {
            self.forms.push(Form::new(
                whole,
                "collects into an array what may be undefined",
            ));
        }
    }

    fn form(&mut self, form: Form) {
        self.forms.push(form);
    }
}

impl Inspector<'_> {
    fn function(&self, name: &str) -> Option<(usize, usize)> {
        let mut segments = name.split('.');
        let mut path = self.names.resolve(segments.next()?)?;
        path.extend(segments.map(str::to_owned));
        let index = self.rules.rules.iter().position(|set| set.path == path)?;
        let arity = self.rules.rules.get(index)?.arity?;
        Some((index, arity))
    }

    fn builtin(&mut self, call: &Call<'_>, name: &str) {
        match builtins::known(name) {
            Some(Known::Arity(arity)) => self.arity(call, name, arity),
            Some(Known::Any) => {}
            Some(Known::Unsupported(why)) => self
                .errors
                .push(at(call.span, format!("`{name}` is not supported{why}"))),
            None => self
                .errors
                .push(at(call.span, format!("unknown function `{name}`"))),
        }
    }

    /// Rego may take the result as one argument more.
    fn arity(&mut self, call: &Call<'_>, name: &str, arity: usize) {
        let found = call.arguments;
        if found == arity || (call.is_statement && found == arity.saturating_add(1)) {
            return;
        }
        self.errors.push(at(
            call.span,
            format!("`{name}` takes {arity} arguments, not {found}"),
        ));
    }
}

fn head(rule: &Rule) -> (&Expr, Option<usize>) {
    match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Func { refr, args, .. } => (refr, Some(args.len())),
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } => (refr, None),
        },
        Rule::Default { refr, args, .. } => (refr, (!args.is_empty()).then_some(args.len())),
    }
}

fn dotted(path: &[String]) -> String {
    let mut text = "data".to_owned();
    for segment in path {
        text.push('.');
        text.push_str(segment);
    }
    text
}

fn at(span: &Span, message: impl Into<String>) -> LoadError {
    let (line, column) = walk::place(span);
    LoadError::new(span.source.file(), message).at(line, column)
}
