//! The document as it is written: serde types that know every key of the contract, and refuse the
//! others. What the keys mean is checked in `config`.

pub mod bundle;
pub mod decision_log;
mod signatures;

pub use signatures::*;

use super::body::{Digest, Hold};
use super::peer::Trust;
pub use super::scalar::Span;
use super::scalar::{Instant, RegoVersion, Revoked, Size, given};
use crate::sample::Share;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Document {
    #[serde(default, deserialize_with = "given")]
    pub policy: Option<Policy>,
    #[serde(default, deserialize_with = "given")]
    pub jwt: Option<Jwt>,
    #[serde(default, deserialize_with = "given")]
    pub api_keys: Option<ApiKeys>,
    #[serde(default, deserialize_with = "given")]
    pub signatures: Option<Signatures>,
    #[serde(default, deserialize_with = "given")]
    pub peer: Option<Peer>,
    #[serde(default)]
    pub body: Body,
    #[serde(default)]
    pub headers: Headers,
    #[serde(default)]
    pub routes: Vec<Route>,
    #[serde(default)]
    pub upstream: super::upstream::raw::Upstream,
    #[serde(default)]
    pub response: Response,
    #[serde(default, deserialize_with = "given")]
    pub decision_log: Option<decision_log::DecisionLog>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub path: Option<IgnoredAny>,
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    pub data: Option<Value>,
    pub entrypoint: Option<String>,
    pub rego_version: Option<RegoVersion>,
    #[serde(default)]
    pub budget: Budget,
    #[serde(default)]
    pub context_extensions: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "given")]
    pub bundle: Option<bundle::Bundle>,
    #[serde(default, deserialize_with = "given")]
    pub candidate: Option<Candidate>,
    #[serde(default)]
    pub self_check: Share,
}

