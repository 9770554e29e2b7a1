//! Istio's RequestAuthentication and AuthorizationPolicy as Istio 1.28 gives them to Envoy: `jwt_authn`,
//! then `rbac` for DENY, then `rbac` for ALLOW. Only what the page has; all else is refused.

use crate::before::address;
use portcullis_gatefile::read_data;
use portcullis_runner::{Prepared, envoy_transport_socket};
use serde_json::{Map, Value, json};
use std::{fs, net::SocketAddr, path::Path};

/// What stands in a listener's chain, in Istio's order.
#[derive(Default)]
pub struct Translated {
    providers: Map<String, Value>,
    /// Of each provider, as text.
    pub key_sets: Vec<Value>,
    deny: Map<String, Value>,
    allow: Map<String, Value>,
}

/// A mapping of which every field must be taken.
struct Fields<'v> {
    at: String,
    left: Map<String, Value>,
    whole: &'v Value,
}

const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";
/// Where Istio has the claims.
const PAYLOAD: &str = "payload";

/// The documents of a file.
pub fn read(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let documents = text.split("\n---\n").enumerate();
    documents
        .map(|(index, text)| {
            let file = folder.path().join(format!("{index}.yaml"));
            fs::write(&file, text).unwrap();
            read_data(&file).unwrap()
        })
        .collect()
}

pub fn translate(resources: &[Value]) -> Translated {
    let mut translated = Translated::default();
    let mut selected = None;
    for resource in resources {
        let mut fields = Fields::of(resource, "");
        assert_eq!(fields.text("apiVersion"), "security.istio.io/v1");
        let kind = fields.text("kind");
        let mut metadata = fields.within("metadata");
        let name = metadata.text("name");
        let namespace = metadata.text("namespace");
        metadata.end();
        let mut spec = fields.within("spec");
        let mut selector = spec.within("selector");
        let labels = (namespace, selector.take("matchLabels"));
        selector.end();
        // One workload, so that all of them are of one listener.
        assert_eq!(selected.get_or_insert_with(|| labels.clone()), &labels);
        match &*kind {
            "RequestAuthentication" => {
                for rule in spec.list("jwtRules") {
                    translated.provider(Fields::of(&rule, "jwtRules"));
                }
            }
            "AuthorizationPolicy" => {
                let policies = match &*spec.text("action") {
                    "DENY" => &mut translated.deny,
                    "ALLOW" => &mut translated.allow,
                    other => panic!("the action `{other}` is not known"),
                };
                for (index, rule) in spec.list("rules").iter().enumerate() {
                    let policy = policy(Fields::of(rule, "rules"));
                    policies.insert(format!("{name}-{index}"), policy);
                }
            }
            other => panic!("the kind `{other}` is not known"),
        }
        spec.end();
        fields.end();
    }
    translated
}

/// An Envoy with the chain, and with the listener of the scenario.
pub fn bootstrap(prepared: &Prepared<'_>, upstream: SocketAddr, translated: &Translated) -> Value {
    let typed = |kind: &str, mut config: Value| {
        config["@type"] = json!(format!(
            "type.googleapis.com/envoy.extensions.filters.{kind}"
        ));
        config
    };
    let rbac = |action: &str, policies: &Map<String, Value>| {
        let rules = json!({"rules": {"action": action, "policies": policies}});
        json!({"name": format!("rbac-{action}"), "typed_config": typed("http.rbac.v3.RBAC", rules)})
    };
    let router = typed("http.router.v3.Router", json!({}));
    let filters = json!([
        {"name": JWT_AUTHN, "typed_config": typed("http.jwt_authn.v3.JwtAuthentication", translated.jwt_authn())},
        rbac("DENY", &translated.deny),
        rbac("ALLOW", &translated.allow),
        {"name": "envoy.filters.http.router", "typed_config": router},
    ]);
    let manager = json!({
        "stat_prefix": "inbound",
        // `pathNormalization` where a mesh does not say: BASE.
        "normalize_path": true,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "orders"}}],
        }]},
        "http_filters": filters,
    });
    let kind = "network.http_connection_manager.v3.HttpConnectionManager";
    let endpoint = json!({"endpoint": {"address": address(upstream)}});
    json!({"static_resources": {
        "listeners": [{
            "name": "inbound",
            "address": address(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [{
                "transport_socket": envoy_transport_socket(prepared),
                "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": typed(kind, manager),
                }],
            }],
        }],
        "clusters": [{
            "name": "orders",
            "load_assignment": {"cluster_name": "orders", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }],
    }})
}

