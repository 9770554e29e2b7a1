//! Webhooks and the schemes of older gateways as credentials: an HMAC over a text of the request, of
//! which the body is nearly always a part. What a request shows of them is known from its headers
//! ([`shown`]), and refused there where that is reason enough; whether it holds, once its body has come
//! ([`settle`]).

mod hmac_auth;
mod received;
mod sigv4;
mod template;
mod twilio;

use super::{Covered, VerifiedSignature, refusal};
use crate::{
    config::{
        secret::Secret,
        webhooks::{AUTHORIZATION, Scheme, Webhook},
    },
    credential::Refusal,
    crypto::{Mac, MacHash, constant_time_eq_slices, sha256},
    headers::Headers,
    replay::{Claim, Once},
    request::Request,
    words::Reason,
};
use received::Received;
use std::time::Duration;

/// What a component is called that is the body itself: no field and no derived component has the name.
pub const BODY: &str = "@body";

/// What a request shows of webhooks that are told by the same sign: one of them may have made it.
#[derive(Debug)]
pub struct Shown<'c> {
    candidates: Vec<Candidate<'c>>,
}

struct Candidate<'c> {
    hook: &'c Webhook,
    plan: Plan,
}

/// What a signature is over, and what it would have to be.
#[derive(Debug)]
struct Plan {
    /// The request's own; any of them may be ours.
    signatures: Vec<Vec<u8>>,
    hash: MacHash,
    /// Seconds since the Unix epoch.
    created: Option<i64>,
    covered: Vec<String>,
    over: Over,
}

#[derive(Debug)]
enum Over {
    /// This, and then the body.
    ThenBody(Vec<u8>),
    HmacAuth(hmac_auth::Text),
    SigV4(sigv4::Text),
    Twilio(twilio::Text),
}

/// What one webhook sees in a request.
enum Sight {
    Nothing,
    /// A signature of a key that it does not have.
    Foreign,
    Plan(Plan),
}

/// Why a signature ends before its body is looked at.
type Fault = (Reason, &'static str);

/// What has to be made of the body while it comes.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// In the order that [`settle`] takes them in.
    pub macs: Vec<Mac>,
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
    pub macs: Vec<Vec<u8>>,
    pub sha256: Option<Vec<u8>>,
    pub bytes: Option<&'b [u8]>,
}

/// Every signature that the request shows, in the order of the configuration. `counts` tells which
/// webhooks do on its route. Without a time ages are not looked at.
pub fn shown<'c>(
    hooks: &'c [Webhook],
    counts: impl Fn(&Webhook) -> bool,
    request: &Request<'_>,
    now_ns: Option<u64>,
) -> Vec<Result<Shown<'c>, Refusal>> {
    let hooks: Vec<&Webhook> = hooks.iter().filter(|hook| counts(hook)).collect();
    let received = Received::of(request);
    let mut all = Vec::new();
    let mut signs: Vec<Sign<'_>> = Vec::new();
    for hook in &hooks {
        let sign = Sign::of(hook);
        if signs.contains(&sign) {
            continue;
        }
        let alike = hooks.iter().filter(|other| Sign::of(other) == sign);
        all.extend(together(&sign, alike.copied(), &received, now_ns));
        signs.push(sign);
    }
    all
}

/// By what a scheme is told.
#[derive(PartialEq, Eq)]
enum Sign<'c> {
    Field(&'c str),
    Twilio,
    HmacAuth,
    SigV4,
}

impl Sign<'_> {
    fn of(hook: &Webhook) -> Sign<'_> {
        match &hook.scheme {
            Scheme::Template(template) => Sign::Field(&template.signature.header),
            Scheme::Twilio { .. } => Sign::Twilio,
            Scheme::HmacAuth { .. } => Sign::HmacAuth,
            Scheme::SigV4 { .. } => Sign::SigV4,
        }
    }
}

