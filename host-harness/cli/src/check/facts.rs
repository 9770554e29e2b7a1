//! What of the input there is with a configuration, and what not.

use crate::schema;
use portcullis_rego::tools::lint::Absent;
use serde_json::{Map, Value, json};

/// The input document's schema.
pub fn schema() -> Value {
    serde_json::from_str(schema::INPUT).unwrap_or_default()
}

/// The same with the names that a configuration gives to providers and context extensions.
pub fn schema_of(document: &Value) -> Value {
    let mut schema = schema();
    let providers = document
        .pointer("/jwt/providers")
        .and_then(Value::as_object);
    if let Some(providers) = providers
        && let Some(jwts) = schema
            .pointer_mut("/properties/verified/properties/jwts")
            .and_then(Value::as_object_mut)
    {
        let token = jwts.insert("additionalProperties".to_owned(), json!(false));
        let token = token.unwrap_or_default();
        let signed = providers.iter().filter(|(_, it)| !is_asked(it));
        let known = signed.map(|(name, _)| (name.clone(), token.clone()));
        jwts.insert("properties".to_owned(), known.collect());
    }
    let extensions = context_extensions(document);
    // The metadata of a proxy's route may add others.
    if let Some(known) = schema
        .pointer_mut("/properties/attributes/properties/contextExtensions")
        .and_then(Value::as_object_mut)
        && !extensions.is_empty()
    {
        known.insert("properties".to_owned(), extensions.into());
    }
    schema
}

fn context_extensions(document: &Value) -> Map<String, Value> {
    let sections = routes(document).chain([document]);
    sections
        .filter_map(|section| section.pointer("/policy/context_extensions")?.as_object())
        .flat_map(|extensions| extensions.keys())
        .map(|name| (name.clone(), json!({"type": "string"})))
        .collect()
}

fn routes(document: &Value) -> impl Iterator<Item = &Value> {
    let routes = document.get("routes").and_then(Value::as_array);
    routes.into_iter().flatten()
}

/// What is never there, though the schema or opa-envoy-plugin has it.
pub fn never() -> Vec<Absent> {
    let untold = |path| {
        Absent::new(
            path,
            "the proxy does not tell it",
            "there is nothing in its place",
        )
    };
    let metadata = |path| {
        let hint = "what the metadata of a proxy's route says under `portcullis` is in \
                    `input.attributes.contextExtensions`";
        Absent::new(path, "the gate is not told of it", hint)
    };
    vec![
        Absent::new(
            "attributes.source.certificate",
            "the proxy does not tell it",
            "`input.verified.peer` has what is known of it, with `peer: {trust: validated_by_proxy}`",
        ),
        untold("attributes.source.labels"),
        untold("attributes.source.service"),
        untold("attributes.destination.certificate"),
        untold("attributes.destination.labels"),
        untold("attributes.destination.principal"),
        untold("attributes.destination.service"),
        Absent::new(
            "attributes.request.http.raw_body",
            "opa-envoy-plugin's name for it is another",
            "the body's bytes are in `input.attributes.request.http.rawBody`, in base64",
        ),
        metadata("attributes.metadataContext"),
        metadata("attributes.routeMetadataContext"),
    ]
}

/// The same and what this configuration leaves out.
pub fn absent(document: &Value) -> Vec<Absent> {
    let mut absent = never();
    absent.extend(credentials(document));
    absent.extend(removed(document));
    absent.extend(bodies(document));
    absent
}

/// Bodies are read where the configuration, or one of its routes, asks for it.
fn bodies(document: &Value) -> Vec<Absent> {
    let body = |section: &Value, key| section.pointer(&format!("/body/{key}")).cloned();
    let everywhere = || routes(document).chain([document]);
    let mut absent = Vec::new();
    if !everywhere().any(|section| body(section, "parse") == Some(true.into())) {
        let why = "nothing in the configuration says `body: {parse: true}`";
        let hint = "a body is read, and held until then, only where the configuration asks for it";
        let paths = [
            "attributes.request.http.body",
            "attributes.request.http.rawBody",
            "parsed_body",
            "truncated_body",
        ];
        absent.extend(paths.map(|path| Absent::new(path, why, hint).configurable()));
    }
    let checks = |section| {
        let digest = body(section, "digest");
        digest.is_some_and(|digest| digest == "required" || digest == "if_present")
    };
    let signs = document
        .pointer("/signatures/webhooks")
        .and_then(Value::as_array)
        .is_some_and(|hooks| !hooks.is_empty());
    if !signs && !everywhere().any(checks) {
        let why = "nothing in the configuration says `body: {digest: required}` or `if_present`";
        let hint = "a digest is held against the body only where the configuration asks for it";
        absent.push(Absent::new("verified.body", why, hint).configurable());
    }
    absent
}

/// Whether headers of some request wait for its body. What a route does not say of bodies comes from above.
pub fn holds_bodies(document: &Value) -> bool {
    // The signature of a webhook is over its body.
    let hooks = document.pointer("/signatures/webhooks");
    let has_webhooks = hooks
        .and_then(Value::as_array)
        .is_some_and(|it| !it.is_empty());
    let holds = |route: &Value| {
        let body = |key: &str| {
            let own = route.pointer(&format!("/body/{key}"));
            own.or_else(|| document.pointer(&format!("/body/{key}")))
        };
        let is = |key: &str, value: &str| body(key).and_then(Value::as_str) == Some(value);
        let wants = has_webhooks
            || is("digest", "required")
            || is("digest", "if_present")
            || body("parse") == Some(&Value::Bool(true));
        wants && !is("hold", "stream") && !is("hold", "refuse")
    };
    routes(document).chain([document]).any(holds)
}