impl Translated {
    fn provider(&mut self, mut rule: Fields<'_>) {
        let headers: Vec<Value> = rule
            .list("outputClaimToHeaders")
            .iter()
            .map(|it| {
                let mut it = Fields::of(it, "outputClaimToHeaders");
                let header =
                    json!({"header_name": it.text("header"), "claim_name": it.text("claim")});
                it.end();
                header
            })
            .collect();
        let mut parted = rule.list("spaceDelimitedClaims");
        parted.extend([json!("permission"), json!("scope")]);
        let provider = json!({
            "issuer": rule.text("issuer"),
            "audiences": rule.list("audiences"),
            "payload_in_metadata": PAYLOAD,
            "normalize_payload_in_metadata": {"space_delimited_claims": parted},
            "claim_to_headers": headers,
        });
        self.key_sets.push(json!(rule.text("jwks")));
        self.providers
            .insert(format!("origins-{}", self.providers.len()), provider);
        rule.end();
    }

    fn jwt_authn(&self) -> Value {
        let mut providers = self.providers.clone();
        for (provider, keys) in providers.values_mut().zip(&self.key_sets) {
            provider["local_jwks"] = json!({"inline_string": keys});
        }
        // Of several issuers Istio makes another requirement.
        assert_eq!(providers.len(), 1);
        let (name, _) = providers.iter().next().unwrap();
        let requires = json!({"requires_any": {"requirements": [
            {"provider_name": name},
            {"allow_missing": {}},
        ]}});
        json!({
            "providers": providers,
            "rules": [{"match": {"prefix": "/"}, "requires": requires}],
            "bypass_cors_preflight": true,
        })
    }
}

/// A rule: one of its sources, one of its operations, and all of its conditions.
fn policy(mut rule: Fields<'_>) -> Value {
    let conditions: Vec<Value> = rule.list("when").iter().map(condition).collect();
    let sources: Vec<Value> = rule
        .list("from")
        .iter()
        .map(|from| {
            let mut from = Fields::of(from, "from");
            let mut all = source(from.within("source"));
            from.end();
            all.extend(conditions.clone());
            json!({"and_ids": {"ids": all}})
        })
        .collect();
    let principals = match (sources.is_empty(), conditions.is_empty()) {
        (false, _) => sources,
        (true, true) => vec![json!({"any": true})],
        (true, false) => panic!("`when` without `from` is not known"),
    };
    let permissions: Vec<Value> = rule
        .list("to")
        .iter()
        .map(|to| {
            let mut to = Fields::of(to, "to");
            let all = operation(to.within("operation"));
            to.end();
            json!({"and_rules": {"rules": all}})
        })
        .collect();
    assert!(!permissions.is_empty(), "a rule without `to` is not known");
    rule.end();
    json!({"principals": principals, "permissions": permissions})
}

fn source(mut source: Fields<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    let mut any_of = |found: Vec<Value>| {
        if !found.is_empty() {
            all.push(json!({"or_ids": {"ids": found}}));
        }
    };
    let peer = |matches: Value| json!({"authenticated": {"principal_name": matches}});
    let principals = source.texts("principals");
    any_of(
        principals
            .iter()
            .map(|it| peer(text_matcher(it, "spiffe://")))
            .collect(),
    );
    let namespaces = source.texts("namespaces");
    any_of(
        namespaces
            .iter()
            .map(|it| {
                assert!(
                    it.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                    "{it}"
                );
                peer(json!({"safe_regex": {"regex": format!(".*/ns/{it}/.*")}}))
            })
            .collect(),
    );
    let named = source.texts("requestPrincipals");
    any_of(named.iter().map(|it| request_principal(it)).collect());
    let nobody = source.texts("notRequestPrincipals");
    if !nobody.is_empty() {
        let ids: Vec<Value> = nobody.iter().map(|it| request_principal(it)).collect();
        all.push(json!({"not_id": {"or_ids": {"ids": ids}}}));
    }
    source.end();
    all
}

