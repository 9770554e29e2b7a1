//! The gate: a configuration that was checked and compiled once, and decides every request.

mod of_body;
mod tools;

use crate::{
    body::Shelf,
    candidate::Candidate,
    config::{Config, Start, api_keys::Keys, candidate, routes::Settings},
    credential::jwt::Knowledge,
    crypto::{Algorithm, Verifier},
    decision::{Decision, Deny, Effect, HeaderEdit, Record},
    enforce::enforce,
    error::{LoadError, LoadErrors},
    hygiene,
    pass::{Asked, Pass},
    replay::{Memory, ReplayStore, Table},
    request::Request,
    route,
    wait::Room,
    words::Reason,
};
use portcullis_rego::{Policy, Reach};
use std::{cell::RefCell, sync::Arc};

/// Where secrets come from: the environment of the proxy or of the command.
pub trait Secrets {
    /// The value of an environment variable, if it is set.
    fn secret(&self, name: &str) -> Option<String>;

    /// Whether one may stand in the document itself: not where the document is kept for many to read.
    fn may_be_written_out(&self) -> bool {
        true
    }

    /// A private key, as PEM, for the one that the proxy has and that is not here: where a configuration
    /// is only looked at, and nothing is signed.
    fn stand_in(&self, _name: &str, _algorithm: Algorithm) -> Option<String> {
        None
    }
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

/// As long as one is asked, it does not change: where a bundle brings another policy, that makes
/// another gate, which shares all else.
pub struct Gate {
    config: Arc<Config>,
    knowledge: Arc<Knowledge>,
    /// Of each provider, for those who wait for it.
    rooms: Arc<[Room]>,
    shelf: Arc<Shelf>,
    /// Where it is remembered what is good once.
    store: Option<Arc<dyn ReplayStore>>,
    active: Active,
    candidate: Option<Arc<Candidate>>,
}

/// What a bundle brings.
#[derive(Clone, Default)]
pub(crate) struct Active {
    /// `None` until there is one.
    pub policy: Option<Policy>,
    /// Of API keys.
    pub keys: Arc<Keys>,
    /// The bundle's, for logs; `None` of a policy of the document's own.
    pub revision: Option<Arc<str>>,
}

impl Gate {
    /// Reads `gate.yaml` in its JSON form, where `policy.path` has become modules and data.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the path of its field.
    pub fn load(document: &[u8], secrets: &dyn Secrets) -> Result<Gate, LoadErrors> {
        let (config, start) = Config::parse(document, secrets)?;
        Gate::of(config, start)
    }

    fn of(config: Config, start: Start) -> Result<Gate, LoadErrors> {
        let optional = config.optional_entrypoints();
        let load = |sources| Policy::load_with(sources, &config.entrypoints(), &optional);
        let policy = start.sources.map(load).transpose();
        let policy =
            policy.map_err(|errors| LoadErrors::all(errors.into_iter().map(LoadError::Rego)))?;
        let candidate = start.candidate.map(|beside| {
            let (config, start) = *beside;
            let gate = Gate::of(config, start).map_err(LoadErrors::of_candidate)?;
            Ok::<_, LoadErrors>(Arc::new(Candidate::new(gate)))
        });
        Ok(Gate {
            knowledge: Arc::new(Knowledge::new(&config)),
            rooms: config.providers.iter().map(|_| Room::default()).collect(),
            shelf: Arc::new(Shelf::default()),
            store: Some(Arc::new(Table::new("", Memory::default()))),
            config: Arc::new(config),
            active: Active {
                policy,
                keys: Arc::new(start.keys),
                revision: None,
            },
            candidate: candidate.transpose()?,
        })
    }

    /// The same gate with what a bundle brings.
    pub(crate) fn with(&self, active: Active) -> Gate {
        Gate {
            config: Arc::clone(&self.config),
            knowledge: Arc::clone(&self.knowledge),
            rooms: Arc::clone(&self.rooms),
            shelf: Arc::clone(&self.shelf),
            store: self.store.clone(),
            active,
            candidate: self.candidate.clone(),
        }
    }