/// `policy.candidate`: the keys of a policy, and how it is tried.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub path: Option<IgnoredAny>,
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    pub data: Option<Value>,
    pub entrypoint: Option<String>,
    pub rego_version: Option<RegoVersion>,
    #[serde(default)]
    pub budget: Budget,
    #[serde(default, deserialize_with = "given")]
    pub bundle: Option<bundle::Bundle>,
    pub sample: Option<Share>,
    #[serde(default, deserialize_with = "given")]
    pub enforce: Option<Enforce>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enforce {
    pub share: Share,
    pub max_errors: Option<u32>,
    pub window: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub instructions: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    pub providers: BTreeMap<String, Provider>,
    pub when_missing: Option<WhenMissing>,
    pub when_invalid: Option<WhenInvalid>,
    #[serde(default)]
    pub cache: TokenCache,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct TokenCache {
    pub entries: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    pub issuer: String,
    pub audiences: Audiences,
    pub algorithms: Option<Vec<String>>,
    pub jwks: Option<Jwks>,
    pub introspection: Option<Introspection>,
    pub from: Option<Vec<Source>>,
    #[serde(default)]
    pub claim_headers: BTreeMap<String, String>,
    pub leeway: Option<Span>,
    pub max_lifetime: Option<Span>,
    pub require: Option<Vec<String>>,
    #[serde(rename = "type")]
    pub typ: Option<String>,
    #[serde(default)]
    pub bind: Vec<Bind>,
    pub dpop: Option<Dpop>,
    pub forward: Option<TokenForward>,
    pub subjects: Option<Vec<String>>,
    pub payload_header: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Dpop {
    pub max_age: Option<Span>,
    pub nonce: Option<DpopNonce>,
    pub replay: Option<DpopReplay>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpopReplay {
    pub entries: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpopNonce {
    pub secret: Secret,
    pub lifetime: Option<Span>,
}

/// A key set: in the document, at an endpoint, or where a discovery document says.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "`{inline: {keys: [...]}}`, `{cluster, authority, path}` or `{discovery: {cluster, authority}}`"
)]
pub struct Jwks {
    pub inline: Option<JwkSet>,
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub discovery: Option<Discovery>,
    pub jwks_cluster: Option<String>,
    pub refresh: Option<Span>,
    pub timeout: Option<Span>,
    pub stale_for: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    pub cluster: String,
    pub authority: String,
    pub path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    pub cluster: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub client_id: String,
    pub client_secret: Secret,
    pub timeout: Option<Span>,
    pub cache: Option<Span>,
}

/// RFC 7517 section 5: members that are not understood are ignored.
#[derive(Deserialize)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

/// RFC 7517 section 4 and RFC 7518 section 6; unknown members are ignored.
#[derive(Deserialize)]
pub struct Jwk {
    pub kty: String,
    pub kid: Option<String>,
    pub alg: Option<String>,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub key_ops: Option<Vec<String>>,
    pub crv: Option<String>,
    pub n: Option<String>,
    pub e: Option<String>,
    pub x: Option<String>,
    pub y: Option<String>,
    pub k: Option<Secret>,
    /// A private key, which has no place here.
    pub d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub header: Option<String>,
    pub scheme: Option<String>,
    pub cookie: Option<String>,
    pub query: Option<String>,
    #[serde(default)]
    pub insecure: bool,
    pub origins: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    pub from: Option<Vec<Source>>,
    #[serde(default)]
    pub keys: Vec<ApiKey>,
    pub pepper: Option<Secret>,
    pub keys_from: Option<String>,
    pub forward: Option<Forward>,
    pub when_missing: Option<WhenMissing>,
    pub when_invalid: Option<WhenInvalid>,
}

/// In the document, and in the list that `keys_from` names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    pub id: String,
    pub hash: String,
    pub subject: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    pub not_before: Option<Instant>,
    pub expires: Option<Instant>,
    #[serde(default)]
    pub revoked: Revoked,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    #[serde(default)]
    pub trust: Trust,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Body {
    pub digest: Option<Digest>,
    pub parse: Option<bool>,
    pub max_bytes: Option<Size>,
    pub hold: Option<Hold>,
}

impl Body {
    pub fn is_given(&self) -> bool {
        *self != Body::default()
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Headers {
    #[serde(default)]
    pub remove: Vec<String>,
    pub single: Option<Vec<String>>,
    pub protect: Option<Vec<String>>,
    pub method_override: Option<MethodOverride>,
    pub max_count: Option<u64>,
    pub max_bytes: Option<Size>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    #[serde(rename = "match")]
    pub matches: Match,
    pub gate: Option<Switch>,
    pub serve: Option<Serve>,
    #[serde(default)]
    pub jwt: RouteCheck,
    #[serde(default)]
    pub api_keys: RouteCheck,
    #[serde(default)]
    pub policy: RoutePolicy,
    #[serde(default)]
    pub signatures: RouteSignatures,
    #[serde(default)]
    pub body: Body,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    pub path: Option<String>,
    pub path_prefix: Option<String>,
    pub host: Option<String>,
    pub methods: Option<Vec<String>>,
    pub cors_preflight: Option<bool>,
    pub route: Option<String>,
    pub virtual_host: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RouteCheck {
    pub when_missing: Option<WhenMissing>,
    pub when_invalid: Option<WhenInvalid>,
}

impl RouteCheck {
    pub fn is_given(&self) -> bool {
        self.when_missing.is_some() || self.when_invalid.is_some()
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RoutePolicy {
    pub entrypoint: Option<String>,
    #[serde(default)]
    pub context_extensions: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Response {
    pub reason_header: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WhenMissing {
    Pass,
    Deny,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WhenInvalid {
    Deny,
    Pass,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MethodOverride {
    Refuse,
    Keep,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Forward {
    Strip,
    Keep,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TokenForward {
    Strip,
    Keep,
    Wristband,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Serve {
    Jwks,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    Ignore,
    Mtls,
    Dpop,
}

/// `off`, which YAML 1.1 (Kubernetes) reads as `false` unless it is quoted.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(untagged, expecting = "`\"off\"` (with its quotes)")]
pub enum Switch {
    Off(Off),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    Off,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a list of audiences, or the word `any`")]
pub enum Audiences {
    List(Vec<String>),
    Any(Any),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    Any,
}

/// A secret: from the environment, or (for tries, not for production) as it stands.
#[derive(Deserialize)]
#[serde(untagged, expecting = "text, or `{env: NAME}`")]
pub enum Secret {
    Text(String),
    Environment(Environment),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    pub env: String,
    pub encoding: Option<Encoding>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    Base64,
}
