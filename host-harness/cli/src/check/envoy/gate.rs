//! The gate among a connection manager's filters, and what it is told.

use super::{
    super::{facts, upstream::SIGNED},
    Told,
    node::Node,
};
use portcullis_gatefile::Document;
use serde_json::Value;

pub struct Gate<'d> {
    /// The filter, with its name.
    pub filter: Node<'d>,
    /// Where its plugin's configuration stands.
    pub document: &'d Document,
    /// Its plugin's configuration.
    pub plugin: Node<'d>,
    /// Whether it says that it is a gate.
    pub is_named: bool,
    /// Every document that it may be told; one, where it stands there.
    documents: Vec<Value>,
}

impl<'d> Gate<'d> {
    /// `None` where the filter is no wasm filter.
    pub fn of(document: &'d Document, filter: &Node<'d>, told: Told<'d>) -> Option<Gate<'d>> {
        let here = filter.field("typed_config").map(|it| (document, it));
        let (document, config) = here.or_else(|| told.discovered.of(filter))?;
        if config.filter_kind() != Some("wasm") {
            return None;
        }
        let plugin = config.field("config")?;
        let own = configuration(&plugin);
        let names = [
            filter.field("name"),
            plugin.field("name"),
            plugin.field("root_id"),
            plugin.at(&["vm_config", "code", "local", "filename"]),
        ];
        let mut names = names.iter().flatten().filter_map(Node::text);
        let is_named = own.is_some() || names.any(|name| name.contains("portcullis"));
        Some(Gate {
            filter: filter.clone(),
            document,
            plugin,
            is_named,
            documents: own.map_or_else(|| told.others.to_vec(), |own| vec![own]),
        })
    }

    /// Whether some request's body is to be there before a decision.
    pub fn holds_bodies(&self) -> bool {
        self.documents.iter().any(facts::holds_bodies)
    }

    /// Whether what it signs for the upstream covers one of these components.
    pub fn signs(&self, components: &[&str]) -> bool {
        let covers = |sign: &Value| match sign.get("components").and_then(Value::as_array) {
            None => SIGNED.iter().any(|name| components.contains(name)),
            Some(named) => named.iter().filter_map(Value::as_str).any(|name| {
                let name = name.split(';').next().unwrap_or(name);
                components.contains(&name.trim_matches('"'))
            }),
        };
        let signs = self
            .documents
            .iter()
            .filter_map(|it| it.pointer("/upstream/sign"));
        signs.filter(|it| it.is_object()).any(covers)
    }

    /// Whether the upstream believes this header because the gate writes it, and clients cannot. Upstreams
    /// may fold names, so that twins of it count.
    pub fn owns(&self, header: &str) -> bool {
        let fold = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let header = fold(header);
        // Where a wristband stands, or what `forward: keep` lets pass; and the gate's own signature.
        let always = ["authorization", "signature", "signature-input"];
        always.contains(&header.as_str())
            || self
                .documents
                .iter()
                .any(|document| identity(document).any(|own| fold(own) == header))
    }
}

/// The headers that tell the upstream who was verified.
fn identity(document: &Value) -> impl Iterator<Item = &str> {
    let object = |at: &str| document.pointer(at).and_then(Value::as_object);
    let providers = object("/jwt/providers")
        .into_iter()
        .flat_map(|all| all.values());
    let of_providers = providers.flat_map(|provider| {
        let claims = provider.get("claim_headers").and_then(Value::as_object);
        let claims = claims.into_iter().flat_map(|all| all.keys());
        let payload = provider.get("payload_header").and_then(Value::as_str);
        claims.map(String::as_str).chain(payload)
    });
    let headers = object("/upstream/headers")
        .into_iter()
        .flat_map(|all| all.keys());
    let wristband = object("/upstream/wristband").map(|band| {
        let named = band.get("header").and_then(Value::as_str);
        named.unwrap_or("x-portcullis-token")
    });
    of_providers
        .chain(headers.map(String::as_str))
        .chain(wristband)
}

/// The document in a plugin's `configuration`: a text, or the very fields.
fn configuration(plugin: &Node<'_>) -> Option<Value> {
    let configuration = plugin.field("configuration")?;
    let value = configuration.field("value");
    let document = match value.as_ref().and_then(Node::text) {
        Some(text) => serde_json::from_str(text).ok()?,
        None => value.unwrap_or(configuration).value.clone(),
    };
    document.get("policy").is_some().then_some(document)
}
