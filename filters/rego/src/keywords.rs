//! Rules that are named by a keyword, `if.x := 1`, which regorus does not read. In a package `p` such a
//! rule is the rule `x` of a package `p.if`, and there it is put: first each such name becomes one that
//! regorus reads, and then the syntax tree says where rules begin and end, and what refers to what.
//!
//! Nothing moves to another line.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{self as ast, Expr, Ref, Rule, Span};

use crate::{
    check::{Rules, at},
    edit::{self, Edits},
    error::{LoadError, LoadErrors},
    inspect::Names,
    source::{self, Module},
    syntax,
    visit::{Call, Visitor},
    walk,
};

/// Those that regorus takes for no name in v1.
const KEYWORDS: &[&str] = &[
    "as", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package",
    "some", "true", "with",
];

const NAMED: &str = "__portcullis_keyword_";

/// A text where each keyword that is followed by `.name` has a name. A keyword stands before a dot
/// nowhere else.
pub(crate) fn named(module: Module) -> Module {
    // What is said of a rule stands before it, and could not go with it.
    if module.text.contains("METADATA") {
        return module;
    }
    let mut text = String::with_capacity(module.text.len());
    let mut rest = module.text.as_str();
    let (mut before, mut word_before) = (None, "");
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted(rest),
            '`' => rest
                .get(1..)
                .and_then(|inner| inner.find('`'))
                .map(|at| at.saturating_add(2)),
            '#' => rest.find('\n'),
            _ if is_of_name(first) => {
                let length = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(length);
                let mut follows = after.chars();
                let is_reference = follows.next() == Some('.')
                    && follows
                        .next()
                        .is_some_and(|c| is_of_name(c) && !c.is_ascii_digit());
                let is_path = before == Some('.') || matches!(word_before, "package" | "import");
                if !is_path && is_reference && KEYWORDS.contains(&word) {
                    text.push_str(NAMED);
                }
                // A field is no keyword.
                word_before = if before == Some('.') { "" } else { word };
                Some(length)
            }
            other => Some(other.len_utf8()),
        };
        let (taken, after) = rest.split_at(length.unwrap_or(rest.len()));
        text.push_str(taken);
        before = taken.chars().next_back();
        rest = after;
    }
    module.with_text(text)
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The length of the text that a quote opens.
fn quoted(rest: &str) -> Option<usize> {
    let mut is_escaped = true;
    for (at, character) in rest.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at.checked_add(1),
            _ => {}
        }
    }
    None
}

/// The modules with such rules in packages of their own.
///
/// # Errors
/// Where a keyword names no rule, or a name would mean something else in the rule's package.
pub(crate) async fn modules(
    sources: &[Module],
    trees: &[Ref<ast::Module>],
) -> Result<Vec<Module>, LoadErrors> {
    if !sources.iter().any(|module| module.text.contains(NAMED)) {
        return Ok(sources.to_vec());
    }
    let rules = Rules::inspected(trees).await;
    let packages = packages(&rules);
    let mut errors = Vec::new();
    let mut modules = Vec::new();
    let mut moved = Vec::new();
    for (source, tree) in sources.iter().zip(trees) {
        if !source.text.contains(NAMED) {
            modules.push(source.clone());
            continue;
        }
        let package = syntax::package_path(tree);
        if !package.iter().all(|part| source::is_name(part)) {
            let what =
                "a rule's name begins with a keyword, and a part of its package's is no name";
            errors.push(LoadError::new(&source.path, what));
        }
        let mut mover = Mover {
            tree,
            names: Names::of(tree, trees, rules.sets()),
            packages: &packages,
            own: None,
            edits: Edits::default(),
            errors: Vec::new(),
        };
        for rule in &tree.policy {
            mover.own = mover.package_of(rule);
            mover.head(rule);
            walk::rule(rule, &mut mover);
        }
        errors.append(&mut mover.errors);
        let targets: BTreeSet<_> = tree
            .policy
            .iter()
            .filter_map(|rule| mover.package_of(rule))
            .collect();
        modules.push(mover.part(source, None));
        moved.extend(
            targets
                .iter()
                .map(|target| mover.part(source, Some(target))),
        );
    }
    modules.append(&mut moved);
    LoadErrors::refuse(std::mem::take(&mut errors)).map_err(|errors| placed(errors, sources))?;
    let is_left = |module: &&Module| module.text.contains(NAMED);
    errors.extend(
        modules
            .iter()
            .filter(is_left)
            .map(|module| LoadError::new(&module.path, "a keyword stands where no name may")),
    );
    LoadErrors::refuse(errors)?;
    Ok(modules)
}

/// For each package that rules are moved to the names of its rules.
fn packages(rules: &Rules) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut packages: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for set in rules.sets() {
        let at = set.path.iter().position(|part| part.starts_with(NAMED));
        if let Some((package, [name, ..])) = at
            .and_then(|at| at.checked_add(1))
            .and_then(|at| set.path.split_at_checked(at))
        {
            packages
                .entry(package.to_vec())
                .or_default()
                .insert(name.clone());
        }
    }
    for (package, names) in &mut packages {
        let real: Vec<String> = package.iter().map(|part| plain(part).to_owned()).collect();
        let paths = rules.sets().iter().map(|set| set.path.as_slice());
        let same = paths.filter_map(|path| path.strip_prefix(real.as_slice()));
        names.extend(same.filter_map(|rest| rest.first().cloned()));
    }
    packages
}

