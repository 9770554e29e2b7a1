//! The gate: a configuration that was checked and compiled once, and decides every request. The
//! order of the checks is the order of this file.

use crate::{
    answer::{self, Answer},
    config::{Config, routes::Settings},
    credential::{Refusal, api_key, jwt},
    decision::{Allow, Decision, Deny, Effect, HeaderEdit, Record},
    error::{LoadError, LoadErrors},
    fields,
    headers::Headers,
    hygiene,
    input::{self, InputError},
    query,
    refusal::{self, Client},
    request::Request,
    route,
    verified::Verified,
    words::Reason,
};
use portcullis_rego::{EvalError, Policy, Value};

/// Where secrets come from: the environment of the proxy or of the command.
pub trait Secrets {
    /// The value of an environment variable, if it is set.
    fn secret(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Secrets for F {
    fn secret(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The instant of a decision and its name. The engine has neither clock nor randomness.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Nanoseconds since the Unix epoch.
    pub now_ns: u64,
    /// Unique to the decision: a UUID.
    pub decision_id: &'a str,
}

pub struct Gate {
    config: Config,
    policy: Policy,
}

impl Gate {
    /// Reads `gate.yaml` in its JSON form, where `policy.path` has become modules and data.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the path of its field.
    pub fn load(document: &[u8], secrets: &dyn Secrets) -> Result<Gate, LoadErrors> {
        let config = Config::parse(document, secrets)?;
        let policy = Policy::load(config.sources.clone(), &config.entrypoints())
            .map_err(|errors| LoadErrors::all(errors.into_iter().map(LoadError::Rego)))?;
        Ok(Gate { config, policy })
    }

    /// Decides. Total: whatever the request holds, there is an answer.
    pub fn decide(&self, request: &Request<'_>, moment: &Moment<'_>) -> Decision {
        let pass = Pass {
            gate: self,
            request,
            moment,
        };
        match pass.asked() {
            Ok(Asked::Off(headers)) => pass.allow(
                Reason::GateOff,
                &headers,
                Vec::new(),
                pass.record(Reason::GateOff),
            ),
            Ok(Asked::Policy(question)) => pass.enforce(question),
            Err(ended) => *ended,
        }
    }

    /// The document the policy would be asked about.
    ///
    /// # Errors
    /// The decision that ends the request before the policy is asked.
    pub fn input(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
    ) -> Result<serde_json::Value, Box<Decision>> {
        let pass = Pass {
            gate: self,
            request,
            moment,
        };
        match pass.asked()? {
            Asked::Policy(question) => Ok(portcullis_rego::value::to_json(&question.input)),
            Asked::Off(headers) => {
                let record = pass.record(Reason::GateOff);
                Err(Box::new(pass.allow(
                    Reason::GateOff,
                    &headers,
                    Vec::new(),
                    record,
                )))
            }
        }
    }
}

/// One request on its way through the gate.
struct Pass<'p> {
    gate: &'p Gate,
    request: &'p Request<'p>,
    moment: &'p Moment<'p>,
}

/// What is left to ask once credentials were verified.
struct Question<'p> {
    settings: &'p Settings,
    /// What the upstream would get, were the answer yes.
    headers: Headers<'p>,
    input: Value,
    subject: Option<String>,
    key_id: Option<String>,
}

enum Asked<'p> {
    /// A route without a gate.
    Off(Headers<'p>),
    Policy(Question<'p>),
}

impl<'p> Pass<'p> {
    /// Hygiene, route, credentials, input: everything before the policy.
    fn asked(&self) -> Result<Asked<'p>, Box<Decision>> {
        let config = &self.gate.config;
        let refuse = |reason| Box::new(self.refuse(reason, self.record(reason)));
        let mut headers = hygiene::check(&config.headers, self.request).map_err(refuse)?;
        let settings = route::settings(config, &headers, &self.request.attributes)
            .map_err(|route::AmbiguousPath| refuse(Reason::RequestMalformed))?;
        // Identity that only the gate may state: gone on every route, open ones included.
        headers.remove_where(|name| {
            config
                .claim_headers()
                .any(|own| fields::is_twin(&own.header, name))
        });
        if settings.off {
            self.remove_configured(&mut headers);
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
        let config = &self.gate.config;
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
                    jwt::strip_all(&config.providers, true, headers);
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
        let remove = &self.gate.config.headers.remove;
        headers.remove_where(|name| remove.iter().any(|pattern| pattern.matches(name)));
    }

    /// What the upstream gets of the credentials: claims as headers, and the credentials
    /// themselves only where they are to be kept.
    fn forward(&self, verified: &Verified<'_>, headers: &mut Headers<'p>) -> Result<(), Reason> {
        let config = &self.gate.config;
        jwt::strip_all(&config.providers, false, headers);
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

    fn enforce(&self, question: Question<'p>) -> Decision {
        let config = &self.gate.config;
        let rule = &question.settings.entrypoint;
        let result = self.gate.policy.evaluate(
            rule,
            question.input,
            &portcullis_rego::Moment {
                now_ns: self.moment.now_ns,
                instructions: config.instructions,
            },
        );
        let record = |reason| Record {
            rule: Some(rule.to_string()),
            subject: question.subject.clone(),
            key_id: question.key_id.clone(),
            ..self.record(reason)
        };
        let failed = |reason, detail: Option<String>| {
            self.refuse(
                reason,
                Record {
                    detail,
                    ..record(reason)
                },
            )
        };
        let result = match result {
            Ok(Some(result)) => result,
            Ok(None) => return failed(Reason::PolicyUndefined, None),
            Err(EvalError::Budget) => return failed(Reason::PolicyBudget, None),
            Err(error) => return failed(Reason::PolicyError, Some(error.to_string())),
        };
        match answer::read(&result, &config.headers) {
            Err(fault) => failed(Reason::PolicyError, Some(fault)),
            Ok(Answer::Allow {
                headers: set,
                remove_headers,
                response_headers,
                set_query,
                remove_query,
                note,
            }) => {
                let mut headers = question.headers.clone();
                for (name, values) in &set {
                    headers.remove(name);
                    for value in values {
                        headers.append(name, value.clone());
                    }
                }
                for name in &remove_headers {
                    headers.remove(name);
                }
                edit_query(&mut headers, &set_query, &remove_query);
                let response = response_headers
                    .into_iter()
                    .flat_map(|(name, values)| HeaderEdit::replace(&name, values))
                    .collect();
                let record = Record {
                    detail: note.reason,
                    metadata: note.metadata,
                    ..record(Reason::PolicyAllowed)
                };
                self.allow(Reason::PolicyAllowed, &headers, response, record)
            }
            Ok(Answer::Deny {
                status,
                headers,
                body,
                note,
            }) => Decision {
                effect: Effect::Deny(refusal::of_policy(
                    config,
                    self.client(),
                    status,
                    headers,
                    body,
                    self.moment.decision_id,
                )),
                record: Record {
                    detail: note.reason,
                    metadata: note.metadata,
                    ..record(Reason::PolicyDenied)
                },
            },
        }
    }

    fn allow(
        &self,
        reason: Reason,
        headers: &Headers<'_>,
        mut response: Vec<HeaderEdit>,
        record: Record,
    ) -> Decision {
        if let Some(name) = &self.gate.config.reason_header {
            response.push(HeaderEdit::Set(name.clone(), reason.code().to_owned()));
        }
        Decision {
            effect: Effect::Allow(Allow {
                request: headers.edits(self.request),
                response,
            }),
            record,
        }
    }

    fn refuse(&self, reason: Reason, record: Record) -> Decision {
        Decision {
            effect: Effect::Deny(refusal::of_reason(
                &self.gate.config,
                self.client(),
                reason,
                self.moment.decision_id,
            )),
            record,
        }
    }

    fn client(&self) -> Client {
        Client::of(self.request.first("content-type"))
    }

    fn record(&self, reason: Reason) -> Record {
        Record {
            decision_id: self.moment.decision_id.to_owned(),
            reason,
            rule: None,
            subject: None,
            key_id: None,
            detail: None,
            metadata: None,
        }
    }
}

/// Envoy's ext_authz sets first, then removes.
fn edit_query(headers: &mut Headers<'_>, set: &[(String, Vec<String>)], remove: &[String]) {
    if set.is_empty() && remove.is_empty() {
        return;
    }
    headers.rewrite(":path", |path| {
        let mut path = path.to_owned();
        for (name, values) in set {
            path = query::with(&path, name, values);
        }
        let names: Vec<&str> = remove.iter().map(String::as_str).collect();
        Some(query::without(&path, &names))
    });
}

/// A decision where the host failed the filter, so that no request could be read: a 503.
pub fn host_failure(moment: &Moment<'_>, detail: &str) -> Decision {
    let reason = Reason::HostError;
    Decision {
        effect: Effect::Deny(Deny {
            status: reason.status(),
            headers: Vec::new(),
            body: Vec::new(),
            grpc_status: None,
        }),
        record: Record {
            decision_id: moment.decision_id.to_owned(),
            reason,
            rule: None,
            subject: None,
            key_id: None,
            detail: Some(detail.to_owned()),
            metadata: None,
        },
    }
}