/// `*`, or an issuer and any subject.
fn request_principal(wanted: &str) -> Value {
    let any = text_matcher("*", "");
    let issuer = match wanted.strip_suffix("/*") {
        Some(issuer) if !issuer.contains('*') => text_matcher(issuer, ""),
        None if wanted == "*" => any.clone(),
        _ => panic!("the principal `{wanted}` is not known"),
    };
    let [issuer, subject] = [("iss", issuer), ("sub", any)]
        .map(|(name, matcher)| claim(name, &json!({"string_match": matcher})));
    json!({"and_ids": {"ids": [issuer, subject]}})
}

/// A claim that is one of the values, or a list that has one.
fn condition(when: &Value) -> Value {
    let mut when = Fields::of(when, "when");
    let key = when.text("key");
    let values = when.texts("values");
    when.end();
    let name = key
        .strip_prefix("request.auth.claims[")
        .and_then(|rest| rest.strip_suffix(']'));
    let name = name.unwrap_or_else(|| panic!("the key `{key}` is not known"));
    assert!(!name.contains(['[', '.']), "{key}");
    let one = |it: &String| json!({"string_match": text_matcher(it, "")});
    let value = match &*values {
        [value] => one(value),
        values => {
            json!({"or_match": {"value_matchers": values.iter().map(one).collect::<Vec<_>>()}})
        }
    };
    claim(
        name,
        &json!({"or_match": {"value_matchers": [{"list_match": {"one_of": value}}, value]}}),
    )
}

fn claim(name: &str, value: &Value) -> Value {
    json!({"sourced_metadata": {"metadata_matcher": {
        "filter": JWT_AUTHN,
        "path": [{"key": PAYLOAD}, {"key": name}],
        "value": value,
    }}})
}

fn operation(mut operation: Fields<'_>) -> Vec<Value> {
    let methods = operation.texts("methods");
    let methods = methods
        .iter()
        .map(|it| json!({"header": {"name": ":method", "string_match": text_matcher(it, "")}}));
    let paths = operation.texts("paths");
    let paths = paths.iter().map(|it| {
        assert!(!it.contains('{'), "templates are not known: {it}");
        json!({"url_path": {"path": text_matcher(it, "")}})
    });
    let all = [methods.collect::<Vec<_>>(), paths.collect()];
    operation.end();
    all.into_iter()
        .filter(|any| !any.is_empty())
        .map(|any| json!({"or_rules": {"rules": any}}))
        .collect()
}

/// Exactly, or with `*` in front, at the end, or alone.
fn text_matcher(wanted: &str, before: &str) -> Value {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(""), _) => json!({"safe_regex": {"regex": ".+"}}),
        (Some(end), _) if before.is_empty() => json!({"suffix": end}),
        (Some(_), _) => panic!("`{wanted}` is not known"),
        (None, Some(start)) => json!({"prefix": format!("{before}{start}")}),
        (None, None) => json!({"exact": format!("{before}{wanted}")}),
    }
}

impl<'v> Fields<'v> {
    fn of(whole: &'v Value, at: &str) -> Fields<'v> {
        let left = whole
            .as_object()
            .unwrap_or_else(|| panic!("{at}: no mapping: {whole}"));
        Fields {
            at: at.to_owned(),
            left: left.clone(),
            whole,
        }
    }

    fn take(&mut self, name: &str) -> Value {
        let found = self.left.remove(name);
        found.unwrap_or_else(|| panic!("{}: no `{name}` in {}", self.at, self.whole))
    }

    fn text(&mut self, name: &str) -> String {
        self.take(name).as_str().unwrap().to_owned()
    }

    /// What is absent is empty.
    fn list(&mut self, name: &str) -> Vec<Value> {
        let found = self.left.remove(name);
        found.map_or_else(Vec::new, |it| it.as_array().unwrap().clone())
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let found = self.list(name);
        found
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect()
    }

    fn within(&mut self, name: &str) -> Fields<'v> {
        self.take(name);
        Fields::of(&self.whole[name], &format!("{}.{name}", self.at))
    }

    fn end(self) {
        let left: Vec<&String> = self.left.keys().collect();
        assert!(left.is_empty(), "{}: not known: {left:?}", self.at);
    }
}
