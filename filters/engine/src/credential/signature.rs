//! HTTP message signatures (RFC 9421) as credentials: chosen, judged by the configuration, verified.
//! What they cover and how they read is `message_signature`'s.

pub mod webhook;

use super::{Refusal, shortened};
use crate::{
    config::signatures::{Key, Nonce, Signatures},
    headers::Headers,
    message_signature::{Component, Input, Message, base, inputs},
    replay::{Claim, Once},
    words::{Reason, check},
};
use std::time::Duration;

/// Proof that a key's holder signed these parts of the request, in its time. Only [`verify`] makes
/// one.
#[derive(Clone, Debug)]
pub struct VerifiedSignature<'c> {
    label: String,
    key_id: &'c str,
    subject: &'c str,
    /// The name in RFC 9421's registry.
    algorithm: &'static str,
    covered: Covered,
    /// Seconds since the Unix epoch; of a webhook only where its scheme tells.
    created: Option<i64>,
    /// How far in the future it may have been created.
    ahead: Duration,
    claim: Option<Claim>,
}

#[derive(Clone, Debug)]
enum Covered {
    Http(Vec<Component>),
    /// Names of headers and of derived components, and [`webhook::BODY`].
    Webhook(Vec<String>),
}

impl VerifiedSignature<'_> {
    /// The signer's own name for it, which says nothing of who signed; the webhook's id, which none of
    /// those may be.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub fn key_id(&self) -> &str {
        self.key_id
    }

    pub fn subject(&self) -> &str {
        self.subject
    }

    pub fn algorithm(&self) -> &str {
        self.algorithm
    }

    /// What it covers, as a configuration spells it.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let (http, webhook) = match &self.covered {
            Covered::Http(components) => (components.as_slice(), [].as_slice()),
            Covered::Webhook(names) => ([].as_slice(), names.as_slice()),
        };
        let http = http.iter().map(Component::spelled);
        http.chain(webhook.iter().map(String::as_str))
    }

    /// Whether it covers all of a field.
    pub fn covers_field(&self, name: &str) -> bool {
        match &self.covered {
            Covered::Http(components) => Component::parse(name)
                .is_ok_and(|field| components.iter().any(|own| own.covers(&field))),
            Covered::Webhook(names) => names.iter().any(|own| own == name),
        }
    }

    /// Whether it covers the body itself.
    pub fn covers_body(&self) -> bool {
        match &self.covered {
            Covered::Http(_) => false,
            Covered::Webhook(names) => names.iter().any(|own| own == webhook::BODY),
        }
    }

    pub fn created(&self) -> Option<i64> {
        self.created
    }

    /// From when on it could have been shown, in seconds since the Unix epoch.
    pub fn good_from(&self) -> Option<i64> {
        let ahead = i64::try_from(self.ahead.as_secs()).unwrap_or(i64::MAX);
        self.created.map(|created| created.saturating_sub(ahead))
    }

    /// What it is remembered by: it is good once. `None` where nothing is remembered.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }
}

/// Judges every signature of the request. One that names a key of ours must hold, whatever else
/// there is; those of others (a hop may have signed too, RFC 9421 section 4.3) count only where
/// none of ours stands beside them: then the request shows a credential that nobody knows. Where a
/// refusal ends the request, those behind it are not looked at: they cost what good ones cost.
pub fn verify<'c>(
    config: &'c Signatures,
    required: &[Component],
    refusal_ends: bool,
    now_ns: u64,
    message: &Message<'_>,
) -> Vec<Result<VerifiedSignature<'c>, Refusal>> {
    if !config.has_keys() {
        return Vec::new();
    }
    let inputs = match inputs(message) {
        Ok(inputs) => inputs,
        Err(error) => return vec![Err(refusal(Reason::SignatureMalformed, error.to_string()))],
    };
    let chosen = inputs
        .into_iter()
        .filter(|input| config.tag.is_none() || input.tag == config.tag);
    let (mut judged, mut foreign) = (Vec::new(), None);
    for input in chosen {
        let key = input.key_id.as_deref().and_then(|id| config.key(id));
        match key {
            Some(key) => {
                let result = judge(config, key, required, now_ns, message, input);
                let ends = refusal_ends && result.is_err();
                judged.push(result);
                if ends {
                    break;
                }
            }
            None => foreign = foreign.or(Some((input.label, input.key_id))),
        }
    }
    match foreign {
        Some((label, key_id)) if judged.is_empty() => {
            let why = match key_id {
                Some(id) => format!("`{label}` is of key `{id}`, which is not configured"),
                None => format!("`{label}` has no `keyid`"),
            };
            vec![Err(refusal(Reason::SignatureKeyUnknown, why))]
        }
        _ => judged,
    }
}

