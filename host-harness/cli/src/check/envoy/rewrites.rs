//! Routes that give the upstream another path or host than the gate has read.

use super::{
    super::{finding::Finding, kinds::ENVOY_REWRITES},
    Manager, Node,
};
use portcullis_rego::tools::lint::Severity;

/// Fields of a route's action, what they change, and what a signature would cover of it.
const REWRITES: [(&[&str], &str, &[&str]); 2] = [
    (
        &[
            "prefix_rewrite",
            "regex_rewrite",
            "path_rewrite",
            "path_rewrite_policy",
        ],
        "path",
        &["@path", "@query", "@target-uri", "@request-target"],
    ),
    (
        &[
            "host_rewrite",
            "host_rewrite_literal",
            "host_rewrite_header",
            "host_rewrite_path_regex",
            "auto_host_rewrite",
        ],
        "host",
        &["@authority", "@target-uri"],
    ),
];

pub fn check(manager: &Manager<'_>) -> Vec<Finding> {
    let mut actions = Vec::new();
    manager.walk(&mut |node| actions.extend(routed(node)));
    let found = |action: &Node<'_>| findings(manager, action);
    actions.iter().flat_map(found).collect()
}

/// The actions of a virtual host's routes that go to an upstream, and what they say of one cluster of several.
fn routed<'d>(host: &Node<'d>) -> Vec<Node<'d>> {
    let routes = host.field("routes").map(|routes| routes.items());
    let routes = routes.unwrap_or_default();
    let actions = routes.iter().filter_map(|it| it.field("route"));
    let with_clusters = actions.flat_map(|action| {
        let clusters = action.at(&["weighted_clusters", "clusters"]);
        let clusters = clusters.map(|it| it.items()).unwrap_or_default();
        std::iter::once(action).chain(clusters)
    });
    with_clusters.collect()
}

fn findings(manager: &Manager<'_>, action: &Node<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (fields, what, components) in REWRITES {
        let rewrites = fields.iter().filter_map(|name| action.field(name));
        for field in rewrites.filter(|it| it.value.as_bool() != Some(false)) {
            let place = manager.document.place(&field.path);
            findings.push(match manager.gate.signs(components) {
                true => {
                    let message = format!(
                        "the route gives the upstream another {what} than `upstream.sign` covers: the \
                         signature does not hold there"
                    );
                    let hint = format!(
                        "leave {} out of `upstream.sign.components`",
                        components.join(", ")
                    );
                    Finding::new(&ENVOY_REWRITES, place, message).hint(hint)
                }
                false => Finding {
                    severity: Severity::Note,
                    ..Finding::new(
                        &ENVOY_REWRITES,
                        place,
                        format!("the route gives the upstream another {what} than the policy reads"),
                    )
                },
            });
        }
    }
    findings
}
