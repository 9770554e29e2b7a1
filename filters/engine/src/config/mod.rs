//! The configuration: parsed once into types in which a wrong one cannot be said.

pub mod api_keys;
pub mod body;
pub mod bundle;
pub mod candidate;
pub mod decision_log;
pub mod headers;
pub mod identity;
pub mod introspection;
pub mod jwks;
pub mod jwt;
pub mod peer;
mod raw;
pub mod remote;
mod replay;
mod reserved;
pub mod routes;
mod scalar;
pub mod secret;
pub mod signatures;
pub mod source;
pub mod upstream;
pub mod webhooks;

use crate::gate::Secrets;
use crate::{
    decision_log::Places,
    error::{Findings, LoadError, LoadErrors},
    fields, json,
    sample::Share,
    words,
};
use portcullis_rego::{Entrypoint, Module, Moment, RegoVersion, Sources};
use std::sync::Arc;

/// What a document says of the policy to begin with.
pub struct Start {
    /// Not checked yet; `None` where there is none until a bundle has come.
    pub sources: Option<Sources>,
    pub keys: api_keys::Keys,
    /// The same of the policy that is tried.
    pub candidate: Option<Box<(Config, Start)>>,
}

/// A document that was checked in every part but its Rego, which stands beside it in [`Start`].
pub struct Config {
    /// The most instructions one evaluation may take.
    pub instructions: u32,
    /// The requests of which both evaluators are asked.
    pub self_check: Share,
    pub providers: Vec<jwt::Provider>,
    /// How many verified tokens are remembered.
    pub token_cache: usize,
    pub api_keys: Option<api_keys::ApiKeys>,
    /// Where the policy comes from, if not from the document alone.
    pub bundle: Option<bundle::Bundle>,
    /// How another policy is tried.
    pub candidate: Option<candidate::Candidate>,
    /// Rules that requests are decided by, and that no settings name.
    pub also_asked: Vec<Entrypoint>,
    pub signatures: Option<signatures::Signatures>,
    pub peer: peer::Trust,
    pub headers: headers::Headers,
    pub routes: Vec<routes::Route>,
    /// What holds where no route matches.
    pub settings: routes::Settings,
    pub reason_header: Option<String>,
    pub upstream: upstream::Upstream,
    pub decision_log: Option<decision_log::DecisionLog>,
    /// Where it looks for credentials.
    pub places: Arc<Places>,
}

/// What a request may use up of its policy, where nothing else is said.
pub const DEFAULT_INSTRUCTIONS: u32 = 200_000;

impl Config {
    pub fn parse(document: &[u8], secrets: &dyn Secrets) -> Result<(Config, Start), LoadErrors> {
        let value = json::parse(document).map_err(|error| {
            let hint = match document.first() {
                Some(b'{') => "",
                // Envoy 1.40 hands a Struct over as protobuf.
                _ => "; give the filter what `portcullis render` prints, as a `google.protobuf.StringValue`",
            };
            LoadError::field("", format!("the document is not JSON: {error}{hint}"))
        })?;
        let raw: raw::Document =
            serde_path_to_error::deserialize(value).map_err(|error| from_serde("", error))?;
        let mut findings = Findings::default();
        let config = check(raw, secrets, &mut findings);
        findings.into_result(config)
    }

    /// When and within what the policy is asked.
    pub fn moment(&self, now_ns: u64) -> Moment {
        Moment {
            now_ns,
            instructions: self.instructions,
            strict_builtin_errors: false,
        }
    }

    /// Those that may hold for a request: the document's own and each route's.
    pub fn every_settings(&self) -> impl Iterator<Item = &routes::Settings> {
        let routes = self.routes.iter().map(|route| &route.settings);
        std::iter::once(&self.settings).chain(routes)
    }

    /// Every entrypoint that some request may be decided by.
    pub fn entrypoints(&self) -> Vec<Entrypoint> {
        let mut entrypoints = Vec::new();
        let asked = self.every_settings().map(|settings| &settings.entrypoint);
        for entrypoint in asked.chain(&self.also_asked) {
            if !entrypoints.contains(entrypoint) {
                entrypoints.push(entrypoint.clone());
            }
        }
        entrypoints
    }

    /// Rules that are asked where the policy has them.
    pub fn optional_entrypoints(&self) -> Vec<Entrypoint> {
        match self.decision_log {
            Some(_) => crate::decision_log::entrypoints(),
            None => Vec::new(),
        }
    }
}