/// Where any of them sees a signature that it can judge, those do; else the first refusal counts.
fn together<'c>(
    sign: &Sign<'_>,
    hooks: impl Iterator<Item = &'c Webhook>,
    received: &Received<'_>,
    now_ns: Option<u64>,
) -> Option<Result<Shown<'c>, Refusal>> {
    let (mut candidates, mut fault, mut is_foreign) = (Vec::new(), None, false);
    for hook in hooks {
        match plan(hook, received, now_ns) {
            Ok(Sight::Nothing) => {}
            Ok(Sight::Foreign) => is_foreign = true,
            Ok(Sight::Plan(plan)) => candidates.push(Candidate { hook, plan }),
            Err((reason, why)) => {
                let refused = || refusal(reason, format!("`{}` {why}", hook.id));
                fault.get_or_insert_with(refused);
            }
        }
    }
    if !candidates.is_empty() {
        return Some(Ok(Shown { candidates }));
    }
    if let Some(refused) = fault {
        return Some(Err(refused));
    }
    let unknown = match sign {
        Sign::HmacAuth | Sign::SigV4 => Reason::SignatureKeyUnknown,
        // Its header is there, and nobody makes a signature of what it holds.
        Sign::Field(_) | Sign::Twilio => Reason::SignatureMalformed,
    };
    is_foreign.then(|| {
        let why = "a webhook's signature is of no key that is configured, or is none";
        Err(refusal(unknown, why.to_owned()))
    })
}

fn plan(hook: &Webhook, received: &Received<'_>, now_ns: Option<u64>) -> Result<Sight, Fault> {
    let sight = match &hook.scheme {
        Scheme::Template(it) => template::plan(it, received)?,
        Scheme::Twilio { origin } => twilio::plan(origin.as_deref(), received)?,
        Scheme::HmacAuth { key_id, components } => hmac_auth::plan(key_id, components, received)?,
        Scheme::SigV4 {
            key_id,
            region,
            service,
        } => sigv4::plan(key_id, (region, service), received)?,
    };
    if let Sight::Plan(plan) = &sight
        && let (Some(created), Some(now_ns)) = (plan.created, now_ns)
    {
        in_time(created, hook.max_age, now_ns)?;
    }
    Ok(sight)
}

fn in_time(created: i64, max_age: Duration, now_ns: u64) -> Result<(), Fault> {
    let created_ns = i128::from(created).saturating_mul(1_000_000_000);
    let most = i128::try_from(max_age.as_nanos()).unwrap_or(i128::MAX);
    let age = i128::from(now_ns).saturating_sub(created_ns);
    if age > most {
        let why = "was made too long ago, by more than `max_age`";
        return Err((Reason::SignatureExpired, why));
    }
    if age < most.saturating_neg() {
        let why = "was made in the future, by more than `max_age`";
        return Err((Reason::SignatureExpired, why));
    }
    Ok(())
}

