//! What was proven of a request: made of proof values only, so that nothing a client merely
//! claims can stand under `input.verified`.

use crate::credential::{
    Refusal, api_key::VerifiedApiKey, jwt::VerifiedJwt, peer::VerifiedPeer,
    signature::VerifiedSignature,
};
use portcullis_rego::value::{self, Value};

/// The facts of one request.
pub struct Verified<'c> {
    pub jwts: Vec<VerifiedJwt<'c>>,
    pub api_key: Option<VerifiedApiKey>,
    pub signatures: Vec<VerifiedSignature<'c>>,
    /// No credential: it changes neither the subject nor the key's id.
    pub peer: Option<VerifiedPeer<'c>>,
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

    /// The API key's id, else a token's `kid`, else that of the signatures, where they agree.
    pub fn key_id(&self) -> Option<&str> {
        let by_key = self.api_key.as_ref().map(VerifiedApiKey::id);
        by_key
            .or_else(|| self.jwts.iter().find_map(VerifiedJwt::key_id))
            .or_else(|| agreed(self.signatures.iter().map(VerifiedSignature::key_id)))
    }

    /// `input.verified`.
    pub fn to_value(&self) -> Value {
        let mut facts = Vec::new();
        let (introspected, signed): (Vec<_>, Vec<_>) =
            self.jwts.iter().partition(|jwt| jwt.is_introspected());
        let mut jwts = Vec::new();
        for jwt in &signed {
            let parts = [
                (value::string("header"), jwt.header().clone()),
                (value::string("claims"), jwt.claims().clone()),
            ];
            if signed.len() == 1 {
                let provider = (value::string("provider"), value::string(jwt.provider()));
                facts.push((
                    value::string("jwt"),
                    value::object(parts.clone().into_iter().chain([provider])),
                ));
            }
            jwts.push((value::string(jwt.provider()), value::object(parts)));
        }
        if let [token] = introspected.as_slice() {
            facts.push((
                value::string("token"),
                value::object([
                    (value::string("provider"), value::string(token.provider())),
                    (value::string("claims"), token.claims().clone()),
                ]),
            ));
        }
        if !jwts.is_empty() {
            facts.push((value::string("jwts"), value::object(jwts)));
        }
        if let Some(key) = &self.api_key {
            let scopes = key.scopes().iter().map(|scope| value::string(scope));
            facts.push((
                value::string("api_key"),
                value::object([
                    (value::string("id"), value::string(key.id())),
                    (value::string("subject"), value::string(key.subject())),
                    (value::string("scopes"), value::array(scopes)),
                ]),
            ));
        }
        let mut signatures = Vec::new();
        for signature in &self.signatures {
            let parts = parts_of(signature);
            if self.signatures.len() == 1 {
                let label = (value::string("label"), value::string(signature.label()));
                facts.push((
                    value::string("signature"),
                    value::object(parts.clone().into_iter().chain([label])),
                ));
            }
            signatures.push((value::string(signature.label()), value::object(parts)));
        }
        if !signatures.is_empty() {
            facts.push((value::string("signatures"), value::object(signatures)));
        }
        if let Some(peer) = &self.peer {
            let known = [
                ("spiffe_id", peer.spiffe_id()),
                ("uri_san", peer.uri_san()),
                ("dns_san", peer.dns_san()),
                ("subject", peer.subject()),
                ("fingerprint", peer.fingerprint()),
            ];
            let known = known
                .into_iter()
                .filter_map(|(name, text)| Some((value::string(name), value::string(text?))));
            facts.push((value::string("peer"), value::object(known)));
        }
        value::object(facts)
    }
}

fn parts_of(signature: &VerifiedSignature<'_>) -> [(Value, Value); 5] {
    let components = signature.components().map(value::string);
    [
        (value::string("key_id"), value::string(signature.key_id())),
        (value::string("subject"), value::string(signature.subject())),
        (
            value::string("algorithm"),
            value::string(signature.algorithm()),
        ),
        (value::string("components"), value::array(components)),
        (value::string("created"), Value::from(signature.created())),
    ]
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
