//! Headers that Envoy writes behind the gate: the upstream takes them for the gate's.

use super::{
    super::{finding::Finding, kinds::ENVOY_IDENTITY},
    Manager, Node,
};

pub fn check(manager: &Manager<'_>) -> Vec<Finding> {
    // Of filters behind the gate, and what routes tell them.
    let mut mutations = Vec::new();
    let behind = manager.filters.iter().skip(manager.index + 1);
    for filter in behind {
        let config = filter.field("typed_config");
        let Some(config) = config.filter(|it| it.filter_kind() == Some("header_mutation")) else {
            continue;
        };
        mutations.push(config);
        if let Some(name) = filter.field("name").as_ref().and_then(Node::text) {
            manager.walk(&mut |node| mutations.extend(node.for_filter(name)));
        }
    }
    let mut names = Vec::new();
    for mutation in &mutations {
        mutation.walk(&mut |node| {
            let all = node.field("request_mutations").map(|it| it.items());
            let all = all.into_iter().flatten();
            names.extend(all.filter_map(|it| it.at(&["append", "header", "key"])));
        });
    }
    // The router's, of a route, a virtual host, all of them, or one cluster of several.
    manager.walk(&mut |node| {
        let all = node.field("request_headers_to_add").map(|it| it.items());
        let all = all.into_iter().flatten();
        names.extend(all.filter_map(|it| it.at(&["header", "key"])));
    });
    let is_own = |name: &Node<'_>| name.text().is_some_and(|name| manager.gate.owns(name));
    let own = names.iter().filter(|name| is_own(name));
    own.map(|name| {
        let message = format!(
            "`{}` is written behind the gate: the upstream takes it for what the gate has verified",
            name.text().unwrap_or_default()
        );
        let place = manager.document.place(&name.path);
        Finding::new(&ENVOY_IDENTITY, place, message)
            .hint("let the gate alone write it; what Envoy adds needs another name")
    })
    .collect()
}
