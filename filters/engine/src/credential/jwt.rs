//! JSON Web Tokens (RFC 7519, with RFC 8725's advice): found, matched to the provider of their
//! issuer, verified. Signatures are checked in `crypto`, everything the token says is checked here.

mod claims;
mod jws;

pub use claims::ClaimsFault;
pub use jws::Jws;

use super::{Found, Refusal, find, strip};
use crate::{
    config::{
        jwt::{Provider, media_type},
        source::Source,
    },
    headers::Headers,
    json,
    words::{Reason, check},
};
use serde_json::{Map, Value};

/// Proof that a token is a provider's, whole and in its time. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedJwt<'c> {
    provider: &'c str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    place: &'c Source,
    keep: bool,
    /// What `claim_headers` says of it, checked to be fit for a header.
    claim_headers: Vec<(&'c str, String)>,
}

impl VerifiedJwt<'_> {
    pub fn provider(&self) -> &str {
        self.provider
    }

    /// The JOSE header, complete.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims set, complete.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }

    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    pub fn claim_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.claim_headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }
}

/// Looks at every place of every provider. `Err` ends the request whatever `when_invalid` says:
/// a place with several tokens, two tokens of one provider (RFC 6750 section 2), two subjects.
pub fn verify<'c>(
    providers: &'c [Provider],
    now_ns: u64,
    headers: &Headers<'_>,
) -> Result<Vec<Result<VerifiedJwt<'c>, Refusal>>, Reason> {
    let mut results: Vec<Result<VerifiedJwt<'c>, Refusal>> = Vec::new();
    for place in places(providers) {
        let token = match find(place, headers) {
            Found::Nothing => continue,
            Found::Refused(reason) => return Err(reason),
            Found::One(token) => token,
        };
        let result = verify_one(providers, place, &token, now_ns);
        if let Ok(new) = &result {
            for old in results.iter().flatten() {
                if old.provider == new.provider || old.subject() != new.subject() {
                    return Err(Reason::RequestMalformed);
                }
            }
        }
        results.push(result.map_err(|reason| Refusal {
            check: check::JWT,
            reason,
            detail: None,
        }));
    }
    Ok(results)
}

/// Takes tokens away from every place but those where a verified one stands that is to be kept.
pub fn strip_all(providers: &[Provider], kept: &[VerifiedJwt<'_>], headers: &mut Headers<'_>) {
    for place in places(providers) {
        if !kept
            .iter()
            .any(|jwt| jwt.keep && jwt.place.same_place(place))
        {
            strip(place, headers);
        }
    }
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
    providers: &'c [Provider],
    place: &'c Source,
    token: &str,
    now_ns: u64,
) -> Result<VerifiedJwt<'c>, Reason> {
    let jws = Jws::parse(token).ok_or(Reason::JwtMalformed)?;
    let claims = json::parse_object(&jws.payload).ok_or(Reason::JwtMalformed)?;
    let provider = providers
        .iter()
        .find(|provider| claims.get("iss").and_then(Value::as_str) == Some(&provider.issuer))
        .filter(|provider| provider.from.iter().any(|source| source.same_place(place)))
        .ok_or(Reason::JwtIssuer)?;
    check_type(provider, &jws.header)?;
    jws.verify(&provider.algorithms, &provider.keys, &provider.verifier)?;
    claims::check(provider, &claims, now_ns).map_err(ClaimsFault::reason)?;
    let claim_headers = claims::headers(provider, &claims).ok_or(Reason::JwtMalformed)?;
    Ok(VerifiedJwt {
        provider: &provider.name,
        header: jws.header,
        claims,
        place,
        keep: provider.keep,
        claim_headers,
    })
}

fn check_type(provider: &Provider, header: &Map<String, Value>) -> Result<(), Reason> {
    let Some(wanted) = &provider.typ else {
        return Ok(());
    };
    let typ = header.get("typ").and_then(Value::as_str).map(media_type);
    (typ.as_ref() == Some(wanted))
        .then_some(())
        .ok_or(Reason::JwtType)
}
