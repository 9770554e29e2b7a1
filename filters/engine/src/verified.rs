//! What was proven of a request: made of proof values only, so that nothing a client merely
//! claims can stand under `input.verified`.

use crate::credential::{
    Refusal, api_key::VerifiedApiKey, jwt::VerifiedJwt, peer::VerifiedPeer,
    signature::VerifiedSignature,
};
use crate::{
    body::{Judged, digest},
    document::Object,
};
use portcullis_rego::{
    Reach,
    value::{self, Value},
};

/// The facts of one request.
pub struct Verified<'c> {
    pub jwts: Vec<VerifiedJwt<'c>>,
    pub api_key: Option<VerifiedApiKey>,
    pub signatures: Vec<VerifiedSignature<'c>>,
    /// No credential: it changes neither the subject nor the key's id.
    pub peer: Option<VerifiedPeer<'c>>,
    pub body: Option<VerifiedBody>,
}

/// Proof that a body has the digest that its request claims, or that it was signed.
pub struct VerifiedBody {
    digest: Option<String>,
    /// Whether `Content-Digest` says nothing else, which nobody looked at.
    is_all: bool,
    signed: bool,
}

impl VerifiedBody {
    /// `signatures`: those that hold.
    pub fn new(judged: &Judged<'_>, signatures: &[VerifiedSignature<'_>]) -> Option<VerifiedBody> {
        let digest = judged.digest.clone();
        let by_digest =
            |it: &VerifiedSignature<'_>| digest.is_some() && it.covers_field(digest::FIELD);
        let signed = signatures
            .iter()
            .any(|it| it.covers_body() || by_digest(it));
        let is_all = judged.is_all;
        (signed || digest.is_some()).then_some(VerifiedBody {
            digest,
            is_all,
            signed,
        })
    }
}

impl VerifiedBody {
    /// Whether it has every digest that its request claims.
    pub fn has_all_digests(&self) -> bool {
        self.digest.is_some() && self.is_all
    }
}

