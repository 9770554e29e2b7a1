//! One request on its way through the gate: everything before the policy is asked. The order of the
//! checks is the order of this file.

mod credentials;

use crate::{
    body::{self, Demand, Verdict},
    candidate::Candidate,
    config::{Config, candidate, routes::Settings, source::Source},
    credential::{
        Refusal, api_key, jwt,
        signature::{self, webhook},
        strip,
    },
    decision::{Allow, Decision, Effect, HeaderEdit, Record},
    gate::{Active, Moment},
    headers::Headers,
    hygiene,
    input::{self, InputError, Seen},
    refusal::{self, Client},
    remote::Want,
    replay::Claim,
    request::Request,
    route, upstream,
    verified::{Verified, VerifiedBody},
    words::Reason,
};
use portcullis_rego::{Policy, Reach, Value};
use std::cell::{OnceCell, RefCell};

/// One request on its way through the gate.
pub struct Pass<'p> {
    pub config: &'p Config,
    /// Where bodies are kept.
    pub shelf: &'p body::Shelf,
    /// What may have come with a bundle.
    pub active: &'p Active,
    /// What is tried beside the policy.
    pub candidate: Option<(&'p Candidate, &'p candidate::Candidate)>,
    /// What is made of the input.
    pub reach: &'p Reach,
    /// Whether somebody looks afterwards at what the policy was asked: then all of the input is made.
    pub keeps: bool,
    pub request: &'p Request<'p>,
    pub moment: &'p Moment<'p>,
    pub knowledge: &'p jwt::Knowledge,
    /// When the request came: before `moment`, where it has waited.
    pub since_ns: u64,
    /// Whether it has waited long enough.
    pub gives_up: bool,
    /// What would have to be fetched for a better answer.
    pub wants: RefCell<Vec<Want>>,
}

/// What is left to ask once credentials were verified.
pub struct Question<'p> {
    pub settings: &'p Settings,
    pub policy: &'p Policy,
    /// What the upstream would get, were the answer yes.
    pub headers: Headers<'p>,
    pub input: Value,
    pub subject: Option<String>,
    pub key_id: Option<String>,
    pub api_key: Option<String>,
    /// What checks the body while it passes, after the answer.
    pub passing: Option<Box<body::Check>>,
    /// What of it is good once.
    pub claims: Vec<Claim>,
    /// From when on the oldest signature could have been shown, in seconds since the Unix epoch.
    pub good_from: Option<i64>,
    /// What the upstream is shown, were the answer yes.
    pub proof: upstream::Proof,
}

/// Why credentials end the request.
struct Refused {
    reason: Reason,
    /// For logs.
    detail: Option<String>,
    challenge: Option<jwt::Challenge>,
}