/// What has to be made of the body for all of them.
pub fn work(all: &[Shown<'_>]) -> Work {
    let mut work = Work::default();
    for Candidate { hook, plan } in all.iter().flat_map(|shown| &shown.candidates) {
        match &plan.over {
            Over::ThenBody(text) => work.macs.extend(hook.secrets.iter().filter_map(|secret| {
                let mut mac = Mac::new(plan.hash, secret.expose())?;
                mac.update(text);
                Some(mac)
            })),
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

/// The headers that make a request this webhook's, for those who try a gate; at `now`, in seconds since
/// the Unix epoch.
///
/// # Errors
/// Why there are none.
pub fn sign(
    hook: &Webhook,
    request: &Request<'_>,
    body: &[u8],
    now: i64,
) -> Result<Vec<(String, String)>, &'static str> {
    let secret = hook.secrets.first().ok_or("has no secret")?;
    match &hook.scheme {
        Scheme::Template(it) => {
            template::sign(it, secret.expose(), &Received::of(request), body, now)
        }
        Scheme::Twilio { .. } | Scheme::HmacAuth { .. } | Scheme::SigV4 { .. } => {
            Err("is of a scheme that this does not sign; its own tools do")
        }
    }
}

/// A signature of a webhook in a person's words.
#[derive(Default)]
pub struct Told {
    pub id: Option<String>,
    pub covered: Vec<String>,
}

/// What holds of all that is shown, now that the body has come.
pub fn settle<'c>(
    all: &[Shown<'c>],
    mut content: Content<'_>,
    now_ns: u64,
) -> Vec<Result<VerifiedSignature<'c>, Refusal>> {
    let mut macs = std::mem::take(&mut content.macs).into_iter();
    all.iter()
        .map(|shown| shown.settle(&content, &mut macs, now_ns))
        .collect()
}

/// Takes the signatures of webhooks away; of `Authorization` only what is one.
pub fn strip_all(hooks: &[Webhook], headers: &mut Headers<'_>) {
    for hook in hooks {
        for field in hook.fields() {
            match field {
                AUTHORIZATION => headers.rewrite(field, |value| {
                    (!is_own(&hook.scheme, value)).then(|| value.to_owned())
                }),
                field => headers.remove(field),
            }
        }
    }
}

/// Whether this value of `Authorization` is of the scheme.
fn is_own(scheme: &Scheme, value: &str) -> bool {
    let own: &[&str] = match scheme {
        Scheme::HmacAuth { .. } => &["hmac", "signature"],
        Scheme::SigV4 { .. } => &[sigv4::ALGORITHM],
        Scheme::Template(template) => return value.starts_with(&template.signature.prefix),
        Scheme::Twilio { .. } => &[],
    };
    let named = value.split(' ').next().unwrap_or("");
    own.iter().any(|own| own.eq_ignore_ascii_case(named))
}

impl<'c> Shown<'c> {
    /// What stands in a person's report of it.
    pub fn told(&self) -> Told {
        let first = self.candidates.first();
        let told = first.map(|Candidate { hook, plan }| Told {
            id: Some(hook.id.clone()),
            covered: plan.covered.clone(),
        });
        told.unwrap_or_default()
    }

    /// Whether one of the candidates made it. `macs`: those that were not taken yet; each takes its own.
    fn settle(
        &self,
        content: &Content<'_>,
        macs: &mut impl Iterator<Item = Vec<u8>>,
        now_ns: u64,
    ) -> Result<VerifiedSignature<'c>, Refusal> {
        let mut verified = None;
        let mut why =
            "does not verify: what it covers was changed, or it was made with another secret";
        let mut id = "";
        for Candidate { hook, plan } in &self.candidates {
            let made = plan.made(&hook.secrets, content, macs);
            let made = match made {
                Ok(made) => made,
                Err(told) => {
                    (why, id) = (told, &hook.id);
                    continue;
                }
            };
            // Each against each, so that it takes as long whichever it is.
            let holds = made.iter().fold(false, |holds, own| {
                let mut theirs = plan.signatures.iter();
                holds | theirs.any(|it| constant_time_eq_slices(it, own))
            });
            if holds && verified.is_none() {
                verified = Some(plan.verified(hook, made.into_iter().next(), now_ns));
            }
            if id.is_empty() {
                id = &hook.id;
            }
        }
        verified.ok_or_else(|| refusal(Reason::SignatureInvalid, format!("`{id}` {why}")))
    }
}

impl Plan {
    /// What the signature would have to be: by each secret, for each text it may be over. The first is
    /// the same whichever of them it is.
    fn made(
        &self,
        secrets: &[Secret],
        content: &Content<'_>,
        macs: &mut impl Iterator<Item = Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, &'static str> {
        let texts: Vec<Vec<u8>> = match &self.over {
            Over::ThenBody(_) => return Ok(macs.take(secrets.len()).collect()),
            Over::HmacAuth(text) => vec![text.settled(content)?.to_vec()],
            Over::SigV4(text) => {
                let signed = text.settled(content)?;
                let keys = secrets.iter().map(|secret| text.key(secret.expose()));
                return Ok(keys.map(|key| mac(self.hash, &key, &signed)).collect());
            }
            Over::Twilio(text) => text.settled(content)?,
        };
        let pairs = secrets
            .iter()
            .flat_map(|secret| texts.iter().map(move |text| (secret, text)));
        Ok(pairs
            .map(|(secret, text)| mac(self.hash, secret.expose(), text))
            .collect())
    }

    /// `first` is of the text and of the first secret, whichever secret signed: one text is one claim,
    /// whatever else stands beside its signature.
    fn verified<'c>(
        &self,
        hook: &'c Webhook,
        first: Option<Vec<u8>>,
        now_ns: u64,
    ) -> VerifiedSignature<'c> {
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
        let digest = first.map(|mac| sha256(&mac));
        let claim = hook.space.as_ref().zip(until_ns.zip(digest));
        let claim = claim.map(|(space, (until_ns, mac))| {
            Claim::signature(space, Once::Signature(&mac), until_ns)
        });
        VerifiedSignature {
            label: hook.id.clone(),
            key_id: &hook.id,
            subject: &hook.subject,
            algorithm: self.hash.hmac_name(),
            covered: Covered::Webhook(self.covered.clone()),
            created: self.created,
            claim,
        }
    }
}

fn mac(hash: MacHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    Mac::new(hash, key)
        .map(|mut mac| {
            mac.update(text);
            mac.finish()
        })
        .unwrap_or_default()
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Candidate").field(&self.hook.id).finish()
    }
}