    /// Its API keys, where nobody else holds them: what takes longest to drop of a gate.
    pub(crate) fn into_keys(self) -> Option<Keys> {
        Arc::into_inner(self.active.keys)
    }

    /// The gate whose signatures are checked this way; without, all of them by its own code.
    pub fn verified_by(mut self, verifier: &Verifier) -> Gate {
        self.verify_by(verifier);
        self
    }

    pub(crate) fn verify_by(&mut self, verifier: &Verifier) {
        // Nobody shares it yet; where somebody did, the gate's own code would go on checking.
        let Some(config) = Arc::get_mut(&mut self.config) else {
            return;
        };
        for provider in &mut config.providers {
            provider.verifier = verifier.clone();
        }
        if let Some(signatures) = &mut config.signatures {
            signatures.verifier = verifier.clone();
        }
        if let Some(bundle) = &mut config.bundle {
            bundle.verified_by(verifier);
        }
        if let Some(candidate) = self.candidate.as_mut().and_then(Arc::get_mut) {
            candidate.verified_by(verifier);
        }
    }

    /// The gate that remembers in this store what is good once; without, it does so in memory of its
    /// own. The store begins now, at `now_ns` since the Unix epoch, unless it did before; where no time
    /// is given, it begins with its first request.
    pub fn remembering(mut self, store: Arc<dyn ReplayStore>, now_ns: Option<u64>) -> Gate {
        if let Some(now_ns) = now_ns {
            // Where it cannot tell now, it is asked again when that matters.
            let _ = store.since_ns(now_ns);
        }
        self.store = Some(store);
        self
    }

    /// The gate as it would decide if it had seen nothing before: for those who tell of requests,
    /// which are shown to it more than once. Never one that lets requests through.
    pub fn forgetting(mut self) -> Gate {
        self.store = None;
        self
    }

    /// Whether a [`Difference`](crate::Difference) can come of any request.
    pub fn self_checks(&self) -> bool {
        !self.config.self_check.is_none()
    }

    /// The id of every API key there is, such as [`Record::api_key`] names.
    pub fn api_key_ids(&self) -> impl Iterator<Item = &str> {
        self.active.keys.ids()
    }

    /// Whether the candidate decides on its share now.
    pub fn is_candidate_deciding(&self) -> bool {
        let candidate = self.candidate();
        candidate.is_some_and(|(candidate, rules)| candidate.is_deciding(rules))
    }

    /// Whether the candidate is to decide on this subject's requests, be there a policy of it or not.
    pub fn leaves_to_candidate(&self, subject: Option<&str>) -> bool {
        let rules = self.config.candidate.as_ref();
        rules.is_some_and(|rules| rules.is_for(subject))
    }

    /// Whether another policy is tried beside its own.
    pub fn has_candidate(&self) -> bool {
        self.candidate.is_some()
    }

    /// Whether its policy comes with bundles.
    pub fn has_bundle(&self) -> bool {
        self.config.bundle.is_some()
    }

    /// Names where its bundles come from, for what is kept of them; `None` where nothing is, since whoever
    /// can write there could write a policy: where no signature is required.
    pub fn bundle_place(&self) -> Option<String> {
        let config = self.config.bundle.as_ref()?;
        let verification = config.rules.verification.as_ref()?;
        verification.required.then(|| config.endpoint.name())
    }

    /// Whether there is a policy. Until a bundle has brought one, every request is refused.
    pub fn has_policy(&self) -> bool {
        self.active.policy.is_some()
    }

    pub(crate) fn revision_shared(&self) -> Option<Arc<str>> {
        self.active.revision.clone()
    }

    /// The policy that is tried beside this one, and how.
    pub(crate) fn candidate(&self) -> Option<(&Candidate, &candidate::Candidate)> {
        Some((self.candidate.as_deref()?, self.config.candidate.as_ref()?))
    }

    /// The revision of the bundle that the policy is of.
    pub fn revision(&self) -> Option<&str> {
        self.active.revision.as_deref()
    }

