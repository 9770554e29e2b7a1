//! Whose a token is, as its signature or its server says.

use super::{
    Against, Jws, Token,
    fault::{Fault, quoted},
};
use crate::{
    config::{
        jwt::{Proof, Provider, media_type},
        source::Source,
    },
    crypto, json,
    remote::{Digest, Want, Word},
    words::Reason,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The provider, and what the token says. Nothing of that has been checked yet.
pub fn prove<'c>(
    against: &Against<'c>,
    place: &Source,
    text: &str,
    wants: &mut Vec<Want>,
) -> Result<(&'c Provider, Arc<Token>), Fault> {
    let digest = crypto::sha256(text.as_bytes());
    let recalled = against
        .knowledge
        .recall(&digest, against.providers, against.now_ns);
    if let Some((index, token)) = recalled {
        let provider = against.providers.get(index);
        return match provider.filter(|provider| looks_at(provider, place)) {
            Some(provider) => Ok((provider, token)),
            None => Err(foreign(against.providers, place, issuer(&token.claims))),
        };
    }
    let malformed = |why: &str| Fault::new(Reason::JwtMalformed, why);
    let looking = || {
        let all = against.providers.iter().enumerate();
        all.filter(|(_, provider)| looks_at(provider, place))
    };
    let Some(jws) = Jws::parse(text) else {
        let why = "it is not three parts of base64url with a header that is understood";
        let (index, provider) = opaque(text, looking()).ok_or_else(|| malformed(why))?;
        return introspect(against, (index, provider), (digest, text), None, wants);
    };
    let claims = json::parse_object(&jws.payload)
        .ok_or_else(|| malformed("its claims are no JSON object, or name a member twice"))?;
    let (index, provider) = looking()
        .find(|(_, provider)| issuer(&claims) == Some(&provider.issuer))
        .ok_or_else(|| foreign(against.providers, place, issuer(&claims)))?;
    if let Proof::Introspection(_) = provider.proof {
        return introspect(
            against,
            (index, provider),
            (digest, text),
            claims.get("cnf"),
            wants,
        );
    }
    check_type(provider, &jws.header)?;
    let Some(keys) = against.knowledge.keys(index, provider, against.now_ns) else {
        wants.push(Want::Keys { provider: index });
        return Err(unavailable(against, index, Reason::JwksUnavailable));
    };
    against.knowledge.missed();
    let key = jws.verify(&provider.algorithms, &keys.keys, &provider.verifier);
    let key = key.map_err(|fault| {
        let is_new = match fault.reason {
            Reason::JwtKeyUnknown => true,
            // The key that is meant may be one that is not there, where none is named.
            Reason::JwtSignature => !jws.names_one_of(&keys.keys),
            _ => false,
        };
        if !is_new || !provider.proof.is_fetched() {
            return fault;
        }
        wants.push(Want::NewerKeys { provider: index });
        match against.gives_up {
            true => unavailable(against, index, Reason::JwksUnavailable),
            false => fault,
        }
    })?;
    let token = Arc::new(Token::new(provider, jws.header, claims, &jws.payload)?);
    let knowledge = against.knowledge;
    knowledge.remember(digest, text, index, key.fingerprint, &token);
    Ok((provider, token))
}

/// Who is asked about a token that is no JWT: one provider at most looks at a place for such. Where
/// signed ones are looked for too, a text in three parts is one of those, and broken.
fn opaque<'c>(
    text: &str,
    mut looking: impl Iterator<Item = (usize, &'c Provider)> + Clone,
) -> Option<(usize, &'c Provider)> {
    let is_asked = |it: &(usize, &Provider)| matches!(it.1.proof, Proof::Introspection(_));
    let in_parts = text.split('.').count() == 3 && !looking.clone().all(|it| is_asked(&it));
    if in_parts || text.len() > MAX_OPAQUE || !is_b64token(text) {
        return None;
    }
    looking.find(is_asked)
}

/// Nobody's opaque tokens are longer, and each is sent on.
const MAX_OPAQUE: usize = 4096;

/// RFC 6750 section 2.1.
fn is_b64token(text: &str) -> bool {
    let plain = text.trim_end_matches('=');
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !plain.is_empty() && plain.bytes().all(is_of_it)
}

/// RFC 7662 section 2.2. What the answer says of itself is checked as a token's claims are. `cnf` is
/// what the token says, where it is a JWT.
fn introspect<'c>(
    against: &Against<'c>,
    (index, provider): (usize, &'c Provider),
    token: (Digest, &str),
    cnf: Option<&Value>,
    wants: &mut Vec<Want>,
) -> Result<(&'c Provider, Arc<Token>), Fault> {
    let (since, now) = (against.since_ns, against.now_ns);
    let unavailable = || unavailable(against, index, Reason::IntrospectionUnavailable);
    let token = match against.knowledge.introspect(index, token, since, now) {
        Ok(Word::Active(token)) => token,
        Ok(Word::Unfit) => {
            let why = "no policy or header could hold what its server says of it";
            return Err(Fault::new(Reason::JwtMalformed, why));
        }
        Ok(Word::Inactive) => {
            let why = "its server says that it is not active";
            return Err(Fault::new(Reason::TokenInactive, why));
        }
        Ok(Word::Failed) => return Err(unavailable()),
        Err(want) => {
            wants.push(want);
            return Err(unavailable());
        }
    };
    let members = &token.claims;
    let named = members.get("iss");
    if named.is_some_and(|issuer| issuer.as_str() != Some(&provider.issuer)) {
        let why = "its server says that another issued it";
        return Err(Fault::new(Reason::JwtIssuer, why));
    }
    // A server that knows less of the token's binding than the token does not set it free.
    let is_proof = members.get("token_type").and_then(Value::as_str);
    let is_proof = is_proof.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"));
    if (cnf.is_some() && cnf != members.get("cnf")) || (is_proof && !members.contains_key("cnf")) {
        let why = "it is bound, and its server does not say to what (`cnf`)";
        return Err(Fault::binding(why));
    }
    Ok((provider, token))
}

fn unavailable(against: &Against<'_>, index: usize, reason: Reason) -> Fault {
    Fault {
        reason,
        detail: against.knowledge.remote().fault(index).map(str::to_owned),
        challenge: None,
    }
}

fn issuer(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("iss").and_then(Value::as_str)
}

fn looks_at(provider: &Provider, place: &Source) -> bool {
    provider.from.iter().any(|source| source.same_place(place))
}

fn foreign(providers: &[Provider], place: &Source, issuer: Option<&str>) -> Fault {
    let looking = providers
        .iter()
        .filter(|provider| looks_at(provider, place));
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
