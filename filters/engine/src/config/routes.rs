//! Routes: which settings hold for which requests. The first match wins.

use super::{
    body,
    raw::{self, WhenInvalid, WhenMissing},
    signatures,
    webhooks::Webhook,
};
use crate::{
    body::digest, error::Findings, fields, message_signature::Component, path::Comparable,
};
use portcullis_rego::Entrypoint;
use std::collections::BTreeMap;

pub struct Route {
    pub matches: Match,
    pub settings: Settings,
}

/// Conditions that must all hold; at least one is given.
#[derive(Default)]
pub struct Match {
    pub path: Option<String>,
    /// Whole segments, as the Gateway API's `PathPrefix`: `/a` and `/a/` take `/a` and `/a/b`, not `/ab`.
    pub path_prefix: Option<String>,
    /// Lower-case; `*.example.com` takes every host below it.
    pub host: Option<String>,
    pub methods: Option<Vec<String>>,
    /// A CORS preflight (Fetch standard): OPTIONS with `Origin` and `Access-Control-Request-Method`.
    pub cors_preflight: bool,
    pub route: Option<String>,
    pub virtual_host: Option<String>,
}

/// What holds for a request, once its route is known.
#[derive(Clone)]
pub struct Settings {
    pub off: bool,
    /// The gate answers, with its public keys.
    pub serves_jwks: bool,
    /// Chosen by the proxy's own name of its route.
    pub by_proxy_name: bool,
    pub jwt: Check,
    pub api_keys: Check,
    pub signatures: Check,
    /// What every signature must cover.
    pub components: Vec<Component>,
    /// The ids of the webhooks that count; all of them where there is no list.
    pub webhooks: Option<Vec<String>>,
    pub body: body::Rules,
    pub entrypoint: Entrypoint,
    pub context_extensions: BTreeMap<String, String>,
}

impl Settings {
    /// Whether a webhook's signature is looked at.
    pub fn counts(&self, webhook: &Webhook) -> bool {
        let ids = self.webhooks.as_ref();
        ids.is_none_or(|ids| ids.contains(&webhook.id))
    }

    /// A signature over a digest that nobody holds against the body binds nothing.
    pub fn check_digest(&self, path: &str, findings: &mut Findings) {
        let mut components = self.components.iter();
        if self.body.digest == body::Digest::Off
            && components.any(|it| it.is_of_field(digest::FIELD))
        {
            let path = [path, "body.digest"]
                .into_iter()
                .filter(|part| !part.is_empty());
            findings.add(
                path.collect::<Vec<_>>().join("."),
                "is `off`, so that nothing would hold the body to the `content-digest` that signatures must \
                 cover; takes `required` or `if_present`",
            );
        }
    }
}

#[derive(Clone, Copy)]
pub struct Check {
    pub deny_missing: bool,
    pub deny_invalid: bool,
}

impl Check {
    pub fn new(missing: Option<WhenMissing>, invalid: Option<WhenInvalid>) -> Check {
        Check {
            deny_missing: missing == Some(WhenMissing::Deny),
            deny_invalid: invalid != Some(WhenInvalid::Pass),
        }
    }

    fn overridden(self, by: &raw::RouteCheck) -> Check {
        Check {
            deny_missing: by
                .when_missing
                .map_or(self.deny_missing, |w| w == WhenMissing::Deny),
            deny_invalid: by
                .when_invalid
                .map_or(self.deny_invalid, |w| w == WhenInvalid::Deny),
        }
    }
}

/// Which sections the document has: a route cannot change one that is not there.
pub struct Sections {
    pub jwt: bool,
    pub api_keys: bool,
    pub signatures: bool,
    /// The ids of webhooks.
    pub webhooks: Vec<String>,
    /// Whether the gate has a public key to show.
    pub jwks: bool,
}

