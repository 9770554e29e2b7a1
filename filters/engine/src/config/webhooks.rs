//! `signatures.webhooks`: the signing schemes of providers and of older gateways. A profile is data: where
//! its signature stands, and what text it is over ([`Template`]); the few that make more of a request
//! than a text of its parts have code of their own, in `credential::webhook`.

mod profile;
mod template;

pub use template::{Field, Part, Place, Stamp, Template};

pub use raw::SignatureEncoding as Encoding;

use super::{raw, secret::Secret};
use crate::{
    error::Findings,
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

    /// Whether every header of AWS's own must be signed.
    pub fn covers_amz(&self) -> bool {
        matches!(self.scheme, Scheme::SigV4 { .. })
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

/// The secrets that one header's signatures are held against: each costs an HMAC over the body.
const MOST_SECRETS: usize = 10;

/// What all providers and gateways with a time allow.
const MAX_AGE: Duration = Duration::from_secs(300);

/// What `signatures` says of all of them.
pub struct Terms<'t> {
    /// Of `signatures.keys`.
    pub ids: BTreeSet<&'t str>,
    /// Where they say nothing else.
    pub max_age: Option<Duration>,
    /// How many signatures of each are remembered.
    pub entries: u32,
    pub remembers: bool,
    pub reject_before_start: bool,
}

pub fn read(
    raw: &[raw::Webhook],
    terms: &Terms<'_>,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<Webhook> {
    let mut ids = BTreeSet::new();
    let mut hooks: Vec<Webhook> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let path = format!("signatures.webhooks[{index}]");
        let is_new = ids.insert(raw.id.as_str()) && !terms.ids.contains(raw.id.as_str());
        if raw.id.is_empty() || !is_new {
            findings.add(
                format!("{path}.id"),
                "is empty, or stands twice; every webhook and key has an id of its own",
            );
        }
        if raw.subject.is_empty() {
            findings.add(format!("{path}.subject"), "is empty; names who signs");
        }
        let scheme = profile::scheme(raw, &path, findings);
        let own = secrets_of(raw, &path, secrets, findings);
        let has_time = !matches!(&scheme, Some(Scheme::Twilio { .. }))
            && !matches!(&scheme, Some(Scheme::Template(it)) if it.stamp.is_none());
        let remember = remember(raw, has_time, terms, &path, findings);
        let Some(scheme) = scheme else { continue };
        let hook = Webhook {
            id: raw.id.clone(),
            subject: raw.subject.clone(),
            scheme,
            secrets: own,
            max_age: raw
                .max_age
                .map(|span| span.0)
                .or(terms.max_age)
                .unwrap_or(MAX_AGE),
            remember,
            space: terms
                .remembers
                .then(|| Space::new(Kind::Signature, &raw.id, terms.entries)),
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
        // One delivery would be good under both, once each.
        let is_shared = |other: &&Webhook| {
            let mut own = hook.secrets.iter();
            let apart = matches!(hook.scheme, Scheme::SigV4 { .. });
            !apart
                && other.is_told_as(&hook)
                && own.any(|it| other.secrets.iter().any(|that| it.is(that)))
        };
        if let Some(other) = hooks.iter().find(is_shared) {
            findings.add(
                format!("{path}.secrets"),
                format!(
                    "has a secret of `{}`, which is signed alike; takes its own",
                    other.id
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
    terms: &Terms<'_>,
    path: &str,
    findings: &mut Findings,
) -> Option<Duration> {
    let wrong = match (terms.remembers, terms.reject_before_start) {
        (false, _) => Some("`signatures.nonce: \"off\"` remembers nothing"),
        (true, true) => Some(
            "`reject_before_start` cannot tell whether one without a time was made before the start",
        ),
        (true, false) => None,
    };
    if let (Some(raw::Remember::For(_)), Some(wrong), false) = (raw.remember, wrong, has_time) {
        findings.add(
            format!("{path}.remember"),
            format!("would not hold: {wrong}; takes one or the other"),
        );
    }
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
