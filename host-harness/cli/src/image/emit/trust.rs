//! Whom a configuration trusts more than it should: who is on the way to a cluster without TLS, who can answer with a
//! bundle that nobody signed, who has a development key.

use super::{facts::Facts, warnings::list};
use crate::{
    check::bundle::{self, Unsigned},
    dev_key,
};
use portcullis_gatefile::cluster_fields;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a cluster is to the gate, which is what whoever answers in its place can do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Keys,
    Introspection,
    UnsignedBundle,
    SignedBundle,
    /// It is told, and not asked.
    Told,
}

const ROLES: [Role; 5] = [
    Role::Keys,
    Role::Introspection,
    Role::UnsignedBundle,
    Role::SignedBundle,
    Role::Told,
];

pub fn of(facts: &Facts) -> Vec<String> {
    let unsigned = bundle::unsigned(&facts.document);
    let mut warnings = open(facts, &unsigned);
    warnings.extend(
        unsigned
            .iter()
            .map(|it| format!("`{}`: {}: {}.", it.field, it.message, bundle::HINT)),
    );
    warnings.extend(dev_keys(&facts.document));
    warnings
}

/// Of clusters that are brought without TLS: one warning for each role.
fn open(facts: &Facts, unsigned: &[Unsigned]) -> Vec<String> {
    let open = facts.clusters.iter().filter(|cluster| cluster.is_open());
    let open: BTreeSet<&str> = open.map(|cluster| cluster.name.as_str()).collect();
    let fields = cluster_fields(&facts.document);
    let named = |role: Role| {
        let fields = fields.iter();
        let names = fields.filter(|(path, name)| {
            open.contains(name.as_str()) && Role::of(path, unsigned) == role
        });
        names
            .map(|(_, name)| name.as_str())
            .collect::<BTreeSet<&str>>()
    };
    let roles = ROLES.iter().map(|role| (role, named(*role)));
    roles
        .filter(|(_, names)| !names.is_empty())
        .map(|(role, names)| format!("{} {}", list(names), role.words()))
        .collect()
}

impl Role {
    fn of(path: &str, unsigned: &[Unsigned]) -> Role {
        let is_unsigned = |it: &Unsigned| path == format!("{}.bundle.cluster", it.of);
        if path.starts_with("decision_log.") || path.ends_with(".status.cluster") {
            Role::Told
        } else if path.starts_with("policy.") {
            match unsigned.iter().any(is_unsigned) {
                true => Role::UnsignedBundle,
                false => Role::SignedBundle,
            }
        } else if path.ends_with(".introspection.cluster") {
            Role::Introspection
        } else {
            Role::Keys
        }
    }

    fn words(self) -> &'static str {
        match self {
            Role::Keys => {
                "is asked without TLS: whoever is on the way there can answer in its place, with keys of their own."
            }
            Role::Introspection => {
                "is asked without TLS: whoever is on the way there reads the tokens and the gate's credentials, and can \
                 answer that any token is good."
            }
            Role::UnsignedBundle => {
                "is asked for the policy without TLS, and nobody signs that: whoever is on the way there replaces the policy."
            }
            Role::SignedBundle => {
                "is asked for the policy without TLS: whoever is on the way there reads it, and the bearer token where there \
                 is one, and can keep a newer one from coming."
            }
            Role::Told => {
                "is told without TLS: whoever is on the way there reads the events, and the bearer token where there is one."
            }
        }
    }
}

/// Of providers with a key that `init` or `token` made, which its id says.
fn dev_keys(document: &Value) -> Vec<String> {
    let providers = document
        .pointer("/jwt/providers")
        .and_then(Value::as_object);
    let keys = providers
        .into_iter()
        .flatten()
        .flat_map(|(name, provider)| {
            let keys = provider
                .pointer("/jwks/inline/keys")
                .and_then(Value::as_array);
            let ids = keys
                .into_iter()
                .flatten()
                .filter_map(|key| key.get("kid")?.as_str());
            let own = ids.filter(|id| dev_key::is_id(id));
            own.map(move |id| (name, id))
        });
    let warning = |(name, id): (&String, &str)| {
        format!(
            "{} trusts {}, a development key of `portcullis init` or `token`: whoever has its file passes this gate. Put the \
             identity provider's keys there.",
            list([format!("jwt.providers.{name}")]),
            list([id])
        )
    };
    keys.map(warning).collect()
}