impl Verified<'_> {
    /// A token's `sub`, else an API key's subject, else that of the signatures, where they agree.
    /// Two tokens have one subject, or were refused.
    pub fn subject(&self) -> Option<&str> {
        let by_token = self.jwts.iter().find_map(VerifiedJwt::subject);
        by_token
            .or_else(|| self.api_key.as_ref().map(VerifiedApiKey::subject))
            .or_else(|| agreed(self.signatures.iter().map(VerifiedSignature::subject)))
    }

    /// Whether there is any that could be named.
    pub fn is_any(&self) -> bool {
        !self.jwts.is_empty()
            || self.api_key.is_some()
            || !self.signatures.is_empty()
            || self.peer.is_some()
    }

    /// What the subject may do, as OAuth writes it (RFC 6749 section 3.3): of the same credential.
    pub fn scope(&self) -> Option<String> {
        let by_token = self.jwts.iter().find(|jwt| jwt.subject().is_some());
        match by_token {
            Some(jwt) => jwt.scope().map(str::to_owned),
            None => {
                let scopes = self.api_key.as_ref()?.scopes();
                (!scopes.is_empty()).then(|| scopes.join(" "))
            }
        }
    }

    /// The API key's id, else a token's `kid`, else that of the signatures, where they agree.
    pub fn key_id(&self) -> Option<&str> {
        let by_key = self.api_key.as_ref().map(VerifiedApiKey::id);
        by_key
            .or_else(|| self.jwts.iter().find_map(VerifiedJwt::key_id))
            .or_else(|| agreed(self.signatures.iter().map(VerifiedSignature::key_id)))
    }

    /// `input.verified`, as far as it is looked at.
    pub fn to_value(&self, reach: &Reach) -> Value {
        let mut facts = Object::within(reach);
        let is_signed = |jwt: &&VerifiedJwt<'_>| !jwt.is_introspected();
        let signed = || self.jwts.iter().filter(is_signed);
        let (first, second) = (signed().next(), signed().nth(1));
        if let (Some(jwt), None) = (first, second) {
            facts.part("jwt", |reach| {
                let mut parts = parts_of_jwt(jwt, reach);
                parts.put("provider", value::string(jwt.provider()));
                Some(parts.into())
            });
        }
        facts.part("jwts", |reach| {
            first?;
            let mut jwts = Object::within(reach);
            for jwt in signed() {
                jwts.part(jwt.provider(), |reach| {
                    Some(parts_of_jwt(jwt, reach).into())
                });
            }
            Some(jwts.into())
        });
        let mut introspected = self.jwts.iter().filter(|jwt| jwt.is_introspected());
        if let (Some(token), None) = (introspected.next(), introspected.next()) {
            facts.part("token", |reach| {
                let mut parts = Object::within(reach);
                parts.put("provider", value::string(token.provider()));
                parts.put("claims", token.claims().clone());
                Some(parts.into())
            });
        }
        facts.part("api_key", |reach| {
            let key = self.api_key.as_ref()?;
            let mut parts = Object::within(reach);
            parts.put("id", value::string(key.id()));
            parts.put("subject", value::string(key.subject()));
            parts.part("scopes", |_| {
                let scopes = key.scopes().iter().map(|scope| value::string(scope));
                Some(value::array(scopes))
            });
            Some(parts.into())
        });
        if let [signature] = self.signatures.as_slice() {
            facts.part("signature", |reach| {
                let mut parts = parts_of_signature(signature, reach);
                parts.put("label", value::string(signature.label()));
                Some(parts.into())
            });
        }
        facts.part("signatures", |reach| {
            self.signatures.first()?;
            let mut signatures = Object::within(reach);
            for it in &self.signatures {
                signatures.part(it.label(), |reach| {
                    Some(parts_of_signature(it, reach).into())
                });
            }
            Some(signatures.into())
        });
        facts.part("body", |reach| {
            let body = self.body.as_ref()?;
            let mut parts = Object::within(reach);
            parts.some("digest", body.digest.as_deref().map(value::string));
            parts.put("signed", Value::Bool(body.signed));
            Some(parts.into())
        });
        facts.part("peer", |reach| {
            let peer = self.peer.as_ref()?;
            let mut known = Object::within(reach);
            for (name, text) in [
                ("spiffe_id", peer.spiffe_id()),
                ("uri_san", peer.uri_san()),
                ("dns_san", peer.dns_san()),
                ("subject", peer.subject()),
                ("fingerprint", peer.fingerprint()),
            ] {
                known.some(name, text.map(value::string));
            }
            Some(known.into())
        });
        facts.into()
    }
}

fn parts_of_jwt<'r>(jwt: &VerifiedJwt<'_>, reach: &'r Reach) -> Object<'r> {
    let mut parts = Object::within(reach);
    parts.put("header", jwt.header().clone());
    parts.put("claims", jwt.claims().clone());
    parts
}

fn parts_of_signature<'r>(signature: &VerifiedSignature<'_>, reach: &'r Reach) -> Object<'r> {
    let mut parts = Object::within(reach);
    parts.put("key_id", value::string(signature.key_id()));
    parts.put("subject", value::string(signature.subject()));
    parts.put("algorithm", value::string(signature.algorithm()));
    parts.part("components", |_| {
        Some(value::array(signature.components().map(value::string)))
    });
    parts.some("created", signature.created().map(Value::from));
    parts
}

/// What all say alike; `None` where they differ, or where there is none.
fn agreed<'t>(mut all: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// `input.refused`.
pub fn refused_to_value(refused: &[Refusal]) -> Value {
    value::array(refused.iter().map(|refusal| {
        value::object([
            (value::string("check"), value::string(refusal.check)),
            (
                value::string("reason"),
                value::string(refusal.reason.code()),
            ),
        ])
    }))
}
