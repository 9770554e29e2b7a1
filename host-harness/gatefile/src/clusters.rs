//! The clusters that a configuration names: where its own HTTP calls go.

use serde_json::Value;
use std::collections::BTreeMap;

/// Where a cluster is named, from the root of the document; `*` is any member of a map.
const FIELDS: &[&[&str]] = &[
    &["policy", "bundle", "cluster"],
    &["policy", "bundle", "status", "cluster"],
    &["policy", "candidate", "bundle", "cluster"],
    &["policy", "candidate", "bundle", "status", "cluster"],
    &["decision_log", "cluster"],
    &["jwt", "providers", "*", "jwks", "cluster"],
    &["jwt", "providers", "*", "jwks", "discovery", "cluster"],
    &["jwt", "providers", "*", "jwks", "jwks_cluster"],
    &["jwt", "providers", "*", "introspection", "cluster"],
];

/// Each cluster that is asked, with the path of the first field that names it, such as
/// `jwt.providers.corp.jwks.cluster`. What is not text is left for the engine to refuse.
pub fn clusters(document: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, cluster) in cluster_fields(document) {
        found.entry(cluster).or_insert(path);
    }
    found
}

/// Every field that names a cluster, as its path and that name.
pub fn cluster_fields(document: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for field in FIELDS {
        find(document, field, String::new(), &mut found);
    }
    found
}

fn find(value: &Value, rest: &[&str], path: String, found: &mut Vec<(String, String)>) {
    let Some((name, rest)) = rest.split_first() else {
        if let Value::String(cluster) = value {
            found.push((path, cluster.clone()));
        }
        return;
    };
    let members = value.as_object().into_iter().flatten();
    for (member, value) in members.filter(|(member, _)| *name == "*" || member == name) {
        let path = match path.is_empty() {
            true => member.clone(),
            false => format!("{path}.{member}"),
        };
        find(value, rest, path, found);
    }
}

#[cfg(test)]
mod tests {
    use super::clusters;
    use serde_json::json;

    #[test]
    fn finds_each_cluster_and_the_first_field_that_names_it() {
        let document = json!({
            "policy": {
                "data": {"cluster": "no"},
                "bundle": {"cluster": "bundles"},
                "candidate": {"bundle": {"cluster": "next", "status": {"cluster": "told"}}},
            },
            "decision_log": {"cluster": "logs", "labels": {"cluster": "no"}},
            "jwt": {"providers": {
                "a": {"jwks": {"cluster": "keys", "authority": "k", "path": "/"}},
                "b": {"jwks": {"discovery": {"cluster": "idp"}, "jwks_cluster": "cdn"}},
                "c": {"jwks": {"inline": {"keys": []}}, "introspection": {"cluster": "keys"}},
                "d": {"jwks": {"cluster": 7}},
                "e": "no",
            }},
        });
        let found: Vec<_> = clusters(&document).into_iter().collect();
        let wanted = [
            ("bundles", "policy.bundle.cluster"),
            ("cdn", "jwt.providers.b.jwks.jwks_cluster"),
            ("idp", "jwt.providers.b.jwks.discovery.cluster"),
            ("keys", "jwt.providers.a.jwks.cluster"),
            ("logs", "decision_log.cluster"),
            ("next", "policy.candidate.bundle.cluster"),
            ("told", "policy.candidate.bundle.status.cluster"),
        ];
        assert_eq!(found, wanted.map(|(name, path)| (name.into(), path.into())));
        assert!(clusters(&json!([])).is_empty());
    }
}