pub fn read(
    raw: Vec<raw::Route>,
    base: &Settings,
    sections: &Sections,
    findings: &mut Findings,
) -> Vec<Route> {
    raw.into_iter()
        .enumerate()
        .map(|(index, route)| {
            let path = format!("routes[{index}]");
            for (name, there, given) in [
                ("jwt", sections.jwt, route.jwt.is_given()),
                ("api_keys", sections.api_keys, route.api_keys.is_given()),
                ("signatures", sections.signatures, route.signatures.is_given()),
            ] {
                if !there && given {
                    findings.add(
                        format!("{path}.{name}"),
                        format!("the document has no `{name}` to change"),
                    );
                }
            }
            let mut settings = base.clone();
            settings.off = route.gate.is_some();
            settings.serves_jwks = route.serve == Some(raw::Serve::Jwks);
            let shaped = route.jwt.is_given()
                || route.api_keys.is_given()
                || route.signatures.is_given()
                || route.body.is_given()
                || route.policy.entrypoint.is_some()
                || !route.policy.context_extensions.is_empty();
            if settings.off && shaped {
                findings.add(
                    format!("{path}.gate"),
                    "is off, so nothing else that the route says would hold; remove the one or the other",
                );
            }
            if settings.serves_jwks && (shaped || settings.off) {
                findings.add(
                    format!("{path}.serve"),
                    "answers everybody, so nothing else that the route says would hold; remove the one or the other",
                );
            }
            if settings.serves_jwks && !sections.jwks {
                findings.add(
                    format!("{path}.serve"),
                    "has no key to show: `upstream` signs with none that has a public half, and publishes none",
                );
            }
            settings.by_proxy_name =
                route.matches.route.is_some() || route.matches.virtual_host.is_some();
            settings.jwt = base.jwt.overridden(&route.jwt);
            settings.api_keys = base.api_keys.overridden(&route.api_keys);
            settings.signatures = base.signatures.overridden(&route.signatures.check());
            if let Some(texts) = &route.signatures.components {
                let path = format!("{path}.signatures.components");
                settings.components = signatures::components(texts, &path, findings);
            }
            if let Some(ids) = &route.signatures.webhooks {
                let unknown = |id: &&String| !sections.webhooks.contains(*id);
                if let Some(id) = ids.iter().find(unknown) {
                    findings.add(
                        format!("{path}.signatures.webhooks"),
                        format!("found `{id}`, which is the id of none of `signatures.webhooks`"),
                    );
                }
                settings.webhooks = Some(ids.clone());
            }
            settings.body = base.body.overridden(&route.body, &format!("{path}.body"), findings);
            settings.check_digest(&path, findings);
            if let Some(text) = &route.policy.entrypoint {
                let path = format!("{path}.policy.entrypoint");
                if let Some(entrypoint) = super::entrypoint(text, &path, findings) {
                    settings.entrypoint = entrypoint;
                }
            }
            settings
                .context_extensions
                .extend(route.policy.context_extensions);
            let mut matches = conditions(route.matches, &format!("{path}.match"), findings);
            if settings.serves_jwks {
                only_reads(&mut matches, &path, findings);
            }
            Route { matches, settings }
        })
        .collect()
}

/// What is served can be read, and nothing else be done with it.
fn only_reads(matches: &mut Match, path: &str, findings: &mut Findings) {
    const READS: [&str; 2] = ["GET", "HEAD"];
    let methods = matches
        .methods
        .get_or_insert_with(|| READS.map(String::from).into());
    if !methods
        .iter()
        .all(|method| READS.contains(&method.as_str()))
    {
        findings.add(
            format!("{path}.match.methods"),
            "goes beyond `GET` and `HEAD`, which are all that `serve` answers",
        );
    }
}

fn conditions(raw: raw::Match, path: &str, findings: &mut Findings) -> Match {
    if raw.cors_preflight == Some(false) {
        findings.add(
            format!("{path}.cors_preflight"),
            "takes `true`, or is left out",
        );
    }
    let given = raw.path.is_some()
        || raw.path_prefix.is_some()
        || raw.host.is_some()
        || raw.methods.is_some()
        || raw.cors_preflight == Some(true)
        || raw.route.is_some()
        || raw.virtual_host.is_some();
    if !given {
        findings.add(path, "matches everything; name a `path`, `path_prefix`, `host`, `methods`, `cors_preflight: true`, `route` or `virtual_host`");
    }
    if raw.path.is_some() && raw.path_prefix.is_some() {
        findings.add(path, "has both `path` and `path_prefix`; takes one of them");
    }
    for (key, value) in [("path", &raw.path), ("path_prefix", &raw.path_prefix)] {
        let Some(value) = value else { continue };
        if Comparable::parse(value).is_none() {
            findings.add(
                format!("{path}.{key}"),
                format!("found `{value}`, which no request's path is compared with; takes a path from `/` on, without `//`, `.`, `..`, `;`, `\\` or a query"),
            );
        }
    }
    if let Some(host) = &raw.host
        && !is_host_pattern(host)
    {
        findings.add(
            format!("{path}.host"),
            format!("found `{host}`; takes a host without its port, or `*.example.com`"),
        );
    }
    if let Some(methods) = &raw.methods {
        if methods.is_empty() {
            findings.add(format!("{path}.methods"), "is empty, so nothing matches");
        }
        for (index, method) in methods.iter().enumerate() {
            if !fields::is_token(method) || method.bytes().any(|b| b.is_ascii_lowercase()) {
                findings.add(
                    format!("{path}.methods[{index}]"),
                    format!("found `{method}`; takes a method as it is sent, such as `GET`"),
                );
            }
        }
    }
    Match {
        path: normal(raw.path),
        path_prefix: normal(raw.path_prefix).map(|prefix| prefix.trim_end_matches('/').to_owned()),
        host: raw.host.map(|host| host.to_ascii_lowercase()),
        methods: raw.methods,
        cors_preflight: raw.cors_preflight == Some(true),
        route: raw.route,
        virtual_host: raw.virtual_host,
    }
}

fn normal(path: Option<String>) -> Option<String> {
    Comparable::parse(&path?).map(|path| path.as_str().to_owned())
}

fn is_host_pattern(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let port = host
        .rsplit_once(':')
        .is_some_and(|(_, rest)| !rest.contains(']'));
    !host.is_empty() && !host.contains(['*', '/', ' ', ',', '@']) && !port && !host.ends_with('.')
}
