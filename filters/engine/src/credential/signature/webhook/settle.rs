//! Whether what a request shows holds, once its body has come.

use super::{Candidate, Covered, Over, Plan, Shown, VerifiedSignature, refusal};
use crate::{
    config::{secret::Secret, webhooks::Webhook},
    credential::Refusal,
    crypto::{Hasher, Mac, MacHash, constant_time_eq_slices},
    replay::{Claim, Once},
    words::Reason,
};
use std::time::Duration;

/// What has to be made of the body while it comes.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// By each secret of a webhook, under its id: what is shown when the body has come need not be all
    /// that was when it began, since something may have grown too old.
    pub macs: Vec<(String, Vec<Mac>)>,
    pub sha256: bool,
    pub keep: bool,
}

impl Work {
    pub fn is_any(&self) -> bool {
        self.sha256 || self.keep || !self.macs.is_empty()
    }
}

/// What was made of a body that has ended.
#[derive(Default)]
pub struct Content<'b> {
    /// Bytes.
    pub length: u64,
    /// By each secret of a webhook, under its id.
    pub macs: Vec<(String, Vec<Vec<u8>>)>,
    pub sha256: Option<Vec<u8>>,
    pub bytes: Option<&'b [u8]>,
}

/// What has to be made of the body for all of them.
pub fn work(all: &[Shown<'_>]) -> Work {
    let mut work = Work::default();
    for Candidate { hook, plan } in all.iter().flat_map(|shown| &shown.candidates) {
        match &plan.over {
            Over::ThenBody(text) => {
                let of = |secret: &Secret| {
                    let mut mac = Mac::new(plan.hash, secret.expose())?;
                    mac.update(text);
                    Some(mac)
                };
                let macs = hook.secrets.iter().filter_map(of).collect();
                work.macs.push((hook.id.clone(), macs));
                // What it is remembered by.
                work.sha256 |= plan.is_remembered(hook);
            }
            Over::HmacAuth(text) => work.sha256 |= text.needs_sha256(),
            Over::SigV4(_) => work.sha256 = true,
            Over::Twilio(text) => match text.is_form() {
                true => work.keep = true,
                false => work.sha256 = true,
            },
        }
    }
    work
}

/// What holds of all that is shown.
pub fn settle<'c>(
    all: &[Shown<'c>],
    content: &Content<'_>,
    now_ns: u64,
) -> Vec<Result<VerifiedSignature<'c>, Refusal>> {
    let settle = |shown: &Shown<'c>| shown.settle(content, now_ns);
    all.iter().map(settle).collect()
}

/// What a signature would have to be.
struct Made {
    /// By each secret, for each text that it may be over.
    macs: Vec<Vec<u8>>,
    /// Of what is signed, without any secret: one text is one claim, whichever secret signed it and
    /// whatever else stands beside its signature.
    digest: Vec<u8>,
}

impl<'c> Shown<'c> {
    /// Whether one of the candidates made it.
    fn settle(&self, content: &Content<'_>, now_ns: u64) -> Result<VerifiedSignature<'c>, Refusal> {
        const CHANGED: &str =
            "does not verify: what it covers was changed, or it was made with another secret";
        let mut first_fault = None;
        for Candidate { hook, plan } in &self.candidates {
            let fault = match plan.made(hook, content) {
                // Each against each, so that it takes as long whichever it is.
                Ok(made) if plan.is_any_of(&made.macs) => {
                    return Ok(plan.verified(hook, &made.digest, now_ns));
                }
                Ok(_) => CHANGED,
                Err(why) => why,
            };
            first_fault.get_or_insert((hook.id.as_str(), fault));
        }
        let (id, why) = first_fault.unwrap_or(("webhook", CHANGED));
        Err(refusal(Reason::SignatureInvalid, format!("`{id}` {why}")))
    }
}

impl Plan {
    fn is_any_of(&self, macs: &[Vec<u8>]) -> bool {
        macs.iter().fold(false, |holds, own| {
            let equal = |theirs: &Vec<u8>| constant_time_eq_slices(theirs, own);
            let same = self.signatures.iter().map(equal);
            same.fold(holds, |holds, same| holds | same)
        })
    }

