//! A case's request: what is sent, who signs it, and what becomes of it on the way.

use super::{OneOrMany, body::BodySpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    pub method: String,
    pub path: String,
    pub host: String,
    /// Short for `authorization: Bearer {{token NAME}}`.
    pub bearer: Option<String>,
    pub headers: HeaderLines,
    /// HMACs as webhooks have them, in headers of their own.
    pub hmac: OneOrMany<MacSpec>,
    /// Signatures over all of the above (RFC 9421).
    pub sign: OneOrMany<SignSpec>,
    /// What happens to the request once it is signed.
    pub then: Then,
    /// The certificate that is shown, by name, on an mTLS listener.
    pub certificate: Option<String>,
    /// On a TLS session that an earlier request with the certificate began.
    pub resumed: bool,
    /// What another host than Envoy may show the filter as well: hop-by-hop headers, a `host`. Envoy
    /// shows none of it, so it does not run such a case.
    pub shown: HeaderLines,
    /// Further headers `x-padding-<n>`.
    pub padding: Option<Padding>,
    pub body: Option<BodySpec>,
}

impl Default for RequestSpec {
    fn default() -> Self {
        RequestSpec {
            method: "GET".into(),
            path: "/".into(),
            host: "gate.test".into(),
            bearer: None,
            headers: HeaderLines::default(),
            hmac: OneOrMany::Many(Vec::new()),
            sign: OneOrMany::Many(Vec::new()),
            then: Then::default(),
            certificate: None,
            resumed: false,
            shown: HeaderLines::default(),
            padding: None,
            body: None,
        }
    }
}

/// An HMAC to make over a text, which is a scheme's own words for it: what a webhook signs is written
/// out, not taken from the gate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacSpec {
    pub header: String,
    /// The header's value, with `{mac}` in it.
    #[serde(default = "mac")]
    pub value: String,
    pub secret: String,
    /// Whether the secret stands in base64.
    #[serde(default)]
    pub base64: bool,
    #[serde(default)]
    pub hash: MacHash,
    #[serde(default)]
    pub encoding: MacEncoding,
    /// What is signed, with `{body}` in it or not.
    pub text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MacHash {
    Sha1,
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacEncoding {
    #[default]
    Hex,
    Base64,
}

fn mac() -> String {
    "{mac}".into()
}

/// A signature to make. Times are seconds since the Unix epoch, or templates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignSpec {
    pub key: String,
    /// The key's name, where it is not said.
    pub keyid: Option<String>,
    #[serde(default = "first_label")]
    pub label: String,
    pub components: Vec<String>,
    /// Now, where it is not said.
    pub created: Option<String>,
    /// Whether it says when it was made.
    #[serde(default = "yes")]
    pub dated: bool,
    pub expires: Option<String>,
    pub nonce: Option<String>,
    pub tag: Option<String>,
    /// Whether it names its algorithm.
    #[serde(default)]
    pub alg: bool,
    /// Of the ECDSA signature (r, s) that an earlier order for the same made, the other one, (r, -s),
    /// which verifies too. Only `pypi` makes it.
    #[serde(default)]
    pub twin: bool,
    #[serde(default)]
    pub signer: SignerName,
}

fn first_label() -> String {
    "sig1".into()
}

fn yes() -> bool {
    true
}

/// Who signs: http-message-signatures of PyPI or of npm, or the gate's own code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignerName {
    #[default]
    Pypi,
    Npm,
    Native,
}

/// Changes that a signature does not know of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Then {
    pub method: Option<String>,
    pub path: Option<String>,
    /// Another body; its length is told, its digest is not.
    pub body: Option<String>,
    /// Headers that get another value, or a line more where they are not there.
    pub set: BTreeMap<String, String>,
    /// Lines to add, beside those of the same name.
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
    /// Text to replace within a header, wherever it stands; it must stand there.
    pub replace: Vec<Replacement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    pub header: String,
    pub from: String,
    pub to: String,
}

/// A map from name to value, or a list of pairs where order or repetition matters.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum HeaderLines {
    Map(BTreeMap<String, HeaderText>),
    List(Vec<(String, HeaderText)>),
}

impl Default for HeaderLines {
    fn default() -> Self {
        HeaderLines::List(Vec::new())
    }
}

impl HeaderLines {
    pub fn iter(&self) -> Box<dyn Iterator<Item = (&str, &HeaderText)> + '_> {
        match self {
            HeaderLines::Map(map) => Box::new(map.iter().map(|(name, value)| (&**name, value))),
            HeaderLines::List(list) => Box::new(list.iter().map(|(name, value)| (&**name, value))),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum HeaderText {
    Text(String),
    /// Bytes that are not text.
    Hex {
        hex: String,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Padding {
    pub count: usize,
    #[serde(default)]
    pub bytes: usize,
}