/// Whether a provider's tokens are opaque, and its server is asked about them.
fn is_asked(provider: &Value) -> bool {
    provider.get("introspection").is_some()
}

fn credentials(document: &Value) -> Vec<Absent> {
    let mut absent = tokens(document);
    for (section, paths, hint) in [
        (
            "api_keys",
            ["verified.api_key"].as_slice(),
            "say whose keys are taken: `api_keys.keys`",
        ),
        (
            "signatures",
            &["verified.signature", "verified.signatures"],
            "say whose signatures are taken: `signatures.keys`",
        ),
    ] {
        if document.get(section).is_none() {
            let why = format!("the configuration has no `{section}`");
            absent.extend(
                paths
                    .iter()
                    .map(|path| Absent::new(path, &why, hint).configurable()),
            );
        }
    }
    let trust = document.pointer("/peer/trust").and_then(Value::as_str);
    if trust != Some("validated_by_proxy") {
        let hint = "where every listener validates the certificates that it takes, say \
                    `peer: {trust: validated_by_proxy}`";
        for path in [
            "verified.peer",
            "attributes.source.principal",
            "source_principal",
        ] {
            let why = "the configuration has no `peer.trust`";
            absent.push(Absent::new(path, why, hint).configurable());
        }
    }
    let passes = |section: &Value| {
        let mut checks = ["jwt", "api_keys", "signatures"].into_iter();
        checks.any(|check| {
            let when = section
                .get(check)
                .and_then(|check| check.get("when_invalid"));
            when.and_then(Value::as_str) == Some("pass")
        })
    };
    if !routes(document).chain([document]).any(passes) {
        let why = "nothing in the configuration says `when_invalid: pass`";
        let hint = "a request with a refused credential does not come as far as the policy";
        absent.push(Absent::new("refused", why, hint).configurable());
    }
    absent
}

/// Signed tokens and opaque ones: each where some provider has such.
fn tokens(document: &Value) -> Vec<Absent> {
    let providers = document
        .pointer("/jwt/providers")
        .and_then(Value::as_object);
    let providers = || providers.into_iter().flat_map(|all| all.values());
    let mut absent = Vec::new();
    if !providers().any(|provider| !is_asked(provider)) {
        let (why, hint) = match document.get("jwt") {
            None => (
                "the configuration has no `jwt`",
                "say whose tokens are taken: `jwt.providers`",
            ),
            Some(_) => (
                "no provider of `jwt.providers` has `jwks`",
                "what a server says of an opaque token is in `input.verified.token`",
            ),
        };
        for path in ["verified.jwt", "verified.jwts"] {
            absent.push(Absent::new(path, why, hint).configurable());
        }
    }
    if !providers().any(is_asked) {
        let why = "no provider of `jwt.providers` has `introspection`";
        let hint = "what a signed token says is in `input.verified.jwt`";
        absent.push(Absent::new("verified.token", why, hint).configurable());
    }
    absent
}

/// Headers that are gone before the policy is asked.
fn removed(document: &Value) -> Vec<Absent> {
    let header = |name: &str| {
        format!(
            "attributes.request.http.headers.{}",
            name.to_ascii_lowercase()
        )
    };
    let names = document
        .pointer("/headers/remove")
        .and_then(Value::as_array);
    let removed = names.into_iter().flatten().filter_map(Value::as_str);
    // Envoy's own `x-forwarded-proto` stays where only a prefix means it.
    let removed = removed.filter(|name| !is_prefix_of(name, "x-forwarded-proto"));
    let removed = removed.map(|name| {
        let why = format!("`headers.remove` takes `{name}` away");
        let hint = "`input.verified` has what is proven of who asks";
        Absent::new(&header(name), why, hint).configurable()
    });
    let providers = document
        .pointer("/jwt/providers")
        .and_then(Value::as_object);
    let written = providers
        .into_iter()
        .flat_map(|providers| providers.values())
        .filter_map(|provider| provider.get("claim_headers")?.as_object())
        .flatten()
        .map(|(name, claim)| {
            let why = "`claim_headers` writes it for the upstream, and clients may not send it";
            let claim = claim.as_str().unwrap_or_default();
            let hint = match claim.starts_with('/') {
                true => "read `input.verified.jwt.claims`".to_owned(),
                false => format!("read `input.verified.jwt.claims.{claim}`"),
            };
            Absent::new(&header(name), why, hint).configurable()
        });
    let table = document
        .pointer("/upstream/headers")
        .and_then(Value::as_object);
    let told = table.into_iter().flatten().map(|(name, fact)| {
        let why = "`upstream.headers` writes it for the upstream, and clients may not send it";
        let fact = fact.as_str().unwrap_or_default();
        let hint = match fact.starts_with('/') {
            true => "read `input.verified`".to_owned(),
            false => format!("read `input.verified.{fact}`"),
        };
        Absent::new(&header(name), why, hint).configurable()
    });
    removed.chain(written).chain(told).collect()
}

fn is_prefix_of(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| name.starts_with(&prefix.to_ascii_lowercase()))
}
