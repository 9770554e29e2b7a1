//! JSON Web Tokens (RFC 7519, with RFC 8725's advice): found, matched to the provider of their
//! issuer, verified. Signatures are checked in `crypto`, everything the token says is checked here.

mod claims;
mod jws;
mod token;

pub use claims::ClaimsFault;
pub use jws::Jws;
pub use token::{Knowledge, Token};

use super::{Found, Refusal, find, strip};
use crate::{
    config::{
        jwt::{Proof, Provider, media_type},
        source::Source,
    },
    crypto,
    headers::Headers,
    json,
    remote::{Want, Word},
    words::{Reason, check},
};
use portcullis_rego::value;
use serde_json::{Map, Value};
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
}

impl VerifiedJwt<'_> {
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

    pub fn key_id(&self) -> Option<&str> {
        self.token.header.get("kid").and_then(Value::as_str)
    }

    pub fn claim_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.token.claim_headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What tokens are held against.
pub struct Against<'c> {
    pub providers: &'c [Provider],
    pub knowledge: &'c Knowledge,
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
    let mut results: Vec<Result<VerifiedJwt<'c>, Refusal>> = Vec::new();
    for place in places(against.providers) {
        let token = match find(place, headers) {
            Found::Nothing => continue,
            Found::Refused(reason) => return Err(reason),
            Found::One(token) => token,
        };
        let result = verify_one(against, place, &token, wants);
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
    against: &Against<'c>,
    place: &'c Source,
    text: &str,
    wants: &mut Vec<Want>,
) -> Result<VerifiedJwt<'c>, Reason> {
    let (index, token) = prove(against, place, text, wants)?;
    let provider = against.providers.get(index).ok_or(Reason::JwtIssuer)?;
    if !looks_at(provider, place) {
        return Err(Reason::JwtIssuer);
    }
    claims::check(provider, &token.claims, against.now_ns).map_err(ClaimsFault::reason)?;
    Ok(VerifiedJwt {
        provider: &provider.name,
        is_introspected: matches!(provider.proof, Proof::Introspection(_)),
        token,
        place,
        keep: provider.keep,
    })
}

/// Whose token it is, as its signature or its server says.
fn prove(
    against: &Against<'_>,
    place: &Source,
    text: &str,
    wants: &mut Vec<Want>,
) -> Result<(usize, Arc<Token>), Reason> {
    let providers = against.providers;
    let digest = crypto::sha256(text.as_bytes());
    if let Some(known) = against.knowledge.recall(&digest, providers, against.now_ns) {
        return Ok(known);
    }
    let Some(jws) = Jws::parse(text) else {
        let mut asked = providers.iter().enumerate();
        let (index, provider) = asked
            .find(|(_, it)| matches!(it.proof, Proof::Introspection(_)) && looks_at(it, place))
            .ok_or(Reason::JwtMalformed)?;
        return introspect(against, index, provider, text, wants);
    };
    let claims = json::parse_object(&jws.payload).ok_or(Reason::JwtMalformed)?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    let mut named = providers.iter().enumerate();
    let (index, provider) = named
        .find(|(_, it)| issuer == Some(&it.issuer) && looks_at(it, place))
        .ok_or(Reason::JwtIssuer)?;
    if let Proof::Introspection(_) = provider.proof {
        return introspect(against, index, provider, text, wants);
    }
    check_type(provider, &jws.header)?;
    let Some(keys) = against.knowledge.keys(index, provider, against.now_ns) else {
        wants.push(Want::Keys { provider: index });
        return Err(Reason::JwksUnavailable);
    };
    let key = jws.verify(&provider.algorithms, &keys.keys);
    let key = key.map_err(|reason| {
        let is_fetched = provider.proof.is_fetched();
        if reason == Reason::JwtKeyUnknown && is_fetched {
            wants.push(Want::NewerKeys { provider: index });
            if against.gives_up {
                return Reason::JwksUnavailable;
            }
        }
        reason
    })?;
    let token = Token::new(provider, jws.header, claims).ok_or(Reason::JwtMalformed)?;
    let token = Arc::new(token);
    let fingerprint = key.fingerprint;
    against
        .knowledge
        .remember(digest, text, index, fingerprint, &token);
    Ok((index, token))
}

/// RFC 7662 section 2.2. What the answer says of itself is checked as a token's claims are.
fn introspect(
    against: &Against<'_>,
    index: usize,
    provider: &Provider,
    text: &str,
    wants: &mut Vec<Want>,
) -> Result<(usize, Arc<Token>), Reason> {
    let (since, now) = (against.since_ns, against.now_ns);
    let members = match against.knowledge.introspect(index, text, since, now) {
        Ok(Word::Active(members)) => members,
        Ok(Word::Inactive) => return Err(Reason::TokenInactive),
        Ok(Word::Failed) => return Err(Reason::IntrospectionUnavailable),
        Err(want) => {
            wants.push(want);
            return Err(Reason::IntrospectionUnavailable);
        }
    };
    let issuer = members.get("iss");
    if issuer.is_some_and(|issuer| issuer.as_str() != Some(&provider.issuer)) {
        return Err(Reason::JwtIssuer);
    }
    let token = Token::new(provider, Map::new(), Map::clone(&members));
    let token = token.ok_or(Reason::JwtMalformed)?;
    Ok((index, Arc::new(token)))
}

fn looks_at(provider: &Provider, place: &Source) -> bool {
    provider.from.iter().any(|source| source.same_place(place))
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