/// What became of one signature, for a person who asks: the base that was verified tells what the
/// signer must have signed.
#[derive(Clone, Debug)]
pub struct Report {
    pub label: String,
    pub key_id: Option<String>,
    pub components: Vec<String>,
    /// The signature base; absent where a covered component has no value.
    pub base: Option<String>,
    /// The subject that is proven, or the reason and its detail.
    pub outcome: Result<String, (Reason, String)>,
}

impl Report {
    pub(crate) fn of_webhook(
        told: webhook::Told,
        judged: &Result<VerifiedSignature<'_>, Refusal>,
    ) -> Report {
        let outcome = match judged {
            Ok(good) => Ok(good.subject.to_owned()),
            Err(refused) => Err((refused.reason, refused.detail.clone().unwrap_or_default())),
        };
        // Where several could have made it, the one that did.
        let id = judged.as_ref().map(|good| good.key_id.to_owned()).ok();
        let id = id.or(told.id);
        Report {
            label: id.clone().unwrap_or_else(|| "webhook".to_owned()),
            key_id: id,
            components: told.covered,
            base: None,
            outcome,
        }
    }
}

/// Judges each signature for itself, those of unknown keys too.
///
/// # Errors
/// What is wrong with the fields.
pub fn explain(
    config: &Signatures,
    required: &[Component],
    now_ns: u64,
    message: &Message<'_>,
) -> Result<Vec<Report>, String> {
    let inputs = inputs(message).map_err(|error| error.to_string())?;
    let report = |input: Input| {
        let key = input.key_id.as_deref().and_then(|id| config.key(id));
        let spelled = input.components.iter().map(|it| it.spelled().to_owned());
        Report {
            label: input.label.clone(),
            key_id: input.key_id.clone(),
            components: spelled.collect(),
            base: base(message, &input.components, &input.parameters).ok(),
            outcome: match key {
                _ if config.tag.is_some() && config.tag != input.tag => Err((
                    Reason::SignatureMissing,
                    "it has not the tag that is configured, and is not looked at".into(),
                )),
                None => Err((
                    Reason::SignatureKeyUnknown,
                    "its `keyid` is of no key that is configured".into(),
                )),
                Some(key) => judge(config, key, required, now_ns, message, input)
                    .map(|good| good.subject.to_owned())
                    .map_err(|refused| (refused.reason, refused.detail.unwrap_or_default())),
            },
        }
    };
    Ok(inputs.into_iter().map(report).collect())
}

/// Takes the signatures away, all at once: they share two fields.
pub fn strip_all(headers: &mut Headers<'_>) {
    for name in FIELDS {
        headers.remove(name);
    }
}

/// Where signatures stand (RFC 9421 section 4).
pub const FIELDS: [&str; 2] = ["signature", "signature-input"];

fn refusal(reason: Reason, detail: String) -> Refusal {
    Refusal {
        check: check::SIGNATURE,
        reason,
        detail: Some(shortened(detail)),
        challenge: None,
    }
}

