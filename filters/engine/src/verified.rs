//! What was proven of a request: made of proof values only, so that nothing a client merely
//! claims can stand under `input.verified`.

use crate::credential::{Refusal, api_key::VerifiedApiKey, jwt::VerifiedJwt};
use portcullis_rego::value::{self, Value, ValueError};

/// The facts of one request.
pub struct Verified<'c> {
    pub jwts: Vec<VerifiedJwt<'c>>,
    pub api_key: Option<VerifiedApiKey>,
}

impl Verified<'_> {
    /// A token's `sub`, else an API key's subject. Two tokens have one subject, or were refused.
    pub fn subject(&self) -> Option<&str> {
        let by_token = self.jwts.iter().find_map(VerifiedJwt::subject);
        by_token.or_else(|| self.api_key.as_ref().map(VerifiedApiKey::subject))
    }

    /// The API key's id, else a token's `kid`.
    pub fn key_id(&self) -> Option<&str> {
        let by_key = self.api_key.as_ref().map(VerifiedApiKey::id);
        by_key.or_else(|| self.jwts.iter().find_map(VerifiedJwt::key_id))
    }

    /// `input.verified`.
    ///
    /// # Errors
    /// A claim that Rego cannot hold exactly.
    pub fn to_value(&self) -> Result<Value, ValueError> {
        let mut facts = Vec::new();
        let mut jwts = Vec::new();
        for jwt in &self.jwts {
            let header = value::from_json(&jwt.header().clone().into())?;
            let claims = value::from_json(&jwt.claims().clone().into())?;
            let parts = [
                (value::string("header"), header),
                (value::string("claims"), claims),
            ];
            if self.jwts.len() == 1 {
                let provider = (value::string("provider"), value::string(jwt.provider()));
                facts.push((
                    value::string("jwt"),
                    value::object(parts.clone().into_iter().chain([provider])),
                ));
            }
            jwts.push((value::string(jwt.provider()), value::object(parts)));
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
        Ok(value::object(facts))
    }
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
