//! `signatures.webhooks`: the signing schemes of providers and of older gateways. A profile is data: where
//! its signature stands, and what text it is over ([`Template`]); the few that make more of a request
//! than a text of its parts have code of their own, in `credential::webhook`.

mod template;

pub use template::{Field, Part, Place, Stamp, Template};

use super::{raw, secret::Secret};
use crate::{
    crypto::MacHash,
    error::Findings,
    fields,
    gate::Secrets,
    replay::{Kind, Space},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use raw::Profile;
use std::{collections::BTreeSet, time::Duration};

pub struct Webhook {
    /// What its signatures stand under, and the id of its key.
    pub id: String,
    pub subject: String,
    pub scheme: Scheme,
    /// Any of them may have signed: they overlap while they change. At least one.
    pub secrets: Vec<Secret>,
    /// How far from now, on either side, a signature may have been made; where its scheme tells.
    pub max_age: Duration,
    /// How long a signature without a time is remembered; `None`: not at all.
    pub remember: Option<Duration>,
    /// Where its signatures are remembered, if they are.
    pub space: Option<Space>,
}

/// How it is signed.
pub enum Scheme {
    Template(Template),
    /// The URL, and the parameters of a form in the order of their names.
    Twilio {
        /// Scheme and authority as Twilio knows them, where the gate is called by others.
        origin: Option<String>,
    },
    /// Kong's and APISIX's, after draft-cavage-http-signatures.
    HmacAuth {
        key_id: String,
        /// What must be covered.
        components: Vec<String>,
    },
    /// AWS Signature Version 4 in the `Authorization` header.
    SigV4 {
        key_id: String,
        region: String,
        service: String,
    },
}

impl Webhook {
    /// The lower-case names of the headers that only a signature stands in.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let own: Vec<&str> = match &self.scheme {
            Scheme::Template(template) => template.fields().collect(),
            Scheme::Twilio { .. } => vec![TWILIO],
            Scheme::HmacAuth { .. } | Scheme::SigV4 { .. } => vec![AUTHORIZATION],
        };
        own.into_iter()
    }

    /// Whether what it signs may hold the request line.
    pub fn reads_protocol(&self) -> bool {
        matches!(self.scheme, Scheme::HmacAuth { .. })
    }

    /// Whether a request is told to be signed this way by the same sign.
    fn is_told_as(&self, other: &Webhook) -> bool {
        match (&self.scheme, &other.scheme) {
            (Scheme::Template(a), Scheme::Template(b)) => a.signature.header == b.signature.header,
            (Scheme::Twilio { .. }, Scheme::Twilio { .. }) => true,
            (Scheme::HmacAuth { key_id: a, .. }, Scheme::HmacAuth { key_id: b, .. })
            | (Scheme::SigV4 { key_id: a, .. }, Scheme::SigV4 { key_id: b, .. }) => a == b,
            _ => false,
        }
    }
}

pub const TWILIO: &str = "x-twilio-signature";
pub const AUTHORIZATION: &str = "authorization";

/// The secrets that one request is held against: each costs an HMAC over its body.
const MOST_SECRETS: usize = 10;

/// What all providers and gateways with a time allow.
const MAX_AGE: Duration = Duration::from_secs(300);

/// `others`: the ids of `signatures.keys`. `entries`: how many signatures of each are remembered, where
/// `remembers` says that they are.
pub fn read(
    raw: &[raw::Webhook],
    others: &BTreeSet<&str>,
    entries: u32,
    remembers: bool,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<Webhook> {
    let mut ids = BTreeSet::new();
    let mut hooks: Vec<Webhook> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let path = format!("signatures.webhooks[{index}]");
        let is_new = ids.insert(raw.id.as_str()) && !others.contains(raw.id.as_str());
        if raw.id.is_empty() || !is_new {
            findings.add(
                format!("{path}.id"),
                "is empty, or stands twice; every webhook and key has an id of its own",
            );
        }
        if raw.subject.is_empty() {
            findings.add(format!("{path}.subject"), "is empty; names who signs");
        }
        let scheme = scheme(raw, &path, findings);
        let own = secrets_of(raw, &path, secrets, findings);
        let has_time = !matches!(&scheme, Some(Scheme::Twilio { .. }))
            && !matches!(&scheme, Some(Scheme::Template(it)) if it.stamp.is_none());
        let remember = remember(raw, has_time, &path, findings);
        let Some(scheme) = scheme else { continue };
        let hook = Webhook {
            id: raw.id.clone(),
            subject: raw.subject.clone(),
            scheme,
            secrets: own,
            max_age: raw.max_age.map_or(MAX_AGE, |span| span.0),
            remember,
            space: remembers.then(|| Space::new(Kind::Signature, &raw.id, entries)),
        };
        let like = hooks.iter().filter(|other| other.is_told_as(&hook));
        let together = like.fold(hook.secrets.len(), |sum, other| {
            sum.saturating_add(other.secrets.len())
        });
        if together > MOST_SECRETS {
            findings.add(
                format!("{path}.secrets"),
                format!(
                    "and those of the webhooks before it that are signed alike are {together}; takes \
                     {MOST_SECRETS}, since each costs a hash of every body"
                ),
            );
        }
        hooks.push(hook);
    }
    hooks
}

