//! `signatures` as it is written.

use super::{Off, RouteCheck, Secret, Span, WhenInvalid, WhenMissing};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    #[serde(default)]
    pub keys: Vec<SignatureKey>,
    pub components: Option<Vec<String>>,
    pub max_age: Option<Span>,
    pub leeway: Option<Span>,
    pub nonce: Option<Nonce>,
    pub replay: Option<Replay>,
    pub tag: Option<String>,
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    pub when_missing: Option<WhenMissing>,
    pub when_invalid: Option<WhenInvalid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub entries: Option<u32>,
    pub reject_before_start: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureKey {
    pub id: String,
    pub algorithm: String,
    pub secret: Option<Secret>,
    pub public_key: Option<String>,
    pub subject: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RouteSignatures {
    pub when_missing: Option<WhenMissing>,
    pub when_invalid: Option<WhenInvalid>,
    pub components: Option<Vec<String>>,
    /// The ids of those that count there.
    pub webhooks: Option<Vec<String>>,
}

impl RouteSignatures {
    pub fn is_given(&self) -> bool {
        self.components.is_some() || self.webhooks.is_some() || self.check().is_given()
    }

    pub fn check(&self) -> RouteCheck {
        RouteCheck {
            when_missing: self.when_missing,
            when_invalid: self.when_invalid,
        }
    }
}

/// As [`Switch`], with two words more.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(
    untagged,
    expecting = "`\"off\"` (with its quotes), `required` or `if_present`"
)]
pub enum Nonce {
    Word(NonceWord),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum NonceWord {
    Off,
    Required,
    IfPresent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub profile: Profile,
    pub id: String,
    pub subject: String,
    pub secrets: Vec<Secret>,
    pub max_age: Option<Span>,
    pub remember: Option<Remember>,
    pub key_id: Option<String>,
    pub components: Option<Vec<String>>,
    pub region: Option<String>,
    pub service: Option<String>,
    pub origin: Option<String>,
    pub signature: Option<SignatureField>,
    pub timestamp: Option<TimestampField>,
    pub message: Option<String>,
    pub hash: Option<Hash>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    StandardWebhooks,
    Github,
    Stripe,
    Slack,
    Shopify,
    Twilio,
    HmacAuth,
    AwsSigv4,
    Custom,
}

/// How long something is remembered that says nothing of its age.
#[derive(Deserialize, Clone, Copy)]
#[serde(
    untagged,
    expecting = "`\"off\"` (with its quotes), or a duration such as `24h`"
)]
pub enum Remember {
    Off(Off),
    For(Span),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureField {
    pub header: String,
    pub separator: Option<char>,
    #[serde(default)]
    pub prefix: String,
    pub encoding: SignatureEncoding,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum SignatureEncoding {
    Hex,
    Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampField {
    pub header: Option<String>,
    pub prefix: Option<String>,
    #[serde(default)]
    pub unit: Unit,
}

/// What a timestamp counts, since the Unix epoch.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[default]
    S,
    Ms,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}