/// In the order of what it costs: the arithmetic comes last.
fn judge<'c>(
    config: &Signatures,
    key: &'c Key,
    required: &[Component],
    now_ns: u64,
    message: &Message<'_>,
    input: Input,
) -> Result<VerifiedSignature<'c>, Refusal> {
    let label = &input.label;
    let refuse = |reason, why: String| {
        let id = &key.id;
        Err(refusal(reason, format!("`{label}` of key `{id}` {why}")))
    };
    // Or a policy that asks for the webhook by its id would be told of this one.
    if config.webhooks.iter().any(|hook| hook.id == *label) {
        return refuse(
            Reason::SignatureMalformed,
            "has the id of a webhook for its label".into(),
        );
    }
    // Section 3.2 step 6: where two sources name an algorithm, they name the same.
    if let Some(named) = &input.algorithm
        && named != key.algorithm
    {
        return refuse(
            Reason::SignatureInvalid,
            "names another algorithm than its key's".into(),
        );
    }
    let Some(created) = input.created else {
        return refuse(Reason::SignatureMalformed, "has no `created`".into());
    };
    let until_ns = match in_time(config, created, input.expires, now_ns) {
        Ok(until_ns) => until_ns,
        Err(why) => return refuse(Reason::SignatureExpired, why.into()),
    };
    if config.nonce == Nonce::Required && input.nonce.as_deref().is_none_or(str::is_empty) {
        return refuse(Reason::SignatureNonceMissing, "has no `nonce`".into());
    }
    let missing: Vec<&str> = required
        .iter()
        .filter(|wanted| !input.components.iter().any(|own| own.covers(wanted)))
        .map(Component::identifier)
        .collect();
    if !missing.is_empty() {
        let why = format!("does not cover {}", missing.join(", "));
        return refuse(Reason::SignatureComponentMissing, why);
    }
    let base = match base(message, &input.components, &input.parameters) {
        Ok(base) => base,
        Err(why) => {
            let why = format!("covers what has no value: {}", why.message());
            return refuse(Reason::SignatureInvalid, why);
        }
    };
    let verified = config
        .verifier
        .verify(&key.key, base.as_bytes(), &input.signature);
    if verified.is_err() {
        return refuse(
            Reason::SignatureInvalid,
            "does not verify: what it covers was changed, or it was made with another key".into(),
        );
    }
    let once = match input.nonce.as_deref() {
        Some(nonce) if !nonce.is_empty() => Once::Nonce(nonce),
        _ => Once::Signature(unchangeable(key.algorithm, &input.signature)),
    };
    let claim = Claim::signature(&key.space, once, until_ns);
    Ok(VerifiedSignature {
        claim: (config.nonce != Nonce::Off).then_some(claim),
        key_id: &key.id,
        subject: &key.subject,
        algorithm: key.algorithm,
        covered: Covered::Http(input.components),
        created: Some(created),
        ahead: config.leeway,
        label: input.label,
    })
}

/// As much of a signature as nobody can change without its key: of an ECDSA signature (r, s) anybody
/// makes (r, -s), which verifies too, so that is r.
fn unchangeable<'s>(algorithm: &str, signature: &'s [u8]) -> &'s [u8] {
    match algorithm.starts_with("ecdsa-") {
        true => signature
            .split_at_checked(signature.len().div_ceil(2))
            .map_or(signature, |(r, _)| r),
        false => signature,
    }
}

/// Whether it was made lately, and not in the future, and is not past the end its signer gave it; and
/// from when on that is no more so, in nanoseconds since the Unix epoch.
fn in_time(
    config: &Signatures,
    created: i64,
    expires: Option<i64>,
    now_ns: u64,
) -> Result<u64, &'static str> {
    let now = i128::from(now_ns);
    let at = |seconds: i64| i128::from(seconds).saturating_mul(1_000_000_000);
    let nanoseconds =
        |span: std::time::Duration| i128::try_from(span.as_nanos()).unwrap_or(i128::MAX);
    let leeway = nanoseconds(config.leeway);
    if at(created).saturating_sub(leeway) > now {
        return Err("was created in the future, by more than `leeway`");
    }
    let oldest = now
        .saturating_sub(nanoseconds(config.max_age))
        .saturating_sub(leeway);
    if at(created) < oldest {
        return Err("was created too long ago, by more than `max_age`");
    }
    if expires.is_some_and(|expires| at(expires).saturating_add(leeway) <= now) {
        return Err("is past its `expires`");
    }
    // At the last nanosecond of its age it is still good.
    let too_old = at(created)
        .saturating_add(nanoseconds(config.max_age))
        .saturating_add(leeway)
        .saturating_add(1);
    let until = expires.map_or(too_old, |expires| {
        too_old.min(at(expires).saturating_add(leeway))
    });
    Ok(u64::try_from(until).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::unchangeable;

    #[test]
    fn a_signature_that_anybody_can_make_of_another_is_the_same() {
        let (signature, twin) = ([1, 2, 3, 4], [1, 2, 9, 9]);
        for (algorithm, same) in [
            ("ecdsa-p256-sha256", true),
            ("ecdsa-p384-sha384", true),
            ("ed25519", false),
            ("hmac-sha256", false),
            ("rsa-pss-sha512", false),
        ] {
            let is_same = unchangeable(algorithm, &signature) == unchangeable(algorithm, &twin);
            assert_eq!(is_same, same, "{algorithm}");
        }
    }
}
