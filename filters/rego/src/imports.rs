//! Writes imported names out. To regorus a name that was imported is the whole package: all its rules
//! run where one is asked, at a cost, with their errors, and as if a test had covered them.
//!
//! Nothing moves to another line.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{self as ast, Expr, Ref};

use crate::{
    edit::{self, Edits},
    source::Module,
    syntax,
    visit::{Call, Visitor},
    walk,
};

pub(crate) async fn modules(modules: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
    edit::modules(modules, trees, |tree| {
        let mut names = Names {
            imported: imported(tree),
            edits: Edits::default(),
            seen: BTreeSet::new(),
        };
        for rule in &tree.policy {
            walk::rule(rule, &mut names);
        }
        names.edits
    })
    .await
}

/// What each name means that is imported from `data`.
fn imported(tree: &ast::Module) -> BTreeMap<String, String> {
    let imports = tree.imports.iter().filter_map(|import| {
        let path = syntax::static_prefix(&import.refr);
        let (root, path) = path.split_first()?;
        let name = match &import.r#as {
            Some(alias) => alias.text(),
            None => path.last()?,
        };
        (root == "data").then(|| (name.to_owned(), syntax::written(root, path)))
    });
    imports.collect()
}

struct Names {
    imported: BTreeMap<String, String>,
    edits: Edits,
    /// A body of several values is walked more than once.
    seen: BTreeSet<(usize, usize)>,
}

impl Names {
    fn write_out(&mut self, whole: &Expr) {
        let mut root = whole;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = root {
            root = refr;
        }
        if let Expr::Var { span, .. } = root
            && let Some(path) = self.imported.get(span.text())
            && self.seen.insert(edit::range(span))
        {
            self.edits.replace(edit::range(span), path);
        }
    }
}

impl Visitor for Names {
    fn reference(&mut self, whole: &Expr, _root: &str, _segments: &[Option<String>]) {
        self.write_out(whole);
    }

    fn call(&mut self, call: &Call<'_>) {
        self.write_out(call.function);
    }

    fn replaced(&mut self, target: &Expr, _by: &Expr) {
        self.write_out(target);
    }
}