    fn made(&self, hook: &Webhook, content: &Content<'_>) -> Result<Made, &'static str> {
        let all = |macs: Option<Vec<Vec<u8>>>| macs.ok_or("could not be made by this gate");
        let sha256 = || {
            content
                .sha256
                .as_deref()
                .ok_or("has a body that was not hashed")
        };
        Ok(match &self.over {
            Over::ThenBody(text) => {
                let mut macs = content.macs.iter().filter(|(id, _)| *id == hook.id);
                let own = macs.next().map(|(_, macs)| macs.clone());
                let own = own.filter(|macs| macs.len() == hook.secrets.len());
                let body = match self.is_remembered(hook) {
                    true => sha256()?,
                    false => &[],
                };
                Made {
                    macs: all(own)?,
                    digest: self.digest(&[text, body]),
                }
            }
            Over::HmacAuth(text) => {
                let text = text.settled(content)?;
                Made {
                    macs: all(self.by_each(hook, &[text]))?,
                    digest: self.digest(&[text]),
                }
            }
            Over::SigV4(it) => {
                let text = it.settled(content)?;
                let by = |secret: &Secret| mac(self.hash, &it.key(secret.expose()), &[&text]);
                Made {
                    macs: all(hook.secrets.iter().map(by).collect())?,
                    digest: self.digest(&[&text]),
                }
            }
            Over::Twilio(text) => {
                let parameters = text.settled(content)?;
                let mut macs = Vec::new();
                for url in text.urls() {
                    let parts = [url.as_bytes(), parameters.as_bytes()];
                    macs.extend(all(self.by_each(hook, &parts))?);
                }
                let first = text.urls().first().map_or("", String::as_str);
                Made {
                    macs,
                    digest: self.digest(&[first.as_bytes(), parameters.as_bytes()]),
                }
            }
        })
    }

    fn by_each(&self, hook: &Webhook, parts: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        let by = |secret: &Secret| mac(self.hash, secret.expose(), parts);
        hook.secrets.iter().map(by).collect()
    }

    /// Each part with its length, so that no two texts are one.
    fn digest(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut hasher = Hasher::sha256();
        for part in [self.hash.hmac_name().as_bytes()].iter().chain(parts) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hasher.update(&length.to_be_bytes());
            hasher.update(part);
        }
        hasher.finish()
    }

    fn is_remembered(&self, hook: &Webhook) -> bool {
        hook.space.is_some() && (self.created.is_some() || hook.remember.is_some())
    }

    fn verified<'c>(&self, hook: &'c Webhook, digest: &[u8], now_ns: u64) -> VerifiedSignature<'c> {
        let span = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = match (self.created, hook.remember) {
            // At the last nanosecond of its age it is still good.
            (Some(created), _) => Some(
                u64::try_from(created)
                    .unwrap_or(0)
                    .saturating_mul(1_000_000_000)
                    .saturating_add(span(hook.max_age))
                    .saturating_add(1),
            ),
            (None, Some(remember)) => Some(now_ns.saturating_add(span(remember))),
            (None, None) => None,
        };
        let claim = hook.space.as_ref().zip(until_ns);
        let claim = claim
            .map(|(space, until_ns)| Claim::signature(space, Once::Signature(digest), until_ns));
        VerifiedSignature {
            label: hook.id.clone(),
            key_id: &hook.id,
            subject: &hook.subject,
            algorithm: self.hash.hmac_name(),
            covered: Covered::Webhook(self.covered.clone()),
            created: self.created,
            ahead: hook.max_age,
            claim,
        }
    }
}

/// `None` never comes about: no key is refused for its length.
pub fn mac(hash: MacHash, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = Mac::new(hash, key)?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finish())
}
