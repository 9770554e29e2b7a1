//! Chains of filters that requests take: those with the gate in them, and those around it.

use super::{
    super::{finding::Finding, kinds::ENVOY_FILTERS},
    Gate, Manager, Node, Told,
};
use portcullis_gatefile::Document;
use portcullis_rego::tools::lint::Severity;

pub struct Chains<'d> {
    document: &'d Document,
    pub gated: Vec<Manager<'d>>,
    /// Connection managers without a gate.
    open: Vec<Node<'d>>,
    /// The filters of upgrades without the gate that other requests to the same connection manager meet.
    upgrades: Vec<Node<'d>>,
}

impl<'d> Chains<'d> {
    pub fn read(document: &'d Document, told: Told<'d>) -> Chains<'d> {
        let root = Node::root(&document.value);
        let mut chains = Chains {
            document,
            gated: Vec::new(),
            open: Vec::new(),
            upgrades: Vec::new(),
        };
        root.walk(&mut |node| {
            if let Some(filters) = node.field("http_filters").filter(|_| is_manager(node)) {
                chains.add(&root, node, &filters, told);
            }
        });
        chains
    }

    fn add(&mut self, root: &Node<'d>, node: &Node<'d>, filters: &Node<'d>, told: Told<'d>) {
        let Some(all) = gated(self.document, root, node, filters, told) else {
            if !is_discovered(filters) {
                self.open.push(node.clone());
            }
            return;
        };
        let upgrades = node.field("upgrade_configs").map(|it| it.items());
        let own = upgrades.into_iter().flatten().filter_map(|it| {
            // An empty list is none.
            let filters = it.field("filters")?;
            (!filters.items().is_empty()).then_some(filters)
        });
        let name = |gate: &Gate<'d>| gate.filter.field("name").map(|it| it.value);
        for filters in own {
            let chain = gated(self.document, root, node, &filters, told);
            let is_gate = |gate: &Gate<'d>| gate.is_named || name(gate) == name(&all.gate);
            match chain.filter(|it| is_gate(&it.gate)) {
                Some(chain) => self.gated.push(chain),
                None if is_discovered(&filters) => {}
                None => self.upgrades.push(filters),
            }
        }
        self.gated.push(all);
    }

    pub fn findings(&self) -> Vec<Finding> {
        let upgrades = self.upgrades.iter().map(|filters| {
            let message =
                "the gate is not among the filters that this upgrade takes in place of the others: nobody decides on it";
            let place = self.document.place(&filters.path);
            let finding = Finding::new(&ENVOY_FILTERS, place, message);
            finding.hint("leave `filters` out, or have the gate among them")
        });
        // Where one says that it is the gate, another's wasm filter that does not is probably none.
        let said = self.gated.iter().filter(|it| it.gate.is_named);
        let said: Vec<&str> = said.map(|it| it.node.path.as_str()).collect();
        let all = self.gated.iter().map(|it| &it.node);
        let unsaid = all.filter(|node| !said.is_empty() && !said.contains(&node.path.as_str()));
        let open = self.open.iter().chain(unsaid).map(|node| Finding {
            severity: Severity::Note,
            ..Finding::new(
                &ENVOY_FILTERS,
                self.document.place(&node.path),
                "this connection manager has no gate: what it takes in passes without a decision",
            )
        });
        upgrades.chain(open).collect()
    }
}

/// Clusters have filters of the same name.
fn is_manager(node: &Node<'_>) -> bool {
    let kind = node.field("@type");
    let kind = kind.as_ref().and_then(Node::text);
    kind.is_none_or(|kind| kind.ends_with(".HttpConnectionManager"))
}

/// Whether the gate is told to Envoy elsewhere (ECDS).
fn is_discovered(filters: &Node<'_>) -> bool {
    filters.items().iter().any(|filter| {
        let name = filter.field("name");
        let name = name.as_ref().and_then(Node::text);
        filter.field("config_discovery").is_some()
            && name.is_some_and(|name| name.contains("portcullis"))
    })
}

/// A chain that has a wasm filter.
fn gated<'d>(
    document: &'d Document,
    root: &Node<'d>,
    node: &Node<'d>,
    filters: &Node<'d>,
    told: Told<'d>,
) -> Option<Manager<'d>> {
    let filters = filters.items();
    let gates = filters
        .iter()
        .map(|filter| Gate::of(document, filter, told));
    let mut gates: Vec<(usize, Gate<'d>)> = gates
        .enumerate()
        .filter_map(|(index, gate)| Some((index, gate?)))
        .collect();
    // Of several wasm filters the one that says it is a gate.
    let named = gates.iter().position(|(_, gate)| gate.is_named);
    let chosen = named.unwrap_or(0);
    if gates.is_empty() {
        return None;
    }
    let (index, gate) = gates.swap_remove(chosen);
    Some(Manager {
        document,
        node: node.clone(),
        routes: routes(root, node),
        filters,
        gate,
        index,
    })
}

/// Resources beside a connection manager that it names (RDS), with its routes.
fn routes<'d>(root: &Node<'d>, node: &Node<'d>) -> Vec<Node<'d>> {
    let mut names = Vec::new();
    node.walk(&mut |node| {
        // The second of its scopes.
        let named = ["route_config_name", "route_configuration_name"];
        names.extend(named.iter().filter_map(|name| node.field(name)?.text()));
    });
    let mut routes = Vec::new();
    root.walk(&mut |node| {
        let name = node.field("name");
        let name = name.as_ref().and_then(Node::text);
        if name.is_some_and(|name| names.contains(&name)) && node.field("virtual_hosts").is_some() {
            routes.push(node.clone());
        }
    });
    routes
}
