//! References to what rules of several heads make up. Of `p[x].r` and `p.b.r` regorus evaluates only
//! the latter where `p.b.r` is asked, since it has the longest head; OPA evaluates both. An index that
//! is no plain text makes regorus evaluate all below what stands before it: `p[["b"][0]].r`.
//!
//! Nothing moves to another line.

use regorus::unstable::{self as ast, Expr, Ref};

use crate::{
    check::Rules,
    edit::{self, Edits},
    inspect::Names,
    source::Module,
    visit::Visitor,
    walk,
};

pub(crate) async fn modules(
    sources: &[Module],
    trees: &[Ref<ast::Module>],
    rules: &Rules,
) -> Vec<Module> {
    edit::modules(sources, trees, |tree| {
        let names = Names::of(tree, trees, rules.sets());
        let mut overlaps = Overlaps {
            rules,
            names: &names,
            edits: Edits::default(),
        };
        for rule in &tree.policy {
            walk::rule(rule, &mut overlaps);
        }
        overlaps.edits
    })
    .await
}

struct Overlaps<'a> {
    rules: &'a Rules,
    names: &'a Names,
    edits: Edits,
}

impl Visitor for Overlaps<'_> {
    fn reference(&mut self, whole: &Expr, root: &str, segments: &[Option<String>]) {
        let (Some(base), Some(path)) = (self.names.resolve(root), self.names.path(root, segments))
        else {
            return;
        };
        let Some(before) = self.rules.overlapped(&path) else {
            return;
        };
        // The root, and each reference that ends with one segment more.
        let mut parts = vec![whole];
        while let Some(Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. }) = parts.last() {
            parts.push(refr);
        }
        parts.reverse();
        let segment = before.checked_sub(base.len());
        let edit = match segment {
            Some(segment) => index(&path, before, parts.get(segment..)),
            None => absolute(&base, before, parts.first().copied()),
        };
        if let Some((place, text)) = edit {
            self.edits.replace(place, &text);
        }
    }
}

type Edit = ((usize, usize), String);

/// `.b` becomes an index.
fn index(path: &[Option<String>], at: usize, parts: Option<&[&Expr]>) -> Option<Edit> {
    let [before, whole, ..] = parts? else {
        return None;
    };
    let key = path.get(at)?.as_deref()?;
    Some(((edit::of(before).1, edit::of(whole).1), indexed(key)))
}

/// An import, or a rule of a package that stands inside of another's rule.
fn absolute(base: &[String], at: usize, root: Option<&Expr>) -> Option<Edit> {
    let mut text = "data".to_owned();
    for (index, key) in base.iter().enumerate() {
        match index == at {
            true => text.push_str(&indexed(key)),
            false => text.push_str(&format!("[{}]", quoted(key))),
        }
    }
    Some((edit::of(root?), text))
}

fn indexed(key: &str) -> String {
    format!("[[{}][0]]", quoted(key))
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}