fn remember(
    raw: &raw::Webhook,
    has_time: bool,
    path: &str,
    findings: &mut Findings,
) -> Option<Duration> {
    if !has_time && raw.max_age.is_some() {
        findings.add(
            format!("{path}.max_age"),
            "its signatures have no time to tell their age by; `remember: 24h` refuses the same one again",
        );
    }
    match raw.remember {
        None | Some(raw::Remember::Off(_)) => None,
        Some(raw::Remember::For(_)) if has_time => {
            findings.add(
                format!("{path}.remember"),
                "its signatures have a time, and are remembered for as long as `max_age` takes them",
            );
            None
        }
        Some(raw::Remember::For(span)) => Some(span.0),
    }
}

fn secrets_of(
    raw: &raw::Webhook,
    path: &str,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<Secret> {
    if raw.secrets.is_empty() {
        findings.add(
            format!("{path}.secrets"),
            "is empty; takes the secrets that may have signed, the old and the new one while they change",
        );
    }
    let mut own = Vec::new();
    for (index, secret) in raw.secrets.iter().enumerate() {
        let path = format!("{path}.secrets[{index}]");
        let resolved = Secret::resolve(secret, secrets).and_then(|secret| match raw.profile {
            Profile::StandardWebhooks => standard(&secret),
            _ => Ok(secret),
        });
        match resolved {
            Ok(secret) => own.push(secret),
            Err(message) => findings.add(path, message),
        }
    }
    own
}

/// `whsec_` and base64 (Standard Webhooks, "Signature scheme").
fn standard(secret: &Secret) -> Result<Secret, String> {
    let text = secret.expose().trim_ascii();
    let encoded = text.strip_prefix(b"whsec_").unwrap_or(text);
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(Secret::of)
        .ok_or_else(|| "is no Standard Webhooks secret: `whsec_` and base64".into())
}

fn scheme(raw: &raw::Webhook, path: &str, findings: &mut Findings) -> Option<Scheme> {
    check_keys(raw, path, findings);
    let mut named = |name: &str, value: &Option<String>| match value.as_deref() {
        None | Some("") => {
            findings.add(
                format!("{path}.{name}"),
                format!("is missing or empty; `{}` needs it", name_of(raw.profile)),
            );
            None
        }
        Some(value) => Some(value.to_owned()),
    };
    match raw.profile {
        Profile::Twilio => {
            if let Some(origin) = &raw.origin
                && !is_origin(origin)
            {
                findings.add(
                    format!("{path}.origin"),
                    format!("found `{origin}`; takes `https://example.com`, without a path"),
                );
            }
            Some(Scheme::Twilio {
                origin: raw.origin.clone(),
            })
        }
        Profile::HmacAuth => {
            let key_id = named("key_id", &raw.key_id)?;
            Some(Scheme::HmacAuth {
                key_id,
                components: components(raw, path, findings),
            })
        }
        Profile::AwsSigv4 => {
            let (key_id, region, service) = (
                named("key_id", &raw.key_id),
                named("region", &raw.region),
                named("service", &raw.service),
            );
            Some(Scheme::SigV4 {
                key_id: key_id?,
                region: region?,
                service: service?,
            })
        }
        Profile::Custom => template::read(raw, path, findings).map(Scheme::Template),
        Profile::StandardWebhooks => Some(Scheme::Template(Template {
            signature: Field::new("webhook-signature", Some(' '), "v1,", Encoding::Base64),
            stamp: Some(Stamp::header("webhook-timestamp")),
            message: vec![
                Part::Field("webhook-id".into()),
                Part::Text(".".into()),
                Part::Timestamp,
                Part::Text(".".into()),
            ],
            hash: MacHash::Sha256,
        })),
        Profile::Github => Some(Scheme::Template(Template {
            signature: Field::new("x-hub-signature-256", None, "sha256=", Encoding::Hex),
            stamp: None,
            message: Vec::new(),
            hash: MacHash::Sha256,
        })),
        Profile::Stripe => Some(Scheme::Template(Template {
            signature: Field::new("stripe-signature", Some(','), "v1=", Encoding::Hex),
            stamp: Some(Stamp::item("t=")),
            message: vec![Part::Timestamp, Part::Text(".".into())],
            hash: MacHash::Sha256,
        })),
        Profile::Slack => Some(Scheme::Template(Template {
            signature: Field::new("x-slack-signature", None, "v0=", Encoding::Hex),
            stamp: Some(Stamp::header("x-slack-request-timestamp")),
            message: vec![
                Part::Text("v0:".into()),
                Part::Timestamp,
                Part::Text(":".into()),
            ],
            hash: MacHash::Sha256,
        })),
        Profile::Shopify => Some(Scheme::Template(Template {
            signature: Field::new("x-shopify-hmac-sha256", None, "", Encoding::Base64),
            stamp: None,
            message: Vec::new(),
            hash: MacHash::Sha256,
        })),
    }
}

pub use raw::SignatureEncoding as Encoding;

/// Keys of another profile say what would not hold.
fn check_keys(raw: &raw::Webhook, path: &str, findings: &mut Findings) {
    use Profile::{AwsSigv4, Custom, HmacAuth, Twilio};
    let keys: [(&str, bool, &[Profile]); 9] = [
        ("key_id", raw.key_id.is_some(), &[HmacAuth, AwsSigv4]),
        ("components", raw.components.is_some(), &[HmacAuth]),
        ("region", raw.region.is_some(), &[AwsSigv4]),
        ("service", raw.service.is_some(), &[AwsSigv4]),
        ("origin", raw.origin.is_some(), &[Twilio]),
        ("signature", raw.signature.is_some(), &[Custom]),
        ("timestamp", raw.timestamp.is_some(), &[Custom]),
        ("message", raw.message.is_some(), &[Custom]),
        ("hash", raw.hash.is_some(), &[Custom]),
    ];
    for (key, is_given, of) in keys {
        if is_given && !of.contains(&raw.profile) {
            let of: Vec<String> = of.iter().map(|it| format!("`{}`", name_of(*it))).collect();
            findings.add(
                format!("{path}.{key}"),
                format!(
                    "is of {}, and `{}` has it fixed; remove it",
                    of.join(" and "),
                    name_of(raw.profile)
                ),
            );
        }
    }
}

fn name_of(profile: Profile) -> &'static str {
    match profile {
        Profile::StandardWebhooks => "standard-webhooks",
        Profile::Github => "github",
        Profile::Stripe => "stripe",
        Profile::Slack => "slack",
        Profile::Shopify => "shopify",
        Profile::Twilio => "twilio",
        Profile::HmacAuth => "hmac-auth",
        Profile::AwsSigv4 => "aws-sigv4",
        Profile::Custom => "custom",
    }
}

fn is_origin(text: &str) -> bool {
    let authority = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    authority.is_some_and(|authority| {
        !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' '])
    })
}

/// What `hmac-auth` must cover: the request's target, and the body's digest where there is a body.
fn components(raw: &raw::Webhook, path: &str, findings: &mut Findings) -> Vec<String> {
    let Some(texts) = &raw.components else {
        return vec!["@request-target".into(), "digest".into()];
    };
    for (index, text) in texts.iter().enumerate() {
        if text != "@request-target" && !fields::is_lower_token(text) {
            findings.add(
                format!("{path}.components[{index}]"),
                format!("found `{text}`; takes `@request-target` or a lower-case header name"),
            );
        }
    }
    texts.clone()
}