pub enum Asked<'p> {
    /// A route without a gate.
    Off(Headers<'p>),
    /// The body must have come first; nothing else is wrong with the request.
    Body(&'p Settings),
    Policy(Question<'p>),
}

impl<'p> Pass<'p> {
    /// Hygiene, route, credentials, input: everything before the policy.
    pub fn asked(&self) -> Result<Asked<'p>, Box<Decision>> {
        let config = self.config;
        let refuse = |reason| Box::new(self.refuse(&config.settings, self.record(reason)));
        let mut headers = hygiene::check(&config.headers, self.request).map_err(refuse)?;
        let settings = route::settings(config, &headers, &self.request.attributes)
            .map_err(|route::Ambiguous| refuse(Reason::RequestMalformed))?;
        // The key that was verified, though the request may be refused for something else.
        let api_key = OnceCell::new();
        let refuse = |refused: Refused| {
            let record = Record {
                api_key: api_key.get().cloned(),
                detail: refused.detail.map(|it| self.masked(&it, None)),
                ..self.record(refused.reason)
            };
            Box::new(self.refuse_told(settings, record, refused.challenge.as_ref()))
        };
        headers.remove_where(|name| config.is_reserved(name));
        if let Some(sign) = &config.upstream.sign {
            upstream::sign::withdraw(&sign.label, &mut headers);
        }
        if settings.serves_jwks {
            return Err(Box::new(upstream::jwks::answer(
                config,
                self.record(Reason::GateServed),
            )));
        }
        if settings.off {
            self.remove_configured(&mut headers);
            // A change of headers makes the proxy choose its route again: a client could have sent
            // one only to be taken for an open route's and land on another.
            if settings.by_proxy_name && headers.is_touched() {
                return Err(refuse(Reason::RequestMalformed.into()));
            }
            return Ok(Asked::Off(headers));
        }
        // Neither who is known nor what they may do can be told yet.
        let Some(policy) = &self.active.policy else {
            return Err(refuse(Reason::PolicyUnavailable.into()));
        };
        let (mut verified, mut refused, shown) = self
            .credentials(settings, &mut headers, &api_key)
            .map_err(refuse)?;
        let work = webhook::work(&shown);
        let demand = Demand::new(&settings.body, self.shelf, self.request, work);
        // A body is waited for and worked on only for those whose credentials hold.
        let verdict = demand.and_then(|demand| demand.verdict(self.request, &headers));
        let (judged, passing) = match verdict.map_err(|refused| refuse(refused.into()))? {
            Verdict::NotYet => return Ok(Asked::Body(settings)),
            Verdict::Judged(judged) => (Some(judged), None),
            // Only of signatures that need none of it.
            Verdict::Passing(check) => (None, Some(check)),
        };
        let content = judged.as_ref().map(|it| &it.content);
        let nothing = webhook::Content::default();
        for settled in webhook::settle(&shown, content.unwrap_or(&nothing), self.moment.now_ns) {
            match settled {
                Ok(signature) => verified.signatures.push(signature),
                Err(refusal) if settings.signatures.deny_invalid => {
                    return Err(refuse(refusal.into()));
                }
                Err(refusal) => {
                    self.strip_signatures(&mut headers);
                    refused.push(refusal);
                }
            }
        }
        let seen = match judged {
            Some(judged) => {
                verified.body = VerifiedBody::new(&judged, &verified.signatures);
                let seen = self.seen(&judged);
                seen.map_err(|refused| refuse(refused.into()))?
            }
            None => None,
        };
        self.remove_configured(&mut headers);
        self.edit_path(&verified, &mut headers);
        let input = input::build(&input::Parts {
            headers: &headers,
            attributes: &self.request.attributes,
            context_extensions: &settings.context_extensions,
            verified: &verified,
            refused: &refused,
            now_ns: self.moment.now_ns,
            body: seen.as_ref(),
            reach: self.reach,
        })
        .map_err(|InputError::Path| refuse(Reason::RequestMalformed.into()))?;
        self.forward(&verified, &mut headers)
            .map_err(|reason| refuse(reason.into()))?;
        let proof = upstream::Proof::new(&config.upstream, &verified, &mut headers).map_err(
            |(reason, detail)| {
                refuse(Refused {
                    detail: Some(detail),
                    ..reason.into()
                })
            },
        )?;
        // What a client may not send, the gate does not make of a token either.
        let wrote = verified.jwts.iter().any(jwt::VerifiedJwt::writes) || proof.writes();
        if wrote && headers.bytes() > config.headers.max_bytes {
            return Err(refuse(Reason::HeadersTooLarge.into()));
        }
        Ok(Asked::Policy(Question {
            settings,
            policy,
            headers,
            input,
            subject: verified.subject().map(str::to_owned),
            key_id: verified.key_id().map(str::to_owned),
            claims: claims(&verified),
            good_from: verified
                .signatures
                .iter()
                .filter_map(|it| it.good_from())
                .min(),
            api_key: api_key.into_inner(),
            passing,
            proof,
        }))
    }

    /// What the policy sees of the body.
    fn seen<'b>(&self, judged: &body::Judged<'b>) -> Result<Option<Seen<'b>>, body::Refused> {
        let Some(bytes) = judged.bytes else {
            return Ok(None);
        };
        let field = |name| -> Result<Option<String>, body::Refused> {
            let lines: Result<Vec<&str>, _> =
                self.request.values(name).map(std::str::from_utf8).collect();
            let lines = lines.map_err(|_| (Reason::HeadersInvalid, None))?;
            Ok((!lines.is_empty()).then(|| lines.join(",")))
        };
        let (kind, coding) = (field("content-type")?, field("content-encoding")?);
        let parsed = body::parse::parse(kind.as_deref(), coding.as_deref(), bytes);
        let parsed = parsed.map_err(|fault| (Reason::RequestMalformed, Some(fault.0)))?;
        Ok(Some(Seen { bytes, parsed }))
    }

    fn remove_configured(&self, headers: &mut Headers<'p>) {
        headers.remove_where(|name| self.config.headers.removes(name));
    }

    /// Takes credentials out of the query before the policy reads it, since the path that it decides
    /// on is the one that the upstream gets.
    fn edit_path(&self, verified: &Verified<'_>, headers: &mut Headers<'p>) {
        let config = self.config;
        let tokens = jwt::stripped(&config.providers, &verified.jwts);
        let keys = config.api_keys.iter().filter(|keys| !keys.keep);
        for place in tokens.chain(keys.flat_map(|keys| &keys.from)) {
            if matches!(place, Source::Query { .. }) {
                strip(place, headers);
            }
        }
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
            .flat_map(jwt::VerifiedJwt::identity_headers)
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

    pub fn refuse(&self, settings: &Settings, record: Record) -> Decision {
        self.refuse_told(settings, record, None)
    }

    pub fn refuse_told(
        &self,
        settings: &Settings,
        record: Record,
        challenge: Option<&jwt::Challenge>,
    ) -> Decision {
        Decision {
            effect: Effect::Deny(refusal::of_reason(
                self.config,
                settings,
                self.client(),
                (record.reason, challenge),
                self.moment.decision_id,
            )),
            record,
        }
    }

    /// A text for logs without what is a secret of the request's; `body` is its parsed body, where the policy
    /// saw one.
    pub fn masked(&self, text: &str, body: Option<&Value>) -> String {
        let body = body.map(portcullis_rego::value::to_json);
        let seed = self.moment.decision_id;
        self.config.masked(text, self.request, body.as_ref(), seed)
    }

    pub fn client(&self) -> Client {
        Client::of(self.request.first("content-type"))
    }

    pub fn record(&self, reason: Reason) -> Record {
        Record {
            revision: self.active.revision.clone(),
            ..Record::new(self.moment.decision_id, reason)
        }
    }
}

/// Each once: a signature may stand under two labels, and a nonce in two signatures.
fn claims(verified: &Verified<'_>) -> Vec<Claim> {
    let proofs = verified.jwts.iter().filter_map(jwt::VerifiedJwt::claim);
    let signatures = verified.signatures.iter();
    let signatures = signatures.filter_map(signature::VerifiedSignature::claim);
    let mut claims: Vec<Claim> = Vec::new();
    for claim in proofs.chain(signatures) {
        match claims.iter_mut().find(|other| other.is_same(claim)) {
            Some(other) => other.extend_to(claim),
            None => claims.push(claim.clone()),
        }
    }
    claims
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Refused {
        Refused {
            reason,
            detail: None,
            challenge: None,
        }
    }
}

impl From<body::Refused> for Refused {
    fn from((reason, detail): body::Refused) -> Refused {
        Refused {
            reason,
            detail: detail.map(str::to_owned),
            challenge: None,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused {
            reason: refusal.reason,
            detail: refusal.detail,
            challenge: refusal.challenge,
        }
    }
}
