//! Functions of which there is nothing but a default. Where a head has several parts, a package read
//! as a document has the objects on its path; regorus makes none for a default. So each such
//! function gets a definition that never holds.

use std::collections::BTreeSet;

use regorus::unstable::{self as ast, Ref, Rule};

use crate::{edit, source::Module, steps, syntax};

/// The modules, and one more for each package that has such functions.
pub(crate) async fn modules(sources: &[Module], trees: &[Ref<ast::Module>]) -> Vec<Module> {
    let mut defined: BTreeSet<Vec<String>> = BTreeSet::new();
    for tree in trees {
        let package = syntax::package_path(tree);
        let written = tree
            .policy
            .iter()
            .filter(|rule| matches!(rule.as_ref(), Rule::Spec { .. }));
        defined.extend(written.map(|rule| syntax::path_of(&package, rule)));
        steps::pause().await;
    }
    let mut modules = sources.to_vec();
    for (source, tree) in sources.iter().zip(trees) {
        let package = syntax::package_path(tree);
        let mut definitions = String::new();
        for rule in &tree.policy {
            let path = syntax::path_of(&package, rule);
            if let Rule::Default { refr, args, .. } = rule.as_ref()
                && !args.is_empty()
                && path.len() > package.len().saturating_add(1)
                && defined.insert(path)
            {
                let (start, end) = edit::of(refr);
                let head = source.text.get(start..end).unwrap_or_default();
                let arguments: Vec<String> =
                    (0..args.len()).map(|index| format!("a{index}")).collect();
                definitions.push_str(&format!(
                    "\n{head}({}) := true{}false }}\n",
                    arguments.join(", "),
                    edit::opening(tree),
                ));
            }
        }
        if !definitions.is_empty() {
            let (start, end) = edit::of(&tree.package.refr);
            let package = source.text.get(start..end).unwrap_or_default();
            let import = match tree.rego_v1 {
                true => "import rego.v1\n",
                false => "",
            };
            modules.push(Module {
                path: format!("__portcullis_defaults_{}.rego", modules.len()),
                text: format!("package {package}\n{import}{definitions}"),
                version: source.version,
            });
        }
    }
    modules
}
