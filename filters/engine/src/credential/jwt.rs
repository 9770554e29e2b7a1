//! JSON Web Tokens (RFC 7519, with RFC 8725's advice): found, matched to the provider of their
//! issuer, verified. Signatures are checked in `crypto`, everything the token says is checked here.

mod binding;
mod claims;
mod dpop;
mod fault;
mod jws;
mod prove;
mod token;

pub use fault::Challenge;
pub use jws::Jws;
pub use token::{Knowledge, Token};

use super::{Found, Refusal, find, shortened, strip};
use crate::{
    config::{
        jwt::{DPOP, Proof, Provider},
        source::Source,
    },
    headers::Headers,
    remote::Want,
    replay::Claim,
    request::Attributes,
    words::{Reason, check},
};
use binding::Around;
use fault::Fault;
use portcullis_rego::value;
use serde_json::Value;
use std::sync::Arc;

/// Proof that a token is a provider's, whole and in its time. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedJwt<'c> {
    provider: &'c str,
    /// By the word of the provider's server (RFC 7662), not by a signature.
    is_introspected: bool,
    token: Arc<Token>,
    place: &'c Source,
    keep: bool,
    /// Of the proof that came with it.
    proof: Option<Claim>,
}

impl VerifiedJwt<'_> {
    /// What its proof is remembered by: it is good once.
    pub fn claim(&self) -> Option<&Claim> {
        self.proof.as_ref()
    }

    pub fn provider(&self) -> &str {
        self.provider
    }

    pub fn is_introspected(&self) -> bool {
        self.is_introspected
    }

    /// The JOSE header, complete.
    pub fn header(&self) -> &value::Value {
        &self.token.header_value
    }

    /// The claims set, complete.
    pub fn claims(&self) -> &value::Value {
        &self.token.claims_value
    }

    pub fn subject(&self) -> Option<&str> {
        self.token.claims.get("sub").and_then(Value::as_str)
    }

    /// RFC 8693 section 4.2.
    pub fn scope(&self) -> Option<&str> {
        self.token.claims.get("scope").and_then(Value::as_str)
    }

    pub fn key_id(&self) -> Option<&str> {
        self.token.header.get("kid").and_then(Value::as_str)
    }

    /// Whether the upstream is told anything of it.
    pub fn writes(&self) -> bool {
        !self.token.identity_headers.is_empty()
    }

    /// What the upstream is told of it.
    pub fn identity_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.token.identity_headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What tokens are held against.
pub struct Against<'c> {
    pub providers: &'c [Provider],
    pub knowledge: &'c Knowledge,
    pub attributes: &'c Attributes<'c>,
    /// When the request came, and what time it is now: they differ where it has waited.
    pub since_ns: u64,
    pub now_ns: u64,
    /// It has waited long enough: who may be known to keys that are on their way is not unknown.
    pub gives_up: bool,
}

/// Looks at every place of every provider. `Err` ends the request whatever `when_invalid` says:
/// a place with several tokens, two tokens of one provider (RFC 6750 section 2), two subjects.
/// `wants`: what must be fetched for a better answer.
pub fn verify<'c>(
    against: &Against<'c>,
    headers: &Headers<'_>,
    wants: &mut Vec<Want>,
) -> Result<Vec<Result<VerifiedJwt<'c>, Refusal>>, Reason> {
    let around = Around {
        headers,
        attributes: against.attributes,
        now_ns: against.now_ns,
    };
    let mut results: Vec<Result<VerifiedJwt<'c>, Refusal>> = Vec::new();
    for place in places(against.providers) {
        let token = match find(place, headers) {
            Found::Nothing => continue,
            Found::Refused(reason) => return Err(reason),
            Found::One(token) => token,
        };
        let result = verify_one(against, place, &token, around, wants);
        if let Ok(new) = &result {
            for old in results.iter().flatten() {
                if old.provider == new.provider || old.subject() != new.subject() {
                    return Err(Reason::RequestMalformed);
                }
            }
        }
        results.push(result.map_err(|fault| {
            Refusal {
                check: check::JWT,
                reason: fault.reason,
                detail: fault.detail.map(shortened),
                challenge: fault
                    .challenge
                    .or_else(|| place.is_scheme(DPOP).then_some(Challenge::Token)),
            }
        }));
    }
    Ok(results)
}

/// Takes tokens away from every place but those where a verified one stands that is to be kept.
pub fn strip_all(providers: &[Provider], kept: &[VerifiedJwt<'_>], headers: &mut Headers<'_>) {
    for place in stripped(providers, kept) {
        strip(place, headers);
    }
    // A proof is half a credential: it goes where its token goes.
    let wants_proofs = providers.iter().any(|it| it.binding.dpop.is_some());
    if wants_proofs && !kept.iter().any(|jwt| jwt.keep && jwt.proof.is_some()) {
        headers.remove(DPOP);
    }
}

/// The places that tokens are taken away from.
pub fn stripped<'p>(
    providers: &'p [Provider],
    kept: &[VerifiedJwt<'_>],
) -> impl Iterator<Item = &'p Source> {
    let keeps = |place: &Source| {
        kept.iter()
            .any(|jwt| jwt.keep && jwt.place.same_place(place))
    };
    places(providers)
        .into_iter()
        .filter(move |place| !keeps(place))
}

/// Each place once, however many providers look there.
fn places(providers: &[Provider]) -> Vec<&Source> {
    let mut places: Vec<&Source> = Vec::new();
    for source in providers.iter().flat_map(|provider| &provider.from) {
        if !places.iter().any(|place| place.same_place(source)) {
            places.push(source);
        }
    }
    places
}

fn verify_one<'c>(
    against: &Against<'c>,
    place: &'c Source,
    text: &str,
    around: Around<'_>,
    wants: &mut Vec<Want>,
) -> Result<VerifiedJwt<'c>, Fault> {
    let (provider, token) = prove::prove(against, place, text, wants)?;
    claims::check(provider, &token.claims, around.now_ns)?;
    let proof = binding::check(provider, place, text, &token.claims, around)?;
    Ok(VerifiedJwt {
        provider: &provider.name,
        is_introspected: matches!(provider.proof, Proof::Introspection(_)),
        token,
        place,
        keep: provider.keep,
        proof,
    })
}
