//! The profiles, and which keys of an entry are theirs.

use super::{
    Encoding, Scheme,
    template::{self, Field, Part, Stamp, Template},
};
use crate::{config::raw, crypto::MacHash, error::Findings, fields};
use raw::Profile;

pub fn scheme(raw: &raw::Webhook, path: &str, findings: &mut Findings) -> Option<Scheme> {
    check_keys(raw, path, findings);
    let mut named = |name: &str, value: &Option<String>| match value.as_deref() {
        None | Some("") => {
            findings.add(
                format!("{path}.{name}"),
                format!("is missing or empty; `{}` needs it", name_of(raw.profile)),
            );
            None
        }
        Some(value) if raw.profile == Profile::AwsSigv4 && value.contains('/') => {
            findings.add(
                format!("{path}.{name}"),
                format!(
                    "found `{value}`, which no credential can name: `/` stands between its parts"
                ),
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
