//! Fields that are structured, by type: what `sf` may be said of (RFC 9421 section 2.1.1). From
//! IANA's registry of field names, column "Structured Type"; a type that is guessed could be
//! guessed differently by the signer.

use super::sf;
use sfv::FieldType as _;

#[derive(Clone, Copy)]
enum Type {
    Dictionary,
    Item,
    List,
}

const TYPES: [(&str, Type); 25] = [
    ("accept-ch", Type::List),
    ("accept-signature", Type::Dictionary),
    ("available-dictionary", Type::Item),
    ("cache-status", Type::List),
    ("capsule-protocol", Type::Item),
    ("cdn-cache-control", Type::Dictionary),
    ("client-cert", Type::Item),
    ("client-cert-chain", Type::List),
    ("content-digest", Type::Dictionary),
    ("cross-origin-embedder-policy", Type::Item),
    ("cross-origin-embedder-policy-report-only", Type::Item),
    ("cross-origin-opener-policy", Type::Item),
    ("cross-origin-opener-policy-report-only", Type::Item),
    ("deprecation", Type::Item),
    ("dictionary-id", Type::Item),
    ("origin-agent-cluster", Type::Item),
    ("permissions-policy", Type::Dictionary),
    ("priority", Type::Dictionary),
    ("proxy-status", Type::List),
    ("repr-digest", Type::Dictionary),
    ("signature", Type::Dictionary),
    ("signature-input", Type::Dictionary),
    ("use-as-dictionary", Type::Dictionary),
    ("want-content-digest", Type::Dictionary),
    ("want-repr-digest", Type::Dictionary),
];

/// The field's value, parsed and written again; why not, otherwise. What stands twice reads as the
/// last one, and who reads the first must not be fooled: it is refused.
pub fn strict(name: &str, value: &str) -> Result<String, &'static str> {
    let found = TYPES.iter().find(|(known, _)| *known == name);
    let written = match found.map(|(_, kind)| kind) {
        None => return Err("is no field whose structure is registered, as `sf` needs"),
        Some(Type::Dictionary) => sf::dictionary(value).ok().and_then(|all| all.serialize()),
        Some(Type::List) => sf::list(value).ok().and_then(|list| list.serialize()),
        Some(Type::Item) => sf::item(value).ok().map(|item| item.serialize()),
    };
    written.ok_or("is not of the structure that `sf` says it has")
}
