//! The bundle that a gate fetches its policy from: where, how often, and whose it must be.

use super::{
    raw::bundle as raw,
    remote::{self, Endpoint},
    secret::Secret,
};
use crate::{
    bundle::{Key, Limits, Rules, Verification},
    crypto::{Algorithm, Material, VerificationKey, Verifier},
    error::Findings,
    gate::Secrets,
};
use portcullis_rego::RegoVersion;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub struct Bundle {
    /// As logs and status reports name it.
    pub name: String,
    pub endpoint: Endpoint,
    /// Of the client, for the server (RFC 6750 section 2.1).
    pub token: Option<Secret>,
    pub poll: Poll,
    /// Of one call.
    pub timeout: Duration,
    /// What is taken of it, and whose word counts.
    pub rules: Arc<Rules>,
    /// Whether its own tests must pass before it counts.
    pub run_tests: bool,
    /// Revisions that may take the place of newer ones.
    pub allow_older: Vec<String>,
    pub status: Option<Status>,
}

/// How long it takes until it is asked for again: some time between the two.
pub struct Poll {
    pub min: Duration,
    pub max: Duration,
    /// How long a server may hold its answer back until there is something new.
    pub long: Option<Duration>,
}

/// Where reports of what became of bundles go.
pub struct Status {
    pub endpoint: Endpoint,
    pub token: Option<Secret>,
}

impl Bundle {
    /// The bundle whose signatures are checked this way.
    pub fn verified_by(&mut self, verifier: &Verifier) {
        let rules = Arc::get_mut(&mut self.rules);
        if let Some(verification) = rules.and_then(|rules| rules.verification.as_mut()) {
            verification.verifier = verifier.clone();
        }
    }
}

const PATH: &str = "policy.bundle";

pub fn read(
    raw: raw::Bundle,
    rego_version: RegoVersion,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Bundle {
    let endpoint = remote::Raw {
        cluster: raw.cluster,
        authority: raw.authority,
        path: raw.path,
    };
    let endpoint = endpoint.read(None, PATH, findings);
    let name = raw.name.unwrap_or_else(|| {
        let file = endpoint.path.rsplit('/').next().unwrap_or_default();
        let file = file.split(['?', '.']).next().unwrap_or_default();
        match file {
            "" => "bundle".to_owned(),
            file => file.to_owned(),
        }
    });
    let timeout = raw.timeout.map_or(Duration::from_secs(10), |span| span.0);
    remote::call_timeout(timeout, &format!("{PATH}.timeout"), findings);
    let limits = limits(raw.max_bytes, raw.max_unpacked, findings);
    for (index, _) in raw
        .allow_older
        .iter()
        .enumerate()
        .filter(|it| it.1.is_empty())
    {
        findings.add(
            format!("{PATH}.allow_older[{index}]"),
            "is empty, as the revision of bundles that have none; takes a revision",
        );
    }
    let verification = raw
        .verification
        .and_then(|raw| verification(raw, secrets, findings));
    Bundle {
        name,
        endpoint,
        token: remote::token(raw.token.as_ref(), PATH, secrets, findings),
        poll: poll(&raw.poll, findings),
        timeout,
        rules: Arc::new(Rules {
            limits,
            verification,
            looks_only: false,
            rego_version,
        }),
        run_tests: raw.run_tests,
        allow_older: raw.allow_older,
        status: raw.status.map(|raw| status(raw, secrets, findings)),
    }
}

fn poll(raw: &raw::Poll, findings: &mut Findings) -> Poll {
    // OPA's defaults.
    let min = raw.min.map_or(Duration::from_secs(60), |span| span.0);
    let max = raw
        .max
        .map_or(min.max(Duration::from_secs(120)), |span| span.0);
    let long = raw.long.map(|span| span.0);
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(86_400));
    remote::between(min, least, most, &format!("{PATH}.poll.min"), findings);
    remote::between(max, least, most, &format!("{PATH}.poll.max"), findings);
    if min > max {
        findings.add(format!("{PATH}.poll.max"), "is less than `poll.min`");
    }
    if let Some(long) = long {
        remote::within(long, 1, 3600, &format!("{PATH}.poll.long"), findings);
    }
    Poll { min, max, long }
}

