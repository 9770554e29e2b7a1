//! What the upstream is told: who was verified, and proof that it was this gate that verified it.

mod facts;
mod keys;
pub mod raw;

pub use keys::Key;

use super::{
    Config,
    identity::{self, IdentityHeader},
};
use crate::{
    body::digest, credential::signature::FIELDS, error::Findings, fields, gate::Secrets,
    message_signature::Component,
};
use portcullis_rego::Reach;
use std::{collections::BTreeMap, time::Duration};

pub struct Upstream {
    pub headers: Vec<IdentityHeader>,
    pub sign: Option<Sign>,
    pub wristband: Option<Wristband>,
    /// Of `input.verified`, what the headers and the wristband's claims are made of.
    pub reach: Reach,
    /// The gate's public keys as a JWK Set (RFC 7517 section 5); `None` where there are none.
    pub jwks: Option<String>,
}

/// A signature (RFC 9421) over each request that goes on.
pub struct Sign {
    pub key: Key,
    /// Covered where the request has them, besides the identity headers and a digest that was checked.
    pub components: Vec<Component>,
    /// Of the signature, and its `tag`.
    pub label: String,
    pub lifetime: Duration,
}

/// A token of the gate's own, about what was verified of one request.
pub struct Wristband {
    pub key: Key,
    pub issuer: String,
    pub audience: Vec<String>,
    pub lifetime: Duration,
    /// Lower-case.
    pub header: String,
    /// Names, and the members of `input.verified` to walk.
    pub claims: Vec<(String, Vec<String>)>,
}

impl Wristband {
    /// Whether it stands where clients' own tokens do, as `Bearer`.
    pub fn is_bearer(&self) -> bool {
        self.header == AUTHORIZATION
    }
}

const AUTHORIZATION: &str = "authorization";

/// Where a wristband stands that takes no client's token's place.
const WRISTBAND_HEADER: &str = "x-portcullis-token";

/// The claims that the gate makes itself.
pub const OWN_CLAIMS: [&str; 9] = [
    "iss",
    "aud",
    "iat",
    "nbf",
    "exp",
    "jti",
    "sub",
    "scope",
    "portcullis",
];

