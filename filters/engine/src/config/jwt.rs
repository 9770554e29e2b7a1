//! JWT providers: whose tokens are taken, and what they must say.

pub mod binding;
pub mod subjects;

use super::{
    identity::{self, IdentityHeader},
    introspection::{self, Introspection},
    jwks::{self, KeySet, KeySource},
    raw, source,
    source::Source,
};
use crate::{
    crypto::{Algorithm, Verifier},
    error::Findings,
    fields,
    gate::Secrets,
};
use binding::Binding;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use subjects::Subject;

pub struct Provider {
    /// The key under `jwt.providers`, and under `input.verified.jwts`.
    pub name: String,
    pub issuer: String,
    /// `None`: any audience will do.
    pub audiences: Option<Vec<String>>,
    pub algorithms: Vec<Algorithm>,
    pub proof: Proof,
    pub verifier: Verifier,
    pub from: Vec<Source>,
    pub claim_headers: Vec<IdentityHeader>,
    pub leeway: Duration,
    pub max_lifetime: Option<Duration>,
    pub require: Vec<String>,
    /// The `typ` a token must have: lower-case, without `application/`.
    pub typ: Option<String>,
    pub binding: Binding,
    /// `None`: any subject will do.
    pub subjects: Option<Vec<Subject>>,
    /// Where the upstream finds the claims set as it was signed, in base64url.
    pub payload_header: Option<String>,
    pub keep: bool,
}

/// What proves that a token is the provider's.
pub enum Proof {
    /// A signature by one of these keys.
    Signature(KeySource),
    /// The word of the provider's server.
    Introspection(Introspection),
}

impl Provider {
    /// The headers that tell the upstream who its tokens are of.
    pub fn identity_headers(&self) -> impl Iterator<Item = &str> {
        let claims = self.claim_headers.iter().map(|own| own.header.as_str());
        claims.chain(self.payload_header.as_deref())
    }
}

