//! The gate's filter, and those around it.

use super::{
    super::{
        finding::Finding,
        kinds::{ENVOY_BODIES, ENVOY_FAILURE, ENVOY_FILTERS},
    },
    Manager, Node,
};
use portcullis_rego::tools::lint::Severity;

/// Filters that may write a request's path, or hold others that do. `header_mutation` writes a query alone:
/// Envoy refuses pseudo-headers there.
const CHANGING: [&str; 12] = [
    "aws_lambda",
    "composite",
    "connect_grpc_bridge",
    "dynamic_modules",
    "ext_authz",
    "ext_proc",
    "filter_chain",
    "golang",
    "grpc_json_reverse_transcoder",
    "grpc_json_transcoder",
    "lua",
    "wasm",
];

/// Filters that add a credential of the proxy's own.
const ADDING: [&str; 3] = ["aws_request_signing", "credential_injector", "gcp_authn"];

pub fn check(manager: &Manager<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(failure(manager));
    findings.extend(bodies(manager));
    findings.extend(order(manager));
    findings.extend(switched_off(manager));
    findings
}

fn failure(manager: &Manager<'_>) -> Option<Finding> {
    let plugin = &manager.gate.plugin;
    let policy = plugin
        .field("failure_policy")
        .filter(|it| it.is_enum("FAIL_OPEN", 3));
    let open = policy.or_else(|| plugin.field("fail_open").filter(Node::is_true))?;
    let message = "requests pass without a decision where the module has crashed";
    let finding = Finding::new(
        &ENVOY_FAILURE,
        manager.gate.document.place(&open.path),
        message,
    );
    Some(finding.hint("say `failure_policy: FAIL_RELOAD`"))
}

fn bodies(manager: &Manager<'_>) -> Option<Finding> {
    let plugin = &manager.gate.plugin;
    let field = plugin.field("allow_on_headers_stop_iteration");
    if !manager.gate.holds_bodies() || field.as_ref().is_some_and(Node::is_true) {
        return None;
    }
    let place = field.as_ref().map_or(&plugin.path, |it| &it.path);
    let message = "the gate must see bodies before it decides, and Envoy shows none while it holds the \
                   headers: such requests are refused with `body.host_unsupported`";
    let finding = Finding::new(&ENVOY_BODIES, manager.gate.document.place(place), message);
    Some(finding.hint("say `allow_on_headers_stop_iteration: true`"))
}

fn order(manager: &Manager<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, filter) in manager.filters.iter().enumerate() {
        let config = filter.field("typed_config");
        let Some(kind) = config.as_ref().and_then(Node::filter_kind) else {
            continue;
        };
        let place = manager.document.place(&filter.path);
        if index < manager.index && ADDING.contains(&kind) {
            let message = format!(
                "`{kind}` stands before the gate: what it adds to every request is taken for the client's"
            );
            let finding = Finding::new(&ENVOY_FILTERS, place, message);
            findings.push(finding.hint("put it after the gate"));
        } else if index > manager.index && (CHANGING.contains(&kind) || writes_query(&config)) {
            let message = format!(
                "`{kind}` stands after the gate, and can give the upstream another path, or other headers, \
                 than were decided on"
            );
            findings.push(Finding {
                severity: Severity::Note,
                ..Finding::new(&ENVOY_FILTERS, place, message)
            });
        }
    }
    findings
}

fn writes_query(config: &Option<Node<'_>>) -> bool {
    let written = config
        .as_ref()
        .and_then(|it| it.at(&["mutations", "query_parameter_mutations"]));
    written.is_some_and(|it| !it.items().is_empty())
}

/// Where Envoy's routes switch the gate off.
fn switched_off(manager: &Manager<'_>) -> Vec<Finding> {
    let filter = &manager.gate.filter;
    let mut places: Vec<String> = filter
        .field("disabled")
        .filter(Node::is_true)
        .map(|it| it.path)
        .into_iter()
        .collect();
    let name = filter.field("name");
    if let Some(name) = name.as_ref().and_then(Node::text) {
        manager.walk(&mut |node| {
            let disabled = node.for_filter(name).and_then(|own| own.field("disabled"));
            places.extend(disabled.filter(Node::is_true).map(|it| it.path));
        });
    }
    let message = "the gate is switched off by Envoy's routes: which route it is, is settled before an \
                   earlier filter changes the path";
    let places = places.iter().map(|path| manager.document.place(path));
    places
        .map(|place| {
            let finding = Finding::new(&ENVOY_FILTERS, place, message);
            finding.hint("say it in the gate's own `routes`: `gate: \"off\"`")
        })
        .collect()
}
