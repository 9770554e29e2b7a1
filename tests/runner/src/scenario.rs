//! `cases.yaml` as it is written. Nothing is expanded or minted here.

mod body;
mod request;
mod servers;

pub use body::{BodySpec, DetailedBody, DigestName, FramingName};
pub use request::{
    HeaderLines, HeaderText, MacEncoding, MacHash, MacSpec, Replacement, RequestSpec, SignSpec,
    SignerName,
};
pub use servers::{
    BundleSpec, Count, Events, ExpectEvents, ExpectFetches, Fetches, ReplySpec, ServerSpec,
    SignedBundleSpec,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, time::Duration};

/// `cases.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasesFile {
    /// One sentence: what stands or falls here.
    pub about: String,
    /// What `{env: NAME}` finds in `gate.yaml`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Keys by name, made once in a run.
    #[serde(default)]
    pub keys: BTreeMap<String, KeySpec>,
    /// Claims under every token's own.
    #[serde(default)]
    pub claims: Map<String, Value>,
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenSpec>,
    /// Clients' certificates by name, made once in a run.
    #[serde(default)]
    pub certificates: BTreeMap<String, CertificateSpec>,
    /// Servers that the gate asks, by name; `{{cluster NAME}}` is what the gate knows one by.
    #[serde(default)]
    pub servers: BTreeMap<String, ServerSpec>,
    /// Envoy's names of what a request matches, for `routes` entries that go by them.
    #[serde(default)]
    pub envoy: EnvoyNames,
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Instead of cases: `gate.yaml` must be refused, and say this.
    pub expect_load_error: Option<ExpectLoadError>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum KeySpec {
    /// An algorithm's name, such as `RS256`.
    Algorithm(String),
    Detailed(DetailedKey),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailedKey {
    pub algorithm: String,
    /// An HMAC key's own text, where the configuration has it from the environment.
    pub secret: Option<String>,
    /// Members to add to the public JWK, or with `null` to take out of it.
    #[serde(default)]
    pub jwk: Map<String, Value>,
}

/// One of `raw`, `from` with `tamper`, `segments`, or `claims` signed by a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The token's own text.
    pub raw: Option<String>,
    /// Another token, changed by `tamper`.
    pub from: Option<String>,
    pub tamper: Option<Tamper>,
    /// The key that signs.
    pub key: Option<String>,
    /// Signs with HMAC under this, whatever it is: a public key's PEM, for example.
    pub secret: Option<SecretSpec>,
    /// The algorithm in the header and of the signature, where it is not the key's own.
    pub algorithm: Option<String>,
    /// Header members over the usual ones; `null` takes one out.
    #[serde(default)]
    pub header: Map<String, Value>,
    /// Claims over the scenario's; `null` takes one out.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// Header and payload as they shall stand, text or JSON.
    pub segments: Option<Segments>,
    pub minter: Option<MinterName>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum SecretSpec {
    Text(String),
    /// The bytes of a public key's PEM.
    Der {
        der: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tamper {
    /// Another signature of the same length.
    Signature,
    /// The payload with `"admin": true`, under the old signature.
    Payload,
    /// The signature cut off, its dot kept.
    Unsigned,
    /// The signature and its dot cut off.
    Parted,
    /// A signature of as many zeros.
    Zeros,
    /// An ECDSA signature as ASN.1 has it, in place of r || s.
    Der,
    /// A zero after the signature.
    Longer,
    /// A zero before it.
    Led,
    /// Its last byte cut off.
    Shorter,
    /// The same signature in the other base64 alphabet.
    Alphabet,
    /// The same, but for bits of the last letter that no byte takes.
    Bits,
    /// An EdDSA signature whose S is larger by the order of the group.
    Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MinterName {
    Pyjwt,
    Native,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    pub header: Value,
    pub payload: Value,
    /// The third segment's text; without it the key signs the other two.
    pub signature: Option<String>,
}

/// What a client shows on an mTLS listener.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificateSpec {
    /// In the certificate's order, such as `[[O, Example], [CN, orders]]`.
    pub subject: Vec<(NameAttribute, String)>,
    pub uri: Vec<String>,
    pub dns: Vec<String>,
    /// By its own key, not by the run's authority.
    pub self_signed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NameAttribute {
    CN,
    O,
    OU,
}

/// Routes that Envoy is given in front of its catch-all, the virtual host's name, and how the
/// listener speaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvoyNames {
    pub virtual_host: Option<String>,
    /// `use_remote_address`: the client's address is the connection's, whatever `X-Forwarded-For` says.
    #[serde(default)]
    pub edge: bool,
    #[serde(default)]
    pub routes: Vec<NamedRoute>,
    /// Envoy's flag of that name: with headers held, a filter is shown the body.
    #[serde(default = "yes")]
    pub allow_on_headers_stop_iteration: bool,
    /// The listener has TLS and asks for a certificate; who shows none is let through.
    pub mtls: Option<Mtls>,
}

impl Default for EnvoyNames {
    fn default() -> Self {
        EnvoyNames {
            virtual_host: None,
            edge: false,
            routes: Vec::new(),
            allow_on_headers_stop_iteration: true,
            mtls: None,
        }
    }
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mtls {
    /// A certificate must be of the run's authority.
    Validate,
    /// Envoy's `ACCEPT_UNTRUSTED`: any will do.
    AcceptUntrusted,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRoute {
    pub name: String,
    pub prefix: String,
    /// What stands in the route's metadata under `portcullis`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// What the servers do otherwise from here on.
    #[serde(default)]
    pub before: BTreeMap<String, ServerSpec>,
    /// What passes then, before the request is sent.
    #[serde(default, deserialize_with = "duration")]
    pub wait: Duration,
    /// How often the servers' paths must have been asked for by then since they were given an answer.
    #[serde(default)]
    pub asked: Fetches,
    #[serde(default)]
    pub request: RequestSpec,
    pub expect: Expect,
    /// Subjects that answer it before the gate is asked, with the status they answer.
    #[serde(default)]
    pub unasked: BTreeMap<String, u16>,
    /// Subjects that cannot run the case, each with the reason.
    #[serde(default)]
    pub skip: BTreeMap<String, String>,
}

impl Case {
    /// For its servers, so that the tokens of others would grow old meanwhile.
    pub fn waits(&self) -> bool {
        !self.asked.is_empty() || !self.expect.events.is_empty()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default = "ok")]
    pub status: u16,
    /// The reason's code, or the first code and why: the word that tells this case from another.
    pub reason: String,
    pub rule: Option<String>,
    pub subject: Option<String>,
    pub key_id: Option<String>,
    /// Of the bundle that the policy is of; otherwise it is of none.
    pub revision: Option<String>,
    /// `candidate`, where that decided; otherwise the active policy did.
    pub enforced_by: Option<String>,
    /// A part of the record's `detail`.
    pub detail: Option<String>,
    pub dynamic_metadata: Option<Value>,
    /// What the evaluators said, where they differ; otherwise they must not.
    pub self_check: Option<Value>,
    /// Of the response; `null` is absent.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    pub body: Option<ExpectBody>,
    pub grpc_status: Option<u32>,
    #[serde(default)]
    pub upstream: ExpectUpstream,
    #[serde(default)]
    pub fetches: ExpectFetches,
    #[serde(default)]
    pub events: ExpectEvents,
}

fn ok() -> u16 {
    200
}

/// As `1s 200ms`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(D::Error::custom)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum ExpectBody {
    /// Every member that is named stands so; further ones may.
    Json(Map<String, Value>),
    Contains(String),
    Text(String),
}

/// Of an allowed request: what the upstream received.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectUpstream {
    pub path: Option<String>,
    pub method: Option<String>,
    /// A value, or all values in order.
    pub headers: BTreeMap<String, OneOrMany<String>>,
    pub absent: Vec<String>,
    /// The gate's own signature.
    pub signed: Option<SignedSpec>,
    /// The gate's own token.
    pub wristband: Option<WristbandSpec>,
}

/// A signature of the gate's that must verify.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedSpec {
    /// One of the scenario's keys.
    pub key: String,
    /// Its `keyid`.
    pub id: String,
    #[serde(default = "own_label")]
    pub label: String,
    /// All that it covers, in order.
    pub components: Vec<String>,
    /// In seconds.
    #[serde(default = "usual_lifetime")]
    pub lifetime: i64,
    /// Every label that stands there, where there is more than the gate's.
    pub labels: Option<Vec<String>>,
}

/// A token of the gate's that must verify.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WristbandSpec {
    /// One of the scenario's keys.
    pub key: String,
    /// Its `kid`.
    pub id: String,
    #[serde(default = "own_header")]
    pub header: String,
    pub issuer: String,
    pub audience: String,
    /// In seconds.
    #[serde(default = "usual_lifetime")]
    pub lifetime: i64,
    /// All claims but `iss`, `aud`, `iat`, `exp` and `jti`.
    pub claims: Map<String, Value>,
}

fn own_label() -> String {
    "portcullis".into()
}

fn own_header() -> String {
    "x-portcullis-token".into()
}

fn usual_lifetime() -> i64 {
    30
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }

    pub fn values_mut(&mut self) -> &mut [T] {
        match self {
            OneOrMany::One(value) => std::slice::from_mut(value),
            OneOrMany::Many(values) => values,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectLoadError {
    /// The field's path, as the message begins; empty for Rego and the document itself.
    pub path: String,
    pub contains: String,
    /// What must not be in the message: a secret's value.
    pub lacks: Option<String>,
    /// Starts an Envoy of its own, which must refuse it too.
    #[serde(default)]
    pub envoy: bool,
}
