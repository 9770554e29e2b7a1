//! Filters that Envoy takes from a file beside its configuration (ECDS).

use super::Node;
use crate::failure::Failure;
use portcullis_gatefile::Document;
use std::{collections::BTreeMap, path::Path};

/// By the path, as the configuration has it.
pub struct Discovered(BTreeMap<String, Document>);

impl Discovered {
    /// Reads what can be read. A relative path is, as Envoy has it, from the folder that one is in.
    pub fn read(document: &Document) -> Discovered {
        let mut files = BTreeMap::new();
        Node::root(&document.value).walk(&mut |node| {
            let file = file(node).map(|file| (file, Document::read(Path::new(file))));
            if let Some((file, Ok(document))) = file {
                files.insert(file.to_owned(), document);
            }
        });
        Discovered(files)
    }

    /// What configures a filter, and the document that it stands in: the resource of the filter's name.
    pub fn of(&self, filter: &Node<'_>) -> Option<(&Document, Node<'_>)> {
        let document = self.0.get(file(filter)?)?;
        let name = filter.field("name")?;
        let resources = Node::root(&document.value).field("resources")?.items();
        let is_named = |it: &Node<'_>| it.field("name").and_then(|it| it.text()) == name.text();
        let resource = resources.iter().find(|it| is_named(it))?;
        Some((document, resource.field("typed_config")?))
    }
}

/// Why there is no gate in a file: it comes from elsewhere.
pub fn fault(place: &Path, document: &Document) -> Option<Failure> {
    let mut fault = None;
    Node::root(&document.value).walk(&mut |node| {
        if fault.is_none() && node.field("config_discovery").is_some() {
            let name = node.field("name");
            let name = name.as_ref().and_then(Node::text).unwrap_or_default();
            fault = Some((name, file(node)));
        }
    });
    let (name, file) = fault?;
    let (place, name) = (place.display(), name.escape_debug());
    Some(match file {
        Some(file) => Failure::new(format!(
            "{place}: the filter `{name}` comes by ECDS from `{}`, and no such wasm filter can be read there",
            file.escape_debug()
        ))
        .hint("a relative path is from the folder that Envoy is started in: run `check` in that"),
        None => Failure::new(format!(
            "{place}: the filter `{name}` comes by ECDS, and not from a file: what it is does not stand here"
        ))
        .hint("put what the proxy was sent, as /config_dump?resource=ecds_filters has it, in its place as `typed_config`"),
    })
}

fn file<'d>(filter: &Node<'d>) -> Option<&'d str> {
    let source = filter.at(&["config_discovery", "config_source"])?;
    // The latter is deprecated.
    let path = source.at(&["path_config_source", "path"]);
    path.or_else(|| source.field("path"))?.text()
}