fn limits(
    packed: Option<super::scalar::Size>,
    unpacked: Option<super::scalar::Size>,
    findings: &mut Findings,
) -> Limits {
    // What a guest has of memory is 1 GiB, and the parsed form takes a multiple of the text.
    const MOST: u64 = 64 << 20;
    let mut size = |name: &str, found: Option<super::scalar::Size>, default: usize| match found {
        None => default,
        Some(size) if (1..=MOST).contains(&size.0) => usize::try_from(size.0).unwrap_or(default),
        Some(_) => {
            findings.add(format!("{PATH}.{name}"), "takes a size from `1` to `64MiB`");
            default
        }
    };
    let default = Limits::default();
    Limits {
        packed: size("max_bytes", packed, default.packed),
        unpacked: size("max_unpacked", unpacked, default.unpacked),
        ..default
    }
}

fn verification(
    raw: raw::Verification,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Verification> {
    let path = format!("{PATH}.verification");
    if raw.keys.is_empty() {
        findings.add(
            format!("{path}.keys"),
            "is empty; takes keys by their ids: `{k1: {algorithm: ES256, key: \"-----BEGIN PUBLIC KEY...\"}}`",
        );
    }
    if let Some(id) = raw.key_id.as_ref().filter(|id| !raw.keys.contains_key(*id)) {
        findings.add(
            format!("{path}.key_id"),
            format!("found `{id}`, which is none of `keys`"),
        );
    }
    let mut keys = BTreeMap::new();
    for (id, raw) in &raw.keys {
        match key(raw, secrets) {
            Ok(key) => {
                let scope = raw.scope.clone();
                keys.insert(id.clone(), Key { key, scope });
            }
            Err((field, message)) => findings.add(format!("{path}.keys.{id}{field}"), message),
        }
    }
    Some(Verification {
        keys,
        key_id: raw.key_id,
        scope: raw.scope,
        required: raw.required.unwrap_or(true),
        verifier: Verifier::default(),
    })
}

fn key(raw: &raw::Key, secrets: &dyn Secrets) -> Result<VerificationKey, (&'static str, String)> {
    let Some(algorithm) = Algorithm::parse(&raw.algorithm) else {
        let known = Algorithm::ALL.map(Algorithm::name).join(", ");
        let message = format!("found `{}`; takes {known}", raw.algorithm);
        return Err((".algorithm", message));
    };
    match (&raw.secret, &raw.key, algorithm.is_symmetric()) {
        (Some(secret), None, true) => {
            let secret =
                Secret::resolve(secret, secrets).map_err(|message| (".secret", message))?;
            VerificationKey::new(algorithm, &Material::Octets(secret.expose()))
                .map_err(|fault| (".secret", format!("the secret {fault}")))
        }
        (None, Some(pem), false) => VerificationKey::from_pem(algorithm, pem)
            .map_err(|fault| (".key", format!("the key {fault}"))),
        (_, _, true) => Err((
            "",
            format!(
                "takes `secret` for {algorithm}, which is no public key: `{{env: NAME}}`, and no `key`"
            ),
        )),
        (_, _, false) => Err((
            "",
            format!("takes `key` for {algorithm}, a public key in PEM, and no `secret`"),
        )),
    }
}

fn status(raw: raw::Status, secrets: &dyn Secrets, findings: &mut Findings) -> Status {
    let path = format!("{PATH}.status");
    let endpoint = remote::Raw {
        cluster: raw.cluster,
        authority: raw.authority,
        path: raw.path,
    };
    Status {
        endpoint: endpoint.read(Some("/status"), &path, findings),
        token: remote::token(raw.token.as_ref(), &path, secrets, findings),
    }
}