/// Errors with their columns as they were written.
pub(crate) fn placed(errors: LoadErrors, named: &[Module]) -> LoadErrors {
    errors.map(|mut error| {
        let module = named.iter().find(|module| module.path == error.file);
        if let (Some(module), Some(line), Some(column)) = (module, error.line, &mut error.column) {
            let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
            let line = module.text.lines().nth(index).unwrap_or_default();
            let characters = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
            let before: String = line.chars().take(characters).collect();
            let added = before.matches(NAMED).count().saturating_mul(NAMED.len());
            let added = u32::try_from(added).unwrap_or(u32::MAX);
            *column = column.saturating_sub(added).max(1);
        }
        error
    })
}

fn plain(part: &str) -> &str {
    part.strip_prefix(NAMED).unwrap_or(part)
}

/// Finds what a module's names must be called once its rules are moved.
struct Mover<'a> {
    tree: &'a ast::Module,
    names: Names,
    packages: &'a BTreeMap<Vec<String>, BTreeSet<String>>,
    /// The package that the rule we are in is moved to.
    own: Option<Vec<String>>,
    edits: Edits,
    errors: Vec<LoadError>,
}

impl Mover<'_> {
    fn package_of(&self, rule: &Rule) -> Option<Vec<String>> {
        let (root, _) = syntax::reference(syntax::head(rule))?;
        root.starts_with(NAMED).then(|| {
            let mut package = syntax::package_path(self.tree);
            package.push(root);
            package
        })
    }

    /// The module with those rules only that stay, or that are moved to a package.
    fn part(&self, source: &Module, target: Option<&Vec<String>>) -> Module {
        let whole = source.text.as_str();
        let mut text = String::with_capacity(whole.len());
        let mut from = 0;
        if let Some(target) = target {
            let (start, end) = edit::of(&self.tree.package.refr);
            text.push_str(whole.get(..start).unwrap_or_default());
            let path: Vec<&str> = target.iter().map(|part| plain(part)).collect();
            text.push_str(&path.join("."));
            from = end;
        }
        for rule in &self.tree.policy {
            if self.package_of(rule).as_ref() != target {
                let (start, end) = edit::range(rule.span());
                text.push_str(&self.edits.apply_within(whole, from, start));
                let gone = whole.get(start..end).unwrap_or_default();
                text.extend(gone.chars().filter(|&character| character == '\n'));
                from = end;
            }
        }
        text.push_str(&self.edits.apply_within(whole, from, whole.len()));
        source.with_text(text)
    }

    /// The keyword goes, and the dot after it.
    fn head(&mut self, rule: &Rule) {
        if self.own.is_some()
            && let Some((_, span)) = root(syntax::head(rule))
        {
            let (start, end) = edit::range(span);
            self.edits.replace((start, end.saturating_add(1)), "");
        }
    }

    /// A name that no variable has.
    fn name(&mut self, expr: &Expr) {
        let Some((name, span)) = root(expr) else {
            return;
        };
        let mut path = syntax::package_path(self.tree);
        path.push(name.to_owned());
        if name.starts_with(NAMED) {
            match self.packages.contains_key(&path) {
                true => self.absolute(&path, span),
                false => {
                    let error = at(span, format!("var {} is unsafe", plain(name)));
                    self.errors.push(error.hint("no rule has this name"));
                }
            }
            return;
        }
        let Some(own) = &self.own else {
            return;
        };
        if self.names.is_own(name) {
            self.absolute(&path, span);
        } else if self
            .packages
            .get(own)
            .is_some_and(|names| names.contains(name))
        {
            let error = at(
                span,
                format!("`{name}` is also a part of the name of a rule that begins with a keyword"),
            );
            self.errors.push(error.hint("give it another name"));
        }
    }

    fn absolute(&mut self, path: &[String], span: &Span) {
        let mut text = "data".to_owned();
        for part in path {
            text.push('.');
            text.push_str(plain(part));
        }
        self.edits.replace(edit::range(span), &text);
    }
}

impl Visitor for Mover<'_> {
    fn reference(&mut self, whole: &Expr, _: &str, _: &[Option<String>]) {
        self.name(whole);
    }

    fn call(&mut self, call: &Call<'_>) {
        self.name(call.function);
    }

    fn replaced(&mut self, target: &Expr, _: &Expr) {
        self.name(target);
    }
}

/// The name a reference begins with.
fn root(expr: &Expr) -> Option<(&str, &Span)> {
    let mut here = expr;
    loop {
        match here {
            Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => here = refr,
            Expr::Var { span, .. } => return Some((span.text(), span)),
            _ => return None,
        }
    }
}
