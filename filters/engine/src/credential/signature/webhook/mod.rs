//! Webhooks and the schemes of older gateways as credentials: an HMAC over a text of the request, of
//! which the body is nearly always a part. What a request shows of them is known from its headers
//! ([`shown`]), and refused there where that is reason enough; whether it holds, once its body has come
//! ([`settle`]).

mod hmac_auth;
mod received;
mod settle;
mod sigv4;
mod template;
mod twilio;

use super::{Covered, VerifiedSignature, refusal};
use crate::{
    config::webhooks::{AUTHORIZATION, Scheme, Webhook},
    credential::Refusal,
    crypto::MacHash,
    headers::Headers,
    request::Request,
    words::Reason,
};
use received::Received;
pub use settle::{Content, Work, settle, work};
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
    Plan(Box<Plan>),
}

/// Why a signature ends before its body is looked at.
type Fault = (Reason, &'static str);

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
            Ok(Sight::Plan(plan)) => candidates.push(Candidate { hook, plan: *plan }),
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
    let mut sight = match &hook.scheme {
        Scheme::Template(it) => template::plan(it, received)?,
        Scheme::Twilio { origin } => twilio::plan(origin.as_deref(), received)?,
        Scheme::HmacAuth { key_id, components } => hmac_auth::plan(key_id, components, received)?,
        Scheme::SigV4 {
            key_id,
            region,
            service,
        } => sigv4::plan(key_id, (region, service), received)?,
    };
    if let Sight::Plan(plan) = &mut sight {
        let length = plan.hash.length();
        plan.signatures
            .retain(|signature| signature.len() == length);
        if plan.signatures.is_empty() {
            let why = "has no signature as long as its hash";
            return Err((Reason::SignatureMalformed, why));
        }
    }
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
    match scheme {
        Scheme::HmacAuth { .. } => hmac_auth::is_own(value),
        Scheme::SigV4 { .. } => sigv4::parameters(value).is_some(),
        Scheme::Template(template) => template::is_own(template, value),
        Scheme::Twilio { .. } => false,
    }
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
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Candidate").field(&self.hook.id).finish()
    }
}
