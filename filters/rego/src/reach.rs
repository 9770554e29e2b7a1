//! What a policy can look at: every reference to `input` that stands in it. What none of them leads to
//! need not be made.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{self as ast, Expr, Import, Lexer, Ref, Span, Token, TokenKind};

use crate::{load, parse::LENGTHS, source::Entrypoint, steps, syntax, visit::Visitor, walk};

/// A part of a document, as far as a policy can look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of it: which members there are, too.
    Whole,
    /// These members of it and no others, if it is an object.
    Members(BTreeMap<String, Reach>),
}

static WHOLE: Reach = Reach::Whole;

impl Reach {
    /// What stands at these paths, and all below it.
    pub fn of_paths<'p>(paths: impl IntoIterator<Item = &'p [String]>) -> Reach {
        let mut reach = Reach::Members(BTreeMap::new());
        for path in paths {
            let path: Vec<Option<String>> = path.iter().cloned().map(Some).collect();
            reach.add(&path);
        }
        reach
    }

    /// What of the member can be looked at; `None` where nothing can.
    pub fn member(&self, name: &str) -> Option<&Reach> {
        match self {
            Reach::Whole => Some(&WHOLE),
            Reach::Members(members) => members.get(name),
        }
    }

    /// Whether anything below this path can be looked at, or what is there itself.
    pub fn leads_to(&self, path: &[&str]) -> bool {
        let below = path.iter().try_fold(self, |here, name| here.member(name));
        below.is_some()
    }

    fn add(&mut self, path: &[Option<String>]) {
        let Reach::Members(members) = self else {
            return;
        };
        match path.split_first() {
            Some((Some(name), rest)) => members
                .entry(name.clone())
                .or_insert_with(|| Reach::Members(BTreeMap::new()))
                .add(rest),
            // What follows is only known when it runs, or all of it is used.
            Some((None, _)) | None => *self = Reach::Whole,
        }
    }
}

/// What modules look at of `input`. All of it, where it is named anywhere that no reference accounts
/// for: a name that stands for something else there costs nothing but time.
///
/// What a policy says of decision logs, in the package `system.log`, is asked about events: its `input` is
/// another one, and none of the `entrypoints` leads there unless somebody refers to it.
pub(crate) async fn of(modules: &[Ref<ast::Module>], entrypoints: &[Entrypoint]) -> Reach {
    let mut reach = Reach::Members(BTreeMap::new());
    let is_apart = is_log_apart(modules, entrypoints).await;
    for module in modules {
        steps::pause().await;
        if is_apart && is_of_log(module) {
            continue;
        }
        let mut names = Names::of(module);
        for rule in &module.policy {
            walk::rule(rule, &mut names);
        }
        for import in &module.imports {
            names.account(&import.refr);
        }
        for path in &names.paths {
            reach.add(path);
        }
        let Some(named) = named(module, &names.means) else {
            return Reach::Whole;
        };
        for (at, path) in named {
            if !names.accounted.contains(&at) {
                reach.add(path);
            }
        }
    }
    reach
}

/// Whether the module is one of those that a decision log asks.
pub(crate) fn is_of_log(module: &ast::Module) -> bool {
    syntax::package_path(module).starts_with(&["system".to_owned(), "log".to_owned()])
}

/// Whether nobody else can come by those modules: as far as can be told from what stands there.
async fn is_log_apart(modules: &[Ref<ast::Module>], entrypoints: &[Entrypoint]) -> bool {
    if !modules.iter().any(|module| is_of_log(module)) {
        return false;
    }
    if entrypoints
        .iter()
        .any(|it| it.as_str().starts_with("data.system."))
    {
        return false;
    }
    let mut system = OfSystem(false);
    let documents = [load::DOCUMENTS.to_owned()];
    let others = modules
        .iter()
        .filter(|it| !is_of_log(it) && syntax::package_path(it) != documents);
    for module in others {
        steps::pause().await;
        if syntax::package_path(module)
            .first()
            .is_some_and(|it| it == "system")
        {
            return false;
        }
        for import in &module.imports {
            if let Some((root, path)) = syntax::reference(&import.refr) {
                system.reference(&import.refr, &root, &path);
            }
        }
        for rule in &module.policy {
            walk::rule(rule, &mut system);
        }
    }
    !system.0
}

/// Whether somebody refers to `data.system`, or may.
struct OfSystem(bool);

impl Visitor for OfSystem {
    fn reference(&mut self, _: &Expr, root: &str, segments: &[Option<String>]) {
        let other = segments
            .first()
            .is_some_and(|first| first.as_ref().is_some_and(|name| name != "system"));
        self.0 |= root == "data" && !other;
    }
}

/// A part of the input.
type Path = Vec<Option<String>>;

struct Names {
    /// `input`, and every name for a part of it that is imported.
    means: BTreeMap<String, Path>,
    paths: Vec<Path>,
    /// Where the names stand that `paths` accounts for.
    accounted: BTreeSet<u32>,
}

impl Names {
    fn of(module: &ast::Module) -> Names {
        let imported = module.imports.iter().filter_map(imported);
        let input = ("input".to_owned(), Path::new());
        Names {
            means: imported.chain([input]).collect(),
            paths: Vec::new(),
            accounted: BTreeSet::new(),
        }
    }

    fn account(&mut self, reference: &Expr) {
        let mut root = reference;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = root {
            root = refr;
        }
        if let Expr::Var { span, .. } = root {
            self.accounted.insert(span.start);
        }
    }
}

impl Visitor for Names {
    fn reference(&mut self, whole: &Expr, root: &str, segments: &[Option<String>]) {
        if let Some(path) = self.means.get(root) {
            self.paths.push([path, segments].concat());
            self.account(whole);
        }
    }
}

/// The name that an import of a part of the input gives it.
fn imported(import: &Import) -> Option<(String, Path)> {
    let (root, path) = syntax::reference(&import.refr)?;
    if root != "input" {
        return None;
    }
    let name = match &import.r#as {
        Some(alias) => alias.text().to_owned(),
        None => path.last().cloned()??,
    };
    Some((name, path))
}

/// Where each of these names stands in a module's text, and what it means: `None` where that cannot be
/// told.
fn named<'m>(
    module: &ast::Module,
    means: &'m BTreeMap<String, Path>,
) -> Option<Vec<(u32, &'m Path)>> {
    let mut found = Vec::new();
    let aliases: BTreeSet<u32> = module
        .imports
        .iter()
        .flat_map(|import| &import.r#as)
        .map(|alias| alias.start)
        .collect();
    let source = &module.package.span.source;
    let mut lexer = Lexer::new(source);
    lexer.set_max_col(LENGTHS.max_col);
    loop {
        let Token(kind, span) = lexer.next_token().ok()?;
        match kind {
            TokenKind::Eof => return Some(found),
            TokenKind::Ident if !is_field(&span) && !aliases.contains(&span.start) => {
                found.extend(means.get(span.text()).map(|path| (span.start, path)));
            }
            _ => {}
        }
    }
}

/// Whether a dot stands right before it.
fn is_field(span: &Span) -> bool {
    let start = usize::try_from(span.start).unwrap_or_default();
    let before = span.source.contents().get(..start).unwrap_or_default();
    before.ends_with('.')
}
