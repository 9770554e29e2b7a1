//! What became of each credential of a request, for those who ask afterwards why it was refused. No
//! decision depends on it.

use crate::{
    config::peer::Trust,
    credential::{Refusal, api_key, jwt, peer, signature},
    gate::{Gate, Moment},
    hygiene,
    message_signature::Message,
    request::Request,
    route,
    words::{Reason, check},
};

/// A credential that the configuration looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// One of [`check`], or `peer`.
    pub check: &'static str,
    pub outcome: CredentialOutcome,
}

/// What became of it. No secret, and no value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialOutcome {
    /// The request shows none.
    Missing,
    Verified {
        /// The token's provider, the API key's id, or the id of the key that signed.
        by: String,
        subject: Option<String>,
    },
    Refused {
        reason: Reason,
        detail: Option<String>,
    },
}

impl Gate {
    /// What became of the credentials that the configuration looks for, in the order in which they
    /// are looked for. Empty where the request is refused before, or its route has no gate.
    pub fn credentials(&self, request: &Request<'_>, moment: &Moment<'_>) -> Vec<Credential> {
        let config = self.config();
        let Ok(headers) = hygiene::check(&config.headers, request) else {
            return Vec::new();
        };
        let Ok(settings) = route::settings(config, &headers, &request.attributes) else {
            return Vec::new();
        };
        if settings.off {
            return Vec::new();
        }
        let now_ns = moment.now_ns;
        let pass = self.pass(request, moment, now_ns);
        let mut found = Vec::new();
        if !config.providers.is_empty() {
            let against = jwt::Against {
                attributes: &request.attributes,
                providers: &config.providers,
                knowledge: self.knowledge(),
                since_ns: now_ns,
                now_ns,
                gives_up: false,
            };
            let outcomes = match jwt::verify(&against, &headers, &mut Vec::new()) {
                Err(reason) => vec![refused(reason)],
                Ok(tokens) => tokens
                    .into_iter()
                    .map(|token| match token {
                        Ok(token) => verified(token.provider(), token.subject()),
                        Err(refusal) => refusal.into(),
                    })
                    .collect(),
            };
            add(&mut found, check::JWT, outcomes);
        }
        if let Some(keys) = &config.api_keys {
            let outcomes = match api_key::verify(keys, &pass.active.keys, now_ns, &headers) {
                Err(reason) => vec![refused(reason)],
                Ok(key) => key
                    .into_iter()
                    .map(|key| match key {
                        Ok(key) => verified(key.id(), Some(key.subject())),
                        Err(refusal) => refusal.into(),
                    })
                    .collect(),
            };
            add(&mut found, check::API_KEY, outcomes);
        }
        if let Some(signatures) = &config.signatures {
            let outcomes = match Message::new(request.headers, request.attributes.scheme) {
                None => vec![refused(Reason::HeadersInvalid)],
                Some(message) => {
                    let (required, ends) = (&settings.components, settings.signatures.deny_invalid);
                    signature::verify(signatures, required, ends, now_ns, &message)
                        .into_iter()
                        .chain(
                            pass.webhooks(settings)
                                .into_iter()
                                .map(|(_, judged)| judged),
                        )
                        .map(|signature| match signature {
                            Ok(it) => verified(it.key_id(), Some(it.subject())),
                            Err(refusal) => refusal.into(),
                        })
                        .collect()
                }
            };
            add(&mut found, check::SIGNATURE, outcomes);
        }
        if config.peer != Trust::None {
            let peer = peer::verify(config.peer, &request.attributes);
            let outcomes = peer.map(|peer| {
                let by = peer.spiffe_id().or(peer.uri_san()).or(peer.dns_san());
                verified(by.or(peer.subject()).unwrap_or("a certificate"), None)
            });
            add(&mut found, "peer", outcomes.into_iter().collect());
        }
        found
    }
}

fn add(found: &mut Vec<Credential>, check: &'static str, outcomes: Vec<CredentialOutcome>) {
    if outcomes.is_empty() {
        found.push(Credential {
            check,
            outcome: CredentialOutcome::Missing,
        });
    }
    let credential = |outcome| Credential { check, outcome };
    found.extend(outcomes.into_iter().map(credential));
}

fn verified(by: &str, subject: Option<&str>) -> CredentialOutcome {
    CredentialOutcome::Verified {
        by: by.to_owned(),
        subject: subject.map(str::to_owned),
    }
}

fn refused(reason: Reason) -> CredentialOutcome {
    CredentialOutcome::Refused {
        reason,
        detail: None,
    }
}

impl From<Refusal> for CredentialOutcome {
    fn from(refusal: Refusal) -> CredentialOutcome {
        CredentialOutcome::Refused {
            reason: refusal.reason,
            detail: refusal.detail,
        }
    }
}
