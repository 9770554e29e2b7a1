//! What regorus accepts and should not, found over the syntax tree before anything runs: calls of
//! functions that are not there, recursion, base data where a rule is, a missing entrypoint.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Module, Ref, Rule, RuleHead, Span};

use crate::{
    error::LoadError,
    forms::Form,
    inspect::{self, Names, agree},
    source::Entrypoint,
    steps, syntax,
    value::Value,
};

/// The rules of a policy, who uses whom, and what the virtual machine gets wrong in each.
pub(crate) struct Rules {
    rules: Vec<RuleSet>,
    pub errors: Vec<LoadError>,
}

/// Every definition of one path.
pub(crate) struct RuleSet {
    /// Without `data`.
    pub path: Vec<String>,
    place: Span,
    /// The number of arguments of a function.
    pub arity: Option<usize>,
    /// A part of a head is only known when it runs, as in `p[x].r`.
    is_open: bool,
    /// The rules that it refers to, by their position.
    pub uses: BTreeSet<usize>,
    forms: Vec<Form>,
}

impl Rules {
    pub async fn check(modules: &[Ref<Module>], data: &Value, entrypoints: &[Entrypoint]) -> Rules {
        let mut rules = Rules::inspected(modules).await;
        rules.refuse_recursion().await;
        rules.refuse_depth();
        steps::pause().await;
        rules.refuse_overlap(data);
        steps::pause().await;
        for entrypoint in entrypoints {
            rules.refuse_missing(entrypoint);
        }
        rules
    }

    /// Only what can be said of each rule by itself.
    pub async fn inspected(modules: &[Ref<Module>]) -> Rules {
        let mut rules = Rules {
            rules: Vec::new(),
            errors: Vec::new(),
        };
        let heads = rules.collect(modules);
        steps::pause().await;
        for (module, heads) in modules.iter().zip(heads) {
            let names = Names::of(module, modules, &rules.rules);
            for (rule, target) in module.policy.iter().zip(heads) {
                let found = inspect::rule(rule, &names, &rules.rules);
                rules.errors.extend(found.errors);
                if let Some(set) = rules.rules.get_mut(target) {
                    set.uses.extend(found.uses);
                    set.forms.extend(found.forms);
                }
                steps::pause().await;
            }
        }
        rules
    }

    /// Whether an entrypoint is no rule, and an object that rules make up.
    pub fn is_document(&self, entrypoint: &Entrypoint) -> bool {
        let below = format!("{entrypoint}.");
        let mut paths = self
            .rules
            .iter()
            .filter(|set| set.arity.is_none())
            .map(|set| dotted(&set.path));
        !self
            .rules
            .iter()
            .any(|set| dotted(&set.path) == entrypoint.as_str())
            && paths.any(|path| path.starts_with(&below))
    }

    /// Whether an entrypoint is a rule, and no function.
    pub fn is_rule(&self, entrypoint: &Entrypoint) -> bool {
        let mut sets = self.rules.iter().filter(|set| set.arity.is_none());
        sets.any(|set| dotted(&set.path) == entrypoint.as_str())
    }

    /// Whether an entrypoint is a rule that is not all there is to its path.
    pub fn is_shared(&self, entrypoint: &Entrypoint) -> bool {
        let path = entrypoint.as_str().split('.').skip(1);
        let path: Vec<Option<String>> = path.map(|segment| Some(segment.to_owned())).collect();
        self.overlapped(&path).is_some()
    }

    /// Where a reference has its first segment that one rule's head spells out, and that another
    /// may have for a value of its variable.
    pub fn overlapped(&self, path: &[Option<String>]) -> Option<usize> {
        let is_hidden = |above: &usize| {
            let mut sets = self.rules.iter();
            sets.any(|set| set.path.len() > *above && agree(path, &set.path))
        };
        let above = self.rules.iter().filter(|set| set.is_open_above(path));
        above.map(|set| set.path.len()).filter(is_hidden).min()
    }

    pub fn sets(&self) -> &[RuleSet] {
        &self.rules
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
                let package = syntax::package_path(module);
                module
                    .policy
                    .iter()
                    .map(|rule| {
                        let (refr, arity) = (syntax::head(rule), arity(rule));
                        let path = syntax::path_of(&package, rule);
                        let index = *by_path.entry(path.clone()).or_insert_with(|| {
                            self.rules.push(RuleSet {
                                path,
                                place: refr.span().clone(),
                                arity,
                                is_open: false,
                                uses: BTreeSet::new(),
                                forms: Vec::new(),
                            });
                            self.rules.len().saturating_sub(1)
                        });
                        if let Some(set) = self.rules.get_mut(index) {
                            set.is_open |= syntax::is_open(refr);
                        }
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

    /// OPA refuses recursion. regorus does not, and overflows its stack.
    async fn refuse_recursion(&mut self) {
        for start in 0..self.rules.len() {
            steps::pause().await;
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

    /// An evaluator descends as deep as rules ask one another, and its stack is small.
    fn refuse_depth(&mut self) {
        if !self.errors.is_empty() {
            return;
        }
        // Without cycles this ends; as many rounds as a chain may be long.
        let mut depths = vec![1_usize; self.rules.len()];
        for _ in 0..MAX_CHAIN {
            let mut changed = false;
            for (index, set) in self.rules.iter().enumerate() {
                let below = set.uses.iter().filter_map(|&used| depths.get(used)).max();
                let depth = below.map_or(1, |below| below.saturating_add(1));
                if let Some(known) = depths.get_mut(index)
                    && *known < depth
                {
                    *known = depth;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        let deepest = depths.iter().enumerate().max_by_key(|(_, depth)| **depth);
        if let Some((index, depth)) = deepest
            && *depth > MAX_CHAIN
            && let Some(set) = self.rules.get(index)
        {
            self.errors.push(at(
                &set.place,
                format!(
                    "`{}` asks rules that ask rules, more than {MAX_CHAIN} deep",
                    dotted(&set.path)
                ),
            ));
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

impl RuleSet {
    /// Whether a variable of a head may have the value that a reference spells out.
    pub fn is_open_above(&self, path: &[Option<String>]) -> bool {
        let known = path.get(..=self.path.len());
        self.is_open
            && known.is_some_and(|known| known.iter().all(Option::is_some))
            && agree(path, &self.path)
    }
}

/// How many rules may ask one another in a row.
const MAX_CHAIN: usize = 128;

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

/// The number of a function's arguments.
fn arity(rule: &Rule) -> Option<usize> {
    match rule {
        Rule::Spec {
            head: RuleHead::Func { args, .. },
            ..
        } => Some(args.len()),
        Rule::Spec { .. } => None,
        Rule::Default { args, .. } => (!args.is_empty()).then_some(args.len()),
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

pub(crate) fn at(span: &Span, message: impl Into<String>) -> LoadError {
    let (line, column) = syntax::place(span);
    LoadError::new(span.source.file(), message).at(line, column)
}
