//! Takes a request only where the gate has signed it. `cargo add sfv ed25519-dalek`

use ed25519_dalek::{Signature, VerifyingKey};
use sfv::{BareItem, Dictionary, FieldType as _, Item, ListEntry, Parser};
use std::collections::BTreeMap;

const TAG: &str = "portcullis";
const REQUIRED: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// What of a request is signed. Names of headers are lower-case.
pub struct Request<'r> {
    pub method: &'r str,
    pub target: &'r str,
    pub headers: &'r [(String, String)],
}

/// The headers that the gate vouches for; `None` where it vouches for nothing. `key` finds its public
/// key by `kid`, `now` is in seconds since the Unix epoch.
pub fn vouched(
    request: &Request<'_>,
    key: impl Fn(&str) -> Option<VerifyingKey>,
    now: i64,
) -> Option<BTreeMap<String, String>> {
    let field = |wanted: &str| {
        let lines = request.headers.iter().filter(|(name, _)| name == wanted);
        let lines: Vec<&str> = lines.map(|(_, value)| value.trim()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    };
    let own = |name: &str| {
        let members: Dictionary = Parser::new(&field(name)?).parse().ok()?;
        members.get(TAG).cloned()
    };
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let ListEntry::InnerList(input) = own("signature-input")? else { return None };
    let ListEntry::Item(Item { bare_item: BareItem::ByteSequence(signature), .. }) = own("signature")? else { return None };
    let mut base = String::new();
    let mut covered = BTreeMap::new();
    for item in &input.items {
        let BareItem::String(name) = &item.bare_item else { return None };
        let value = match name.as_str() {
            "@method" => request.method.to_owned(),
            "@authority" => field("host")?.to_ascii_lowercase(),
            "@path" => path.to_owned(),
            "@query" => format!("?{query}"),
            field_name if item.params.is_empty() => field(field_name)?,
            _ => return None,
        };
        base += &format!("\"{}\": {value}\n", name.as_str());
        covered.insert(name.as_str().to_owned(), value);
    }
    let text = |name: &str| match input.params.get(name) {
        Some(BareItem::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let Some(BareItem::Integer(expires)) = input.params.get("expires") else { return None };
    let is_meant = text("tag") == Some(TAG) && i64::from(*expires) >= now;
    let key = key(text("keyid")?).filter(|_| is_meant)?;
    let parameters = vec![ListEntry::InnerList(input.clone())].serialize()?;
    base += &format!("\"@signature-params\": {parameters}");
    let signature = Signature::from_slice(&signature).ok()?;
    key.verify_strict(base.as_bytes(), &signature).ok()?;
    let is_whole = REQUIRED.iter().all(|name| covered.contains_key(*name));
    covered.retain(|name, _| !name.starts_with('@'));
    is_whole.then_some(covered)
}
