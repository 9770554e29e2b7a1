//! What a connection manager makes of paths before anybody reads them.

use super::{
    super::{finding::Finding, kinds::ENVOY_PATHS},
    Manager, Node,
};

pub fn check(manager: &Manager<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, why, hint) in [
        (
            "normalize_path",
            "a path with dot segments comes to the gate as it was sent",
            "say `normalize_path: true`: dot segments are resolved before the gate, the routes and the \
             upstream read the path",
        ),
        (
            "merge_slashes",
            "`//a` is another path to the gate than `/a`, and to many an upstream it is not",
            "say `merge_slashes: true`",
        ),
    ] {
        let field = manager.node.field(name);
        if field.as_ref().is_some_and(Node::is_true) {
            continue;
        }
        let place = field.as_ref().map_or(&manager.node.path, |it| &it.path);
        let place = manager.document.place(place);
        let message = format!("`{name}` is not true: {why}");
        findings.push(Finding::new(&ENVOY_PATHS, place, message).hint(hint));
    }
    let name = "path_with_escaped_slashes_action";
    let field = manager.node.field(name);
    let decided = field.as_ref().is_some_and(|field| {
        let actions = [
            ("REJECT_REQUEST", 2),
            ("UNESCAPE_AND_REDIRECT", 3),
            ("UNESCAPE_AND_FORWARD", 4),
        ];
        actions
            .iter()
            .any(|(name, number)| field.is_enum(name, *number))
    });
    if !decided {
        let place = field.as_ref().map_or(&manager.node.path, |it| &it.path);
        let message = format!(
            "`{name}` leaves `%2F` and `%5C` as they are: one path to the gate, and another to an upstream \
             that unescapes them"
        );
        let finding = Finding::new(&ENVOY_PATHS, manager.document.place(place), message);
        findings.push(finding.hint(
            "say REJECT_REQUEST; or UNESCAPE_AND_REDIRECT, where the upstream is known to unescape",
        ));
    }
    findings
}
