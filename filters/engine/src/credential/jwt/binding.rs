//! Whether a token is in its holder's hands (RFC 7800): what it is bound to by `cnf` must be what the
//! connection or the request shows. It is asked on every request, however well a token is known.

use super::{
    dpop::{self, Target, Terms},
    fault::{Challenge, Fault},
};
use crate::{
    config::{jwt::Provider, source::Source},
    crypto::constant_time_eq,
    headers::Headers,
    replay::Claim,
    request::Attributes,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// What stands around a token: what its holder shows with it.
#[derive(Clone, Copy)]
pub struct Around<'r> {
    pub headers: &'r Headers<'r>,
    pub attributes: &'r Attributes<'r>,
    /// Nanoseconds since the Unix epoch.
    pub now_ns: u64,
}

/// A thumbprint of a certificate (RFC 8705 section 3.1), and of a JWK (RFC 9449 section 6.1).
const CERTIFICATE: &str = "x5t#S256";
const KEY: &str = "jkt";

/// What its proof is remembered by, where it needs one.
pub fn check(
    provider: &Provider,
    place: &Source,
    token: &str,
    claims: &Map<String, Value>,
    around: Around<'_>,
) -> Result<Option<Claim>, Fault> {
    let binding = &provider.binding;
    if binding.ignore {
        return Ok(None);
    }
    if !binding.mtls && binding.dpop.is_none() {
        return match claims.contains_key("cnf") {
            true => Err(Fault::binding(
                "it is bound (`cnf`), and its provider has no `bind`",
            )),
            false => Ok(None),
        };
    }
    // Members that are not known are ignored (RFC 7800 section 3.1). These are known, so a token is
    // not taken on half of what it is bound to.
    for (member, is_checked, word) in [
        (CERTIFICATE, binding.mtls, "mtls"),
        (KEY, binding.dpop.is_some(), "dpop"),
    ] {
        if !is_checked && confirmation(claims, member).is_some() {
            return Err(Fault::binding(format!(
                "its `cnf` has `{member}`, and `bind` lacks `{word}`"
            )));
        }
    }
    if binding.mtls {
        certificate(claims, around.attributes).map_err(Fault::binding)?;
    }
    let Some(dpop) = &binding.dpop else {
        return Ok(None);
    };
    // A downgrade: a server that takes both must refuse it (RFC 9449 section 7.2).
    if place.is_scheme("bearer") {
        let fault =
            Fault::binding("its provider wants a proof (`bind: [dpop]`), and it came as `Bearer`");
        return Err(fault.told(Challenge::Token));
    }
    let bound =
        thumbprint(claims, KEY).map_err(|why| Fault::binding(why).told(Challenge::Token))?;
    let target = Target {
        method: around.headers.first(":method").unwrap_or(""),
        scheme: around.headers.first(":scheme").or(around.attributes.scheme),
        authority: around.headers.authority(),
        path: around.headers.first(":path").unwrap_or(""),
    };
    let mut proofs = around.headers.values(crate::config::jwt::DPOP);
    let proof = match (proofs.next(), proofs.next()) {
        (Some(proof), None) => proof,
        // Section 4.3: not more than one.
        (Some(_), Some(_)) => {
            return Err(Fault::binding("there are several `DPoP` headers").told(Challenge::Proof));
        }
        (None, _) => {
            let challenge = match &dpop.nonce {
                Some(nonce) => Challenge::Nonce(nonce.current(around.now_ns)),
                None => Challenge::Proof,
            };
            return Err(Fault::binding("there is no `DPoP` header").told(challenge));
        }
    };
    let terms = Terms {
        config: dpop,
        leeway: provider.leeway,
        verifier: &provider.verifier,
    };
    let proof = dpop::verify(&terms, proof, token, &bound, &target, around.now_ns)?;
    let subject = claims.get("sub").and_then(Value::as_str);
    Ok(Some(Claim::proof(
        &dpop.space,
        &bound,
        subject,
        &proof.jti,
        proof.until_ns,
    )))
}

/// That the peer holds the certificate's key is proven by TLS itself, whoever issued the certificate;
/// and whose token it may be the issuer has said. So nobody's trust in the certificate is needed, and a
/// self-signed one will do (RFC 8705 section 6.2): `peer.trust` has no say here.
fn certificate(claims: &Map<String, Value>, attributes: &Attributes<'_>) -> Result<(), String> {
    let bound = thumbprint(claims, CERTIFICATE)?;
    let shown = attributes
        .peer
        .and_then(|peer| peer.sha256)
        .filter(|digest| !digest.is_empty())
        .ok_or("the connection's peer showed no certificate")?;
    let mut digest = [0; 32];
    match base16ct::mixed::decode(shown, &mut digest) {
        Ok(decoded) if decoded.len() == 32 => {}
        _ => return Err("the proxy tells no SHA-256 of the peer's certificate".into()),
    }
    match constant_time_eq(&bound, &digest) {
        true => Ok(()),
        false => Err("the connection's peer showed another certificate".into()),
    }
}

fn confirmation<'c>(claims: &'c Map<String, Value>, member: &str) -> Option<&'c Value> {
    claims.get("cnf")?.as_object()?.get(member)
}

/// A SHA-256 in base64url, as both kinds of `cnf` have it.
fn thumbprint(claims: &Map<String, Value>, member: &str) -> Result<[u8; 32], String> {
    let text = confirmation(claims, member)
        .ok_or_else(|| format!("it is not bound: its `cnf` has no `{member}`"))?;
    text.as_str()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| format!("its `cnf` has a `{member}` that is no SHA-256 in base64url"))
}