/// Both are for one hop: a longer life helps nobody but who has stolen one.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// `in_place`: a provider whose tokens are replaced by the wristband, if there is one.
pub fn read(
    raw: raw::Upstream,
    in_place: Option<&str>,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Upstream {
    let takes = "a fact below `input.verified`, such as `jwt.claims.sub` or `api_key.subject`, or a JSON pointer (`/jwt/claims/https:~1~1example.com~1roles`)";
    let headers = identity::read(raw.headers, "upstream.headers", takes, findings);
    let sign = raw.sign.and_then(|raw| sign(raw, secrets, findings));
    if let (None, Some(provider)) = (&raw.wristband, in_place) {
        findings.add(
            format!("jwt.providers.{provider}.forward"),
            "is `wristband`, and there is no `upstream.wristband` that says what one is",
        );
    }
    let wristband = raw
        .wristband
        .and_then(|raw| wristband(raw, in_place, secrets, findings));
    let published = keys::Published::read(&raw.publish, findings);
    let own = [
        ("upstream.sign.key", sign.as_ref().map(|it| &it.key)),
        (
            "upstream.wristband.key",
            wristband.as_ref().map(|it| &it.key),
        ),
    ];
    let claims = wristband.iter().flat_map(|it| &it.claims);
    let paths = headers.iter().map(|own| own.path.as_slice());
    Upstream {
        reach: Reach::of_paths(paths.chain(claims.map(|(_, path)| path.as_slice()))),
        jwks: published.with(own, findings),
        headers,
        sign,
        wristband,
    }
}

fn sign(raw: raw::Sign, secrets: &dyn Secrets, findings: &mut Findings) -> Option<Sign> {
    let label = raw.label.unwrap_or_else(|| "portcullis".into());
    if !keys::is_label(&label) {
        findings.add(
            "upstream.sign.label",
            format!("found `{label}`; takes a key of a structured field: `a` to `z`, digits, `_`, `-`, `.` and `*`, a letter first (RFC 9651 section 3.1.2)"),
        );
    }
    let given = raw.components.unwrap_or_else(|| {
        ["@method", "@authority", "@path", "@query"]
            .map(String::from)
            .into()
    });
    Some(Sign {
        components: components(&given, findings),
        key: keys::read(
            &raw.key,
            keys::Kind::Signature,
            "upstream.sign.key",
            secrets,
            findings,
        )?,
        label,
        lifetime: lifetime(raw.lifetime, "upstream.sign.lifetime", findings),
    })
}

fn components(texts: &[String], findings: &mut Findings) -> Vec<Component> {
    let path = "upstream.sign.components";
    if texts.is_empty() {
        findings.add(
            path,
            "is empty, so that a signature would be good for every request; takes `@method` and what else \
             reaches the upstream as it is",
        );
    }
    let components = super::signatures::components(texts, path, findings);
    for (index, component) in components.iter().enumerate() {
        let mut say = |why: &str| findings.add(format!("{path}[{index}]"), why);
        match component.plain_field() {
            None if component.is_plain_derived() => {}
            None => {
                say("has parameters; takes `@method`, `@path` and the like, and names of fields")
            }
            Some(name) if FIELDS.contains(&name) => {
                say("is where the gate's own signature stands, which changes it");
            }
            Some("host") => say("is written by proxies; takes `@authority`"),
            Some(name) if fields::is_framing(name) => {
                say("belongs to one hop, and the proxy writes it anew");
            }
            Some(_) => {}
        }
    }
    components
}

fn wristband(
    raw: raw::Wristband,
    in_place: Option<&str>,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> Option<Wristband> {
    let audience = match raw.audience {
        raw::Audience::One(one) => vec![one],
        raw::Audience::List(list) => list,
    };
    let is_named = !audience.is_empty() && !audience.iter().any(String::is_empty);
    for (name, good) in [("issuer", !raw.issuer.is_empty()), ("audience", is_named)] {
        if !good {
            findings.add(
                format!("upstream.wristband.{name}"),
                "is empty; whoever verifies a wristband holds it against this",
            );
        }
    }
    let at = "upstream.wristband.header";
    let header = match (raw.header, in_place) {
        (None, Some(_)) => AUTHORIZATION.to_owned(),
        (None, None) => WRISTBAND_HEADER.to_owned(),
        (Some(name), in_place) => {
            let name = identity::writable(&name, at, findings)?;
            if let Some(provider) = in_place.filter(|_| name != AUTHORIZATION) {
                findings.add(at, format!("is `{name}`, and `jwt.providers.{provider}.forward: wristband` puts it into `authorization`; takes one place"));
            }
            name
        }
    };
    let mut claims = Vec::new();
    for (name, text) in raw.claims {
        let at = format!("upstream.wristband.claims.{name}");
        if OWN_CLAIMS.contains(&name.as_str()) {
            findings.add(&at, "is a claim that the gate makes itself");
        }
        match identity::path(&text) {
            Some(path) => claims.push((name, path)),
            None => findings.add(
                &at,
                format!("found `{text}`; takes a fact below `input.verified`"),
            ),
        }
    }
    Some(Wristband {
        key: keys::read(
            &raw.key,
            keys::Kind::Token,
            "upstream.wristband.key",
            secrets,
            findings,
        )?,
        issuer: raw.issuer,
        audience,
        lifetime: lifetime(raw.lifetime, "upstream.wristband.lifetime", findings),
        header,
        claims,
    })
}

fn lifetime(found: Option<super::scalar::Span>, path: &str, findings: &mut Findings) -> Duration {
    let lifetime = found.map_or(Duration::from_secs(30), |span| span.0);
    if lifetime < Duration::from_secs(1) || lifetime > MAX_LIFETIME {
        findings.add(
            path,
            "takes from `1s` to `1h`: it is for the way from here to the upstream",
        );
    }
    lifetime
}

impl Upstream {
    /// Headers that only the gate writes, and clients may never send.
    pub fn reserved(&self) -> impl Iterator<Item = &str> {
        let band = self.wristband.iter().filter(|it| !it.is_bearer());
        self.headers
            .iter()
            .map(|own| own.header.as_str())
            .chain(band.map(|it| it.header.as_str()))
    }

    /// `authorization`, where the wristband stands there: clients may send theirs, and the upstream
    /// gets the gate's.
    pub fn replaced(&self) -> Option<&str> {
        let band = self.wristband.as_ref().filter(|it| it.is_bearer());
        band.map(|it| it.header.as_str())
    }
}

/// What only shows beside the rest of the document.
pub fn check(config: &Config, findings: &mut Findings) {
    let upstream = &config.upstream;
    for own in &upstream.headers {
        facts::check(
            config,
            &own.path,
            &format!("upstream.headers.{}", own.header),
            findings,
        );
    }
    for (name, path) in upstream.wristband.iter().flat_map(|it| &it.claims) {
        facts::check(
            config,
            path,
            &format!("upstream.wristband.claims.{name}"),
            findings,
        );
    }
    one_writer(config, findings);
    if let Some(place) = upstream.replaced() {
        for (path, keeps) in config.keepers(place) {
            if keeps {
                findings.add(
                    path,
                    format!("keeps a client's credential in `{place}`, where the wristband stands; takes `strip` or `wristband`"),
                );
            }
        }
    }
    let Some(sign) = &upstream.sign else {
        return;
    };
    for (index, component) in sign.components.iter().enumerate() {
        let Some(name) = component.plain_field() else {
            continue;
        };
        let path = format!("upstream.sign.components[{index}]");
        let is_own = config.identity_headers().any(|own| own == name);
        if name == digest::FIELD && !config.checks_digests() {
            findings.add(path, "is never covered: the gate vouches for a digest that it has checked, and `body.digest` is `off` on every route");
        } else if config.headers.removes(name) && !is_own {
            findings.add(
                path,
                format!("is never there: `headers.remove` takes `{name}` away"),
            );
        }
    }
}

/// A header with two writers says what the later one says.
fn one_writer(config: &Config, findings: &mut Findings) {
    let mut writers: BTreeMap<String, &'static str> = BTreeMap::new();
    let fold = fields::folded;
    for own in config.providers.iter().flat_map(|it| it.identity_headers()) {
        writers.insert(fold(own), "`claim_headers` or `payload_header`");
    }
    if config.upstream.sign.is_some() {
        writers.extend(FIELDS.map(|name| (name.to_owned(), "`upstream.sign`")));
    }
    let mut add = |name: &str, path: String, writer| {
        if let Some(other) = writers.insert(fold(name), writer) {
            findings.add(path, format!("`{name}` is written by {other} too"));
        }
    };
    for own in &config.upstream.headers {
        add(
            &own.header,
            format!("upstream.headers.{}", own.header),
            "`upstream.headers`",
        );
    }
    if let Some(band) = &config.upstream.wristband {
        add(
            &band.header,
            "upstream.wristband.header".into(),
            "`upstream.wristband`",
        );
    }
}
