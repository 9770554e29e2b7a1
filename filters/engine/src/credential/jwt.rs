//! JSON Web Tokens (RFC 7519, with RFC 8725's advice): found, matched to the provider of their
//! issuer, verified. Signatures are checked in `crypto`, everything the token says is checked here.

mod binding;
mod claims;
mod dpop;
mod fault;
mod jws;

pub use fault::Challenge;
pub use jws::Jws;

use super::{Found, Refusal, find, shortened, strip};
use crate::{
    config::{
        jwt::{DPOP, Provider, media_type},
        source::Source,
    },
    headers::Headers,
    json,
    request::Attributes,
    words::{Reason, check},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use binding::Around;
use fault::{Fault, quoted};
use serde_json::{Map, Value};

/// Proof that a token is a provider's, whole and in its time. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedJwt<'c> {
    provider: &'c str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    place: &'c Source,
    keep: bool,
    /// Whether a proof came with it.
    has_proof: bool,
    /// What `claim_headers` and `payload_header` say of it, checked to be fit for a header.
    identity_headers: Vec<(&'c str, String)>,
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

    /// Whether the upstream is told anything of it.
    pub fn writes(&self) -> bool {
        !self.identity_headers.is_empty()
    }

    /// What the upstream is told of it.
    pub fn identity_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.identity_headers
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
    attributes: &Attributes<'_>,
) -> Result<Vec<Result<VerifiedJwt<'c>, Refusal>>, Reason> {
    let around = Around {
        headers,
        attributes,
        now_ns,
    };
    let mut results: Vec<Result<VerifiedJwt<'c>, Refusal>> = Vec::new();
    for place in places(providers) {
        let token = match find(place, headers) {
            Found::Nothing => continue,
            Found::Refused(reason) => return Err(reason),
            Found::One(token) => token,
        };
        let result = verify_one(providers, place, &token, around);
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
    for place in places(providers) {
        if !kept
            .iter()
            .any(|jwt| jwt.keep && jwt.place.same_place(place))
        {
            strip(place, headers);
        }
    }
    // A proof is half a credential: it goes where its token goes.
    let wants_proofs = providers.iter().any(|it| it.binding.dpop.is_some());
    if wants_proofs && !kept.iter().any(|jwt| jwt.keep && jwt.has_proof) {
        headers.remove(DPOP);
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
    around: Around<'_>,
) -> Result<VerifiedJwt<'c>, Fault> {
    let malformed = |why: &str| Fault::new(Reason::JwtMalformed, why);
    let jws = Jws::parse(token).ok_or_else(|| {
        malformed("it is not three parts of base64url with a header that is understood")
    })?;
    let claims = json::parse_object(&jws.payload)
        .ok_or_else(|| malformed("its claims are no JSON object, or name a member twice"))?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    let provider = providers
        .iter()
        .filter(|provider| provider.from.iter().any(|source| source.same_place(place)))
        .find(|provider| issuer == Some(&provider.issuer))
        .ok_or_else(|| foreign(providers, place, issuer))?;
    check_type(provider, &jws.header)?;
    jws.verify(&provider.algorithms, &provider.keys)?;
    claims::check(provider, &claims, around.now_ns)?;
    binding::check(provider, place, token, &claims, around)?;
    let mut identity_headers = claims::headers(provider, &claims)?;
    if let Some(name) = &provider.payload_header {
        identity_headers.push((name.as_str(), URL_SAFE_NO_PAD.encode(&jws.payload)));
    }
    Ok(VerifiedJwt {
        provider: &provider.name,
        header: jws.header,
        claims,
        place,
        keep: provider.keep,
        has_proof: provider.binding.dpop.is_some(),
        identity_headers,
    })
}

fn foreign(providers: &[Provider], place: &Source, issuer: Option<&str>) -> Fault {
    let looking = providers
        .iter()
        .filter(|provider| provider.from.iter().any(|source| source.same_place(place)));
    let expected: Vec<&str> = looking.map(|provider| provider.issuer.as_str()).collect();
    let found = issuer.map_or("no text".into(), quoted);
    let why = format!("its `iss` is {found}, expected {}", expected.join(" or "));
    Fault::new(Reason::JwtIssuer, why)
}

fn check_type(provider: &Provider, header: &Map<String, Value>) -> Result<(), Fault> {
    let Some(wanted) = &provider.typ else {
        return Ok(());
    };
    let typ = header.get("typ").and_then(Value::as_str);
    if typ.map(media_type).as_ref() == Some(wanted) {
        return Ok(());
    }
    let found = typ.map_or("absent".into(), quoted);
    let why = format!("its `typ` is {found}, expected `{wanted}`");
    Err(Fault::new(Reason::JwtType, why))
}
