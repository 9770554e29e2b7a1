//! What a proxy must bring for a configuration to mean what it says, in words: what all proxies have in common.

use super::{facts::Facts, options::Options, trust};
use serde_json::Value;

/// How a proxy brings it.
pub struct Proxy {
    /// Makes it ask for certificates, and validate them.
    pub validates: &'static str,
    /// Makes it write lines of the level `info`.
    pub logs: &'static str,
    /// What shows the record of a decision in its access log.
    pub access_log: &'static str,
    /// Of a body that it holds, in bytes, where nobody says more.
    pub buffer: u64,
    /// Makes it hold more.
    pub buffers: &'static str,
}

pub fn of(facts: &Facts, options: &Options, proxy: &Proxy) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |applies: bool, words: String| {
        if applies {
            warnings.push(words);
        }
    };
    warn(
        !facts.variables.is_empty(),
        format!(
            "The proxy's environment must have {} before it loads the gate: where one is missing, the configuration is \
             refused, and so is every request.",
            list(&facts.variables)
        ),
    );
    for words in trust::of(facts) {
        warn(true, words);
    }
    warn(
        !facts.existing.is_empty(),
        format!(
            "{} must be there already, with TLS and a validated name: the manifests do not bring it, and a gate that \
             cannot ask refuses.",
            list(&facts.existing)
        ),
    );
    warn(
        facts.says("/peer/trust", "validated_by_proxy"),
        format!(
            "`peer.trust` is `validated_by_proxy`, which the gate cannot check: {}.",
            proxy.validates
        ),
    );
    warn(
        facts.at("/decision_log/proxy") == Some(&true.into()),
        format!(
            "`decision_log.proxy` writes lines of the level info: {}.",
            proxy.logs
        ),
    );
    let most = facts.at("/body/max_bytes").map(ToString::to_string);
    warn(
        facts.holds_bodies,
        format!(
            "Requests wait for their bodies (`body.max_bytes`: {}), of which the proxy buffers {} unless it is told \
             otherwise, and answers 413 past that: {}.",
            most.as_deref().unwrap_or("1MiB").trim_matches('"'),
            size(proxy.buffer),
            proxy.buffers
        ),
    );
    let signatures = facts.at("/signatures");
    let has_nonces = signatures.is_some_and(|it| it.get("nonce") != Some(&"off".into()));
    let providers = facts.at("/jwt/providers").and_then(Value::as_object);
    let mut bound = providers
        .into_iter()
        .flatten()
        .filter_map(|(_, provider)| provider.get("bind")?.as_array());
    let has_proofs = bound.any(|bind| bind.contains(&"dpop".into()));
    warn(
        has_nonces || has_proofs,
        "What is good once (nonces, webhooks, DPoP proofs) is remembered by each proxy process alone: another replica \
         takes it once more."
            .to_owned(),
    );
    warn(
        true,
        format!(
            "What was decided is filter state, since a wasm filter cannot write dynamic metadata: {}.",
            proxy.access_log
        ),
    );
    warn(
        facts.is_matched_by("route") || facts.is_matched_by("virtual_host"),
        format!(
            "`routes` match by the proxy's own names of routes or virtual hosts, which `{}` gives them: look them up \
             there, since a name that is no longer there matches nothing.",
            options.target.as_str()
        ),
    );
    warnings
}

pub fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref().escape_debug()))
        .collect();
    names.join(", ")
}

fn size(bytes: u64) -> String {
    match bytes.checked_div(1 << 20) {
        Some(0) | None => format!("{}KiB", bytes.checked_div(1 << 10).unwrap_or_default()),
        Some(mebibytes) => format!("{mebibytes}MiB"),
    }
}