pub fn read(
    raw: BTreeMap<String, raw::Provider>,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Vec<Provider> {
    if raw.is_empty() {
        findings.add(
            "jwt.providers",
            "is empty; name at least one provider, or remove `jwt`",
        );
    }
    let mut providers: Vec<Provider> = Vec::new();
    for (name, raw) in raw {
        let path = format!("jwt.providers.{name}");
        if let Some(twin) = providers.iter().find(|other| other.issuer == raw.issuer) {
            findings.add(
                format!("{path}.issuer"),
                format!(
                    "`{}` is also the issuer of `{}`; one provider an issuer",
                    raw.issuer, twin.name
                ),
            );
        }
        providers.push(provider(name, &path, raw, secrets, findings));
    }
    check_asked(&providers, findings);
    providers
}

/// Nothing of an opaque token says whose it is but the place where it is found.
fn check_asked(providers: &[Provider], findings: &mut Findings) {
    let asked = |it: &&Provider| matches!(it.proof, Proof::Introspection(_));
    for (index, provider) in providers.iter().enumerate().filter(|(_, it)| asked(it)) {
        let before = providers.iter().take(index).filter(asked);
        let mut twins = before.filter(|other| {
            let looks = |source: &Source| other.from.iter().any(|it| it.same_place(source));
            provider.from.iter().any(looks)
        });
        if let Some(twin) = twins.next() {
            findings.add(
                format!("jwt.providers.{}.from", provider.name),
                format!(
                    "looks for opaque tokens where `{}` does, and nothing would tell them apart",
                    twin.name
                ),
            );
        }
    }
}

fn provider(
    name: String,
    path: &str,
    raw: raw::Provider,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Provider {
    if raw.issuer.is_empty() {
        findings.add(
            format!("{path}.issuer"),
            "is empty; takes the exact `iss` of the tokens",
        );
    }
    let audiences = match raw.audiences {
        raw::Audiences::Any(raw::Any::Any) => None,
        raw::Audiences::List(list) => {
            if list.is_empty() {
                findings.add(
                    format!("{path}.audiences"),
                    "is empty, so no token would do; list them, or say `any`",
                );
            }
            Some(list)
        }
    };
    let binding = binding::read(&raw.bind, raw.dpop, (&name, path), secrets, findings);
    let typ = raw.typ.map(|typ| media_type(&typ));
    let looks_for_bearer = raw.from.iter().flatten().any(|source| {
        source
            .scheme
            .as_ref()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
    });
    if binding.dpop.is_some() && looks_for_bearer {
        findings.add(
            format!("{path}.from"),
            "looks under `Bearer`, where a token that `bind: [dpop]` wants is refused (RFC 9449 section 7.2); takes `scheme: DPoP`",
        );
    }
    let from = source::read(
        raw.from,
        &format!("{path}.from"),
        binding.default_sources(),
        findings,
    );
    let named_algorithms = raw.algorithms.is_some();
    let algorithms = algorithms(raw.algorithms, path, findings);
    let opaque = raw.introspection.is_some();
    let proof = match (raw.jwks, raw.introspection) {
        (Some(raw_keys), None) => Proof::Signature(jwks::read(
            raw_keys,
            &raw.issuer,
            &algorithms,
            &format!("{path}.jwks"),
            secrets,
            findings,
        )),
        (None, Some(introspection)) => {
            for (name, is_given) in [("type", typ.is_some()), ("algorithms", named_algorithms)] {
                if is_given {
                    findings.add(
                        format!("{path}.{name}"),
                        "goes with `jwks`: of an opaque token only its server knows what it is",
                    );
                }
            }
            let path = format!("{path}.introspection");
            introspection::read(introspection, &path, secrets, findings)
                .map_or_else(Proof::nothing, Proof::Introspection)
        }
        _ => {
            findings.add(
                format!("{path}.jwks"),
                "is missing, or stands beside `introspection`: a provider has keys (`jwks`) or is \
                 asked (`introspection`)",
            );
            Proof::nothing()
        }
    };
    let claim_headers = identity::read(
        raw.claim_headers,
        &format!("{path}.claim_headers"),
        "a claim, a dotted path (`realm.roles`) or a JSON pointer (`/https:~1~1example.com~1roles`)",
        findings,
    );
    Provider {
        issuer: raw.issuer,
        audiences,
        algorithms,
        proof,
        verifier: Verifier::default(),
        from,
        payload_header: payload_header(raw.payload_header, &claim_headers, path, findings),
        claim_headers,
        leeway: raw.leeway.map_or(Duration::from_secs(60), |span| span.0),
        max_lifetime: raw.max_lifetime.map(|span| span.0),
        require: required(raw.require, typ.as_deref(), opaque),
        typ,
        binding,
        subjects: raw
            .subjects
            .map(|texts| subjects::read(&texts, &format!("{path}.subjects"), findings)),
        keep: raw.forward == Some(raw::TokenForward::Keep),
        name,
    }
}

impl Proof {
    /// Whether it changes while the configuration stays.
    pub fn is_fetched(&self) -> bool {
        !matches!(self, Proof::Signature(KeySource::Inline(_)))
    }

    /// Of a configuration that is refused.
    fn nothing() -> Proof {
        Proof::Signature(KeySource::Inline(Arc::new(KeySet { keys: Vec::new() })))
    }
}

/// The claims that must be there: those that are listed, and those that RFC 9068 section 2.2 requires
/// of an access token, whatever is listed.
fn required(listed: Option<Vec<String>>, typ: Option<&str>, opaque: bool) -> Vec<String> {
    // What a server says of an opaque token needs no member but `active` (RFC 7662 section 2.2).
    let usual = if opaque {
        Vec::new()
    } else {
        vec!["exp".into()]
    };
    let mut all = listed.unwrap_or(usual);
    if typ == Some(ACCESS_TOKEN) {
        for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            if !all.iter().any(|listed| listed == claim) {
                all.push(claim.into());
            }
        }
    }
    all
}

/// The header of DPoP proofs, and the lower-case scheme of tokens bound by them (RFC 9449 sections 4.1
/// and 7.1).
pub const DPOP: &str = "dpop";

/// The `typ` of OAuth access tokens (RFC 9068 section 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";

/// A `typ` for comparison: RFC 7515 section 4.1.9 lets senders leave `application/` out.
pub fn media_type(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => lower,
    }
}

fn algorithms(names: Option<Vec<String>>, path: &str, findings: &mut Findings) -> Vec<Algorithm> {
    let path = format!("{path}.algorithms");
    let Some(names) = names else {
        return Algorithm::ALL
            .into_iter()
            .filter(|a| !a.is_symmetric())
            .collect();
    };
    if names.is_empty() {
        findings.add(
            &path,
            "is empty, so no token would do; remove it for the asymmetric ones",
        );
    }
    let mut algorithms = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match Algorithm::parse(name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let known: Vec<_> = Algorithm::ALL.iter().map(|a| a.name()).collect();
                findings.add(
                    format!("{path}[{index}]"),
                    format!("found `{name}`; takes {}", known.join(", ")),
                );
            }
        }
    }
    algorithms
}

fn payload_header(
    name: Option<String>,
    claim_headers: &[IdentityHeader],
    path: &str,
    findings: &mut Findings,
) -> Option<String> {
    let path = format!("{path}.payload_header");
    let name = identity::writable(&name?, &path, findings)?;
    if claim_headers
        .iter()
        .any(|other| fields::is_twin(&other.header, &name))
    {
        findings.add(path, format!("`{name}` is written by `claim_headers` too"));
    }
    Some(name)
}
