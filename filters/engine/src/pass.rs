//! One request on its way through the gate: everything before the policy is asked. The order of the
//! checks is the order of this file.

use crate::{
    config::{Config, routes::Settings},
    credential::{Refusal, api_key, jwt},
    decision::{Allow, Decision, Effect, HeaderEdit, Record},
    gate::Moment,
    headers::Headers,
    hygiene,
    input::{self, InputError},
    refusal::{self, Client},
    request::Request,
    route,
    verified::Verified,
    words::Reason,
};
use portcullis_rego::Value;

/// One request on its way through the gate.
pub struct Pass<'p> {
    pub config: &'p Config,
    pub request: &'p Request<'p>,
    pub moment: &'p Moment<'p>,
}

/// What is left to ask once credentials were verified.
pub struct Question<'p> {
    pub settings: &'p Settings,
    /// What the upstream would get, were the answer yes.
    pub headers: Headers<'p>,
    pub input: Value,
    pub subject: Option<String>,
    pub key_id: Option<String>,
}

pub enum Asked<'p> {
    /// A route without a gate.
    Off(Headers<'p>),
    Policy(Question<'p>),
}

impl<'p> Pass<'p> {
    /// Hygiene, route, credentials, input: everything before the policy.
    pub fn asked(&self) -> Result<Asked<'p>, Box<Decision>> {
        let config = self.config;
        let refuse = |reason| Box::new(self.refuse(self.record(reason)));
        let mut headers = hygiene::check(&config.headers, self.request).map_err(refuse)?;
        let settings = route::settings(config, &headers, &self.request.attributes)
            .map_err(|route::Ambiguous| refuse(Reason::RequestMalformed))?;
        headers.remove_where(|name| config.is_reserved(name));
        if settings.off {
            self.remove_configured(&mut headers);
            // A change of headers makes the proxy choose its route again: a client could have sent
            // one only to be taken for an open route's and land on another.
            if settings.by_proxy_name && headers.is_touched() {
                return Err(refuse(Reason::RequestMalformed));
            }
            return Ok(Asked::Off(headers));
        }
        let (verified, refused) = self.credentials(settings, &mut headers).map_err(refuse)?;
        self.remove_configured(&mut headers);
        let input = input::build(&input::Parts {
            headers: &headers,
            attributes: &self.request.attributes,
            context_extensions: &settings.context_extensions,
            verified: &verified,
            refused: &refused,
            now_ns: self.moment.now_ns,
        })
        .map_err(|error| {
            refuse(match error {
                InputError::Path => Reason::RequestMalformed,
                InputError::Claims => Reason::JwtMalformed,
            })
        })?;
        self.forward(&verified, &mut headers).map_err(refuse)?;
        Ok(Asked::Policy(Question {
            settings,
            headers,
            input,
            subject: verified.subject().map(str::to_owned),
            key_id: verified.key_id().map(str::to_owned),
        }))
    }

    /// Verifies what the request shows. A refused credential is gone from the headers when this
    /// returns, so that no policy and no upstream takes it for good.
    fn credentials(
        &self,
        settings: &Settings,
        headers: &mut Headers<'p>,
    ) -> Result<(Verified<'p>, Vec<Refusal>), Reason> {
        let config = self.config;
        let now_ns = self.moment.now_ns;
        let mut refused = Vec::new();

        let tokens = jwt::verify(&config.providers, now_ns, headers)?;
        let keys = match &config.api_keys {
            Some(keys) => api_key::verify(keys, now_ns, headers)?,
            None => None,
        };

        if tokens.is_empty() && settings.jwt.deny_missing {
            return Err(Reason::JwtMissing);
        }
        let mut jwts = Vec::new();
        for token in tokens {
            match token {
                Ok(jwt) => jwts.push(jwt),
                Err(refusal) if settings.jwt.deny_invalid => return Err(refusal.reason),
                Err(refusal) => {
                    jwt::strip_all(&config.providers, &[], headers);
                    refused.push(refusal);
                }
            }
        }

        if keys.is_none() && settings.api_keys.deny_missing {
            return Err(Reason::ApiKeyMissing);
        }
        let api_key = match keys.transpose() {
            Ok(key) => key,
            Err(refusal) if settings.api_keys.deny_invalid => return Err(refusal.reason),
            Err(refusal) => {
                if let Some(keys) = &config.api_keys {
                    api_key::strip_all(keys, headers);
                }
                refused.push(refusal);
                None
            }
        };
        Ok((Verified { jwts, api_key }, refused))
    }

    fn remove_configured(&self, headers: &mut Headers<'p>) {
        let remove = &self.config.headers.remove;
        headers.remove_where(|name| remove.iter().any(|pattern| pattern.matches(name)));
    }

    /// What the upstream gets of the credentials: claims as headers, and the credentials
    /// themselves only where they are to be kept.
    fn forward(&self, verified: &Verified<'_>, headers: &mut Headers<'p>) -> Result<(), Reason> {
        let config = self.config;
        jwt::strip_all(&config.providers, &verified.jwts, headers);
        if let Some(keys) = config.api_keys.as_ref().filter(|keys| !keys.keep) {
            api_key::strip_all(keys, headers);
        }
        for (name, value) in verified
            .jwts
            .iter()
            .flat_map(jwt::VerifiedJwt::claim_headers)
        {
            match headers.first(name) {
                None => headers.append(name, value.to_owned()),
                Some(same) if same == value => {}
                // Two tokens that say different things under one name.
                Some(_) => return Err(Reason::RequestMalformed),
            }
        }
        Ok(())
    }

    pub fn allow(
        &self,
        headers: &Headers<'_>,
        mut response: Vec<HeaderEdit>,
        record: Record,
    ) -> Decision {
        if let Some(name) = &self.config.reason_header {
            response.push(HeaderEdit::Set(
                name.clone(),
                record.reason.code().to_owned(),
            ));
        }
        Decision {
            effect: Effect::Allow(Allow {
                request: headers.edits(self.request),
                response,
            }),
            record,
        }
    }

    pub fn refuse(&self, record: Record) -> Decision {
        Decision {
            effect: Effect::Deny(refusal::of_reason(
                self.config,
                self.client(),
                record.reason,
                self.moment.decision_id,
            )),
            record,
        }
    }

    pub fn client(&self) -> Client {
        Client::of(self.request.first("content-type"))
    }

    pub fn record(&self, reason: Reason) -> Record {
        Record::new(self.moment.decision_id, reason)
    }
}