    /// Decides. Total: whatever the request holds, there is an answer. It waits for nothing: where
    /// something must be fetched first, [`Gate::step`] says so.
    pub fn decide(&self, request: &Request<'_>, moment: &Moment<'_>) -> Decision {
        let pass = self.pass(request, moment, moment.now_ns);
        self.conclude(&pass, pass.asked())
    }

    /// The decision on what is left to ask, once for each request: it uses up what is good once.
    pub(crate) fn conclude(
        &self,
        pass: &Pass<'_>,
        asked: Result<Asked<'_>, Box<Decision>>,
    ) -> Decision {
        match asked {
            // What has not come cannot be waited for here, and what passes cannot be checked.
            Ok(Asked::Body(settings)) => pass.refuse(settings, pass.record(Reason::BodyTruncated)),
            Ok(Asked::Policy(question)) if question.passing.is_some() => {
                pass.refuse(question.settings, pass.record(Reason::BodyTruncated))
            }
            Ok(Asked::Policy(question)) => match self.take(pass, &question) {
                Ok(()) => enforce(pass, question),
                Err(refused) => *refused,
            },
            Ok(Asked::Off(headers)) => {
                pass.allow(&headers, Vec::new(), pass.record(Reason::GateOff))
            }
            Err(refused) => *refused,
        }
    }

    fn settings(&self, request: &Request<'_>) -> Result<&Settings, String> {
        let wrong = |reason: Reason| reason.to_string();
        let headers = hygiene::check(&self.config.headers, request).map_err(wrong)?;
        route::settings(&self.config, &headers, &request.attributes)
            .map_err(|route::Ambiguous| wrong(Reason::RequestMalformed))
    }

    /// What goes from a request's trailers, which an upstream may merge into its headers
    /// (RFC 9110 section 6.5.1): everything that clients may not send, and every credential.
    pub fn trailers<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<HeaderEdit> {
        names
            .into_iter()
            .filter(|name| self.config.is_barred_from_trailers(name))
            .map(|name| HeaderEdit::Remove(name.to_owned()))
            .collect()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The rule that is asked of this request, such as `data.envoy.authz.allow`.
    pub fn entrypoint(&self, request: &Request<'_>) -> Option<String> {
        let settings = self.settings(request).ok()?;
        Some(settings.entrypoint.to_string())
    }

    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.active.policy.as_ref()
    }

    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    pub(crate) fn store(&self) -> Option<&dyn ReplayStore> {
        self.store.as_deref()
    }

    pub(crate) fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// Whether somebody looks afterwards at what the policy was asked: a log, or a candidate.
    pub(crate) fn keeps_evidence(&self, decision_id: &str) -> bool {
        let tries =
            |it: &candidate::Candidate| it.enforce.is_some() || it.sample.takes(decision_id);
        self.has_decision_log() || self.config.candidate.as_ref().is_some_and(tries)
    }

    pub(crate) fn pass<'p>(
        &'p self,
        request: &'p Request<'p>,
        moment: &'p Moment<'p>,
        since_ns: u64,
    ) -> Pass<'p> {
        let keeps = self.keeps_evidence(moment.decision_id);
        Pass {
            config: &self.config,
            shelf: &self.shelf,
            active: &self.active,
            candidate: self.candidate(),
            reach: match &self.active.policy {
                Some(policy) if !keeps => policy.reach(),
                _ => &Reach::Whole,
            },
            keeps,
            request,
            moment,
            knowledge: &self.knowledge,
            since_ns,
            gives_up: false,
            wants: RefCell::default(),
        }
    }
}

/// A decision where the host failed the filter, so that no request could be read: a 503.
pub fn host_failure(decision_id: &str, detail: &str) -> Decision {
    let reason = Reason::HostError;
    Decision {
        effect: Effect::Deny(Deny {
            status: reason.status(),
            headers: Vec::new(),
            body: Vec::new(),
            grpc_status: None,
        }),
        record: Record {
            detail: Some(detail.to_owned()),
            ..Record::new(decision_id, reason)
        },
    }
}
