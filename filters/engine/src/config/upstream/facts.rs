//! Whether a path below `input.verified` can ever lead to a fact, with what is configured.

use super::super::{Config, jwt::Proof, peer::Trust};
use crate::error::Findings;

const SIGNATURE: [&str; 5] = ["key_id", "subject", "algorithm", "components", "created"];

pub fn check(config: &Config, path: &[String], at: &str, findings: &mut Findings) {
    if let Err(why) = leads(config, path) {
        let spelled = path.join(".");
        findings.add(
            at,
            format!("found `{spelled}`, which is never there: {why}"),
        );
    }
}

fn leads(config: &Config, path: &[String]) -> Result<(), String> {
    let mut path = path.iter().map(String::as_str);
    let top = path.next().unwrap_or_default();
    let missing = |section: &str| Err(format!("there is no `{section}`"));
    match top {
        "jwt" | "jwts" | "token" => {
            let of_kind = |it: &&super::super::jwt::Provider| {
                matches!(it.proof, Proof::Introspection(_)) == (top == "token")
            };
            let mut providers = config.providers.iter().filter(of_kind);
            match top {
                "jwts" => {
                    let name = path.next();
                    let Some(name) = name else { return Ok(()) };
                    if !providers.any(|it| it.name == name) {
                        return missing(&format!("jwt.providers.{name}` with `jwks"));
                    }
                    one_of(path.next(), &["header", "claims"])
                }
                _ if providers.next().is_none() => match top {
                    "token" => missing("introspection"),
                    _ => missing("jwt"),
                },
                "token" => one_of(path.next(), &["provider", "claims"]),
                _ => one_of(path.next(), &["provider", "header", "claims"]),
            }
        }
        "api_key" if config.api_keys.is_none() => missing("api_keys"),
        "api_key" => one_of(path.next(), &["id", "subject", "scopes"]),
        "signature" | "signatures" if config.signatures.is_none() => missing("signatures"),
        "signature" => {
            let [a, b, c, d, e] = SIGNATURE;
            one_of(path.next(), &[a, b, c, d, e, "label"])
        }
        // The label is the signer's own choice.
        "signatures" => match path.next() {
            None => Ok(()),
            Some(_) => one_of(path.next(), &SIGNATURE),
        },
        "peer" if config.peer == Trust::None => missing("peer.trust"),
        "peer" => one_of(
            path.next(),
            &["spiffe_id", "uri_san", "dns_san", "subject", "fingerprint"],
        ),
        "body" if !config.checks_digests() && !has_webhooks(config) => missing("body.digest"),
        "body" => one_of(path.next(), &["digest", "signed"]),
        _ => Err(
            "takes `jwt`, `jwts`, `token`, `api_key`, `signature`, `signatures`, `peer` or `body` first"
                .into(),
        ),
    }
}

/// Which sign bodies without a digest.
fn has_webhooks(config: &Config) -> bool {
    let signatures = config.signatures.as_ref();
    signatures.is_some_and(|it| !it.webhooks.is_empty())
}

fn one_of(found: Option<&str>, known: &[&str]) -> Result<(), String> {
    match found {
        Some(name) if !known.contains(&name) => {
            Err(format!("found `{name}`; takes {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}
