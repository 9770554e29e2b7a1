//! What the upstream is told of a request that goes on: who was verified, and proof that it was this
//! gate that let it through. The proof is made last, over what the upstream gets.

pub mod identity;
pub mod jwks;
pub mod sign;
mod wristband;

use crate::{
    config::upstream::Upstream,
    headers::Headers,
    pass::Pass,
    verified::{Verified, VerifiedBody},
    words::Reason,
};
use serde_json::{Map, Value as Json};

/// Why the upstream cannot be told, which ends the request; the detail is for logs.
pub type Failure = (Reason, String);

/// What was verified of a request, as far as the proof needs it once the policy has agreed.
pub struct Proof {
    /// The wristband's claims but for its times; `None` where nothing was verified that could stand in
    /// one, or none is configured.
    claims: Option<Map<String, Json>>,
    /// Whether the body has the digest that the request says.
    has_checked_digest: bool,
    wrote: bool,
}

impl Proof {
    /// Writes the identity headers. A fact that is not there writes nothing.
    ///
    /// # Errors
    /// A fact that no header can hold.
    pub fn new(
        config: &Upstream,
        verified: &Verified<'_>,
        headers: &mut Headers<'_>,
    ) -> Result<Proof, Failure> {
        let claimed = config.wristband.as_ref().filter(|_| verified.is_any());
        let is_looked_at = !config.headers.is_empty() || claimed.is_some();
        let facts = is_looked_at.then(|| verified.to_value(&config.reach));
        let fact = |path: &[String]| identity::fact(facts.as_ref()?, path);
        let mut wrote = false;
        for own in &config.headers {
            let Some(found) = fact(&own.path) else {
                continue;
            };
            let value = identity::header_value(&found).ok_or_else(|| {
                let why = format!("the fact for `{}` holds what no header may", own.header);
                (Reason::RequestMalformed, why)
            })?;
            headers.append(&own.header, value);
            wrote = true;
        }
        Ok(Proof {
            claims: claimed.map(|band| wristband::claims(band, verified, fact)),
            has_checked_digest: verified
                .body
                .as_ref()
                .is_some_and(VerifiedBody::has_all_digests),
            wrote,
        })
    }

    /// Whether the upstream gets a header of it.
    pub fn writes(&self) -> bool {
        self.wrote
    }

    /// Shows it: the wristband first, which the signature covers.
    ///
    /// # Errors
    /// What cannot be signed.
    pub fn show(&self, pass: &Pass<'_>, headers: &mut Headers<'_>) -> Result<(), Failure> {
        let upstream = &pass.config.upstream;
        if let Some(band) = &upstream.wristband {
            match &self.claims {
                Some(claims) => {
                    let token = wristband::mint(band, claims, pass.moment)?;
                    headers.replace(&band.header, vec![token]);
                }
                // Nobody's word but the gate's stands there.
                None => headers.remove(&band.header),
            }
        }
        if let Some(own) = &upstream.sign {
            sign::sign(own, pass, self.has_checked_digest, headers)?;
        }
        let wrote = upstream.sign.is_some() || self.claims.is_some();
        if wrote && headers.bytes() > pass.config.headers.max_bytes {
            let why = "with the gate's own proof the headers are longer than `headers.max_bytes`";
            return Err((Reason::HeadersTooLarge, why.into()));
        }
        Ok(())
    }
}