/// What is wrong with a value that stands below `base`. serde quotes text that it did not expect;
/// that text may be a secret in the wrong place.
fn from_serde(base: &str, error: serde_path_to_error::Error<serde_json::Error>) -> LoadError {
    let path = match error.path().to_string() {
        dot if dot == "." => base.to_owned(),
        path if base.is_empty() => path,
        path => format!("{base}.{path}"),
    };
    let message = error.inner().to_string();
    let message = match message
        .strip_prefix("unknown variant `")
        .and_then(|rest| rest.split_once("`, "))
    {
        Some((_, expected)) => format!("found another word; {expected}"),
        None => message,
    };
    let message = match message.split_once("string \"") {
        Some((start, rest)) => match rest.rsplit_once("\", expected") {
            Some((_, expected)) => format!("{start}text, expected{expected}"),
            None => format!("{start}text"),
        },
        None => message,
    };
    LoadError::field(path, message)
}

fn check(
    raw: raw::Document,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<(Config, Start)> {
    let Some(mut policy) = raw.policy else {
        findings.add(
            "policy",
            "is missing, and without one nothing can be allowed; to start: `policy: {modules: \
             {authz.rego: \"package envoy.authz\\n\\ndefault allow := false\\n\\nallow if input.verified.jwt\"}}`",
        );
        return None;
    };
    let mut providers = raw.jwt.iter().flat_map(|jwt| &jwt.providers);
    let in_place = providers.find(|(_, it)| it.forward == Some(raw::TokenForward::Wristband));
    let in_place = in_place.map(|(name, _)| name.as_str());
    let upstream = upstream::read(raw.upstream, in_place, secrets, findings);
    let sections = routes::Sections {
        jwks: upstream.jwks.is_some(),
        jwt: raw.jwt.is_some(),
        api_keys: raw.api_keys.is_some(),
        signatures: raw.signatures.is_some(),
        webhooks: raw
            .signatures
            .iter()
            .flat_map(|it| &it.webhooks)
            .map(|hook| hook.id.clone())
            .collect(),
    };
    let entrypoint = entrypoint(
        policy
            .entrypoint
            .as_deref()
            .unwrap_or(words::DEFAULT_ENTRYPOINT),
        "policy.entrypoint",
        findings,
    );
    let version = match policy.rego_version {
        Some(scalar::RegoVersion::V0) => RegoVersion::V0,
        _ => RegoVersion::V1,
    };
    let candidate = policy.candidate.take();
    let bundle = policy.bundle.take();
    let bundle = bundle.map(|raw| bundle::read(raw, version, secrets, findings));
    // Without modules there is no policy until the bundle is there.
    let waits = bundle.is_some() && policy.modules.is_empty() && policy.path.is_none();
    let sources = match waits {
        true => {
            if policy.data.is_some() {
                findings.add(
                    "policy.data",
                    "stands beside no `modules`; the bundle brings its own data",
                );
            }
            None
        }
        false => Some(sources(&policy, version, findings)),
    };
    let settings = routes::Settings {
        off: false,
        serves_jwks: false,
        by_proxy_name: false,
        jwt: match &raw.jwt {
            Some(jwt) => routes::Check::new(jwt.when_missing, jwt.when_invalid),
            None => routes::Check::new(None, None),
        },
        api_keys: match &raw.api_keys {
            Some(keys) => routes::Check::new(keys.when_missing, keys.when_invalid),
            None => routes::Check::new(None, None),
        },
        signatures: match &raw.signatures {
            Some(signatures) => {
                routes::Check::new(signatures.when_missing, signatures.when_invalid)
            }
            None => routes::Check::new(None, None),
        },
        components: match &raw.signatures {
            Some(raw) => signatures::components(
                raw.components.as_deref().unwrap_or_default(),
                "signatures.components",
                findings,
            ),
            None => Vec::new(),
        },
        webhooks: None,
        body: body::Rules::default().overridden(&raw.body, "body", findings),
        entrypoint: entrypoint?,
        context_extensions: policy.context_extensions,
    };
    let mut config = Config {
        candidate: None,
        also_asked: Vec::new(),
        instructions: match policy.budget.instructions {
            Some(0) => {
                findings.add(
                    "policy.budget.instructions",
                    "is 0, so every request would be refused",
                );
                0
            }
            other => other.unwrap_or(DEFAULT_INSTRUCTIONS),
        },
        self_check: policy.self_check,
        token_cache: token_cache(raw.jwt.as_ref(), findings),
        providers: raw
            .jwt
            .map(|jwt| jwt::read(jwt.providers, secrets, findings))
            .unwrap_or_default(),
        api_keys: raw
            .api_keys
            .map(|keys| api_keys::read(keys, secrets, findings)),
        bundle,
        signatures: raw
            .signatures
            .map(|signatures| signatures::read(signatures, secrets, findings)),
        peer: raw.peer.unwrap_or_default().trust,
        headers: headers::read(raw.headers, findings),
        routes: routes::read(raw.routes, &settings, &sections, findings),
        settings,
        reason_header: reason_header(raw.response.reason_header, findings),
        upstream,
        decision_log: raw
            .decision_log
            .map(|raw| decision_log::read(raw, secrets, findings)),
        places: Arc::default(),
    };
    config.places = Arc::new(Places::of(&config));
    config.settings.check_digest("", findings);
    reserved::check(&config, findings);
    upstream::check(&config, findings);
    let mut beside = None;
    if let Some(raw) = candidate {
        let (candidate, tried, start) =
            candidate::read(raw, &config.entrypoints(), secrets, findings)?;
        config.candidate = Some(candidate);
        beside = Some(Box::new((tried, start)));
    }
    let sources = match sources {
        None => None,
        Some(sources) => Some(sources?),
    };
    let keys = match &config.api_keys {
        Some(own) => all_keys(own, sources.as_ref().map(|it| &it.data), findings),
        None => api_keys::Keys::default(),
    };
    let start = Start {
        sources,
        keys,
        candidate: beside,
    };
    Some((config, start))
}

fn all_keys(
    own: &api_keys::ApiKeys,
    data: Option<&portcullis_rego::Value>,
    findings: &mut Findings,
) -> api_keys::Keys {
    let mut gathering = own.gather(data);
    loop {
        match gathering.step(own) {
            None => {}
            Some(Ok(keys)) => return keys,
            Some(Err(wrong)) => {
                findings.append(wrong);
                return api_keys::Keys::default();
            }
        }
    }
}

fn sources(policy: &raw::Policy, version: RegoVersion, findings: &mut Findings) -> Option<Sources> {
    if policy.path.is_some() {
        findings.add(
            "policy.path",
            "is for the command, which has files; give the filter what `portcullis render` prints",
        );
        return None;
    }
    if policy.modules.is_empty() {
        findings.add(
            "policy.modules",
            "is missing or empty: `modules: {authz.rego: \"package envoy.authz ...\"}`",
        );
        return None;
    }
    let data = match &policy.data {
        None => serde_json::Value::Object(Default::default()),
        Some(data @ serde_json::Value::Object(_)) => data.clone(),
        Some(_) => {
            findings.add(
                "policy.data",
                "takes an object, whose members stand under `data`",
            );
            return None;
        }
    };
    let data = portcullis_rego::value::from_json(&data)
        .map_err(|error| findings.add("policy.data", error.to_string()))
        .ok()?;
    Some(Sources {
        modules: policy
            .modules
            .iter()
            .map(|(path, text)| Module::new(path, text))
            .collect(),
        data,
        version,
    })
}

fn entrypoint(text: &str, path: &str, findings: &mut Findings) -> Option<Entrypoint> {
    Entrypoint::parse(text)
        .map_err(|error| findings.add(path, error.to_string()))
        .ok()
}

/// A token may take some kilobytes, and each worker has a cache of its own.
fn token_cache(jwt: Option<&raw::Jwt>, findings: &mut Findings) -> usize {
    let entries = jwt.and_then(|jwt| jwt.cache.entries).unwrap_or(1000);
    if entries > 100_000 {
        findings.add(
            "jwt.cache.entries",
            format!("found {entries}; takes a number up to 100000, and 0 for no cache"),
        );
    }
    entries
}

fn reason_header(name: Option<String>, findings: &mut Findings) -> Option<String> {
    let name = name?.to_ascii_lowercase();
    if !fields::is_token(&name) || fields::is_framing(&name) {
        findings.add(
            "response.reason_header",
            format!("found `{name}`; takes a header name such as `x-portcullis-reason`"),
        );
    }
    Some(name)
}
