//! Which headers are whose: the places of credentials, and what only the gate may say.

use super::{Config, body, jwt, source::Source, webhooks::Webhook};
use crate::{credential::signature, error::Findings, fields};

/// What AWS's own headers begin with.
const AMZ: &str = "x-amz-";

/// Whether two places can hold what each of them expects: a header that is removed, or written
/// from a claim, never carries a credential, and a cookie has one list of origins.
pub fn check(config: &Config, findings: &mut Findings) {
    let sources: Vec<(String, &Source)> = config.sources().collect();
    for (index, (path, source)) in sources.iter().enumerate() {
        let name = match source {
            Source::Header { name, .. } => name.as_str(),
            Source::Cookie { .. } => "cookie",
            Source::Query { .. } => continue,
        };
        if config.headers.removes(name) {
            findings.add(
                "headers.remove",
                format!("takes `{name}` away, where `{path}` looks for a credential"),
            );
        }
        if config
            .identity_headers()
            .any(|header| fields::is_twin(header, name))
        {
            findings.add(
                path,
                format!(
                    "looks in `{name}`, which `claim_headers`, `payload_header` or `upstream` writes and clients may not send"
                ),
            );
        }
        let twin = sources
            .iter()
            .take(index)
            .find(|(_, other)| other.same_place(source) && other != source);
        if let Some((other, _)) = twin {
            findings.add(
                path,
                format!("looks in the same cookie as `{other}`, with other `origins`"),
            );
        }
    }
    let Some(proof) = config.proof_field() else {
        return;
    };
    if config.headers.removes(proof) {
        findings.add(
            "headers.remove",
            format!("takes `{proof}` away, where `bind: [dpop]` looks for proofs"),
        );
    }
    if config
        .identity_headers()
        .any(|header| fields::is_twin(header, proof))
    {
        findings.add(
            "jwt.providers",
            format!(
                "`claim_headers`, `payload_header` or `upstream` writes `{proof}`, where `bind: [dpop]` looks for proofs"
            ),
        );
    }
}

impl Config {
    /// The headers that tell the upstream who was verified.
    pub fn identity_headers(&self) -> impl Iterator<Item = &str> {
        let providers = self.providers.iter();
        providers
            .flat_map(jwt::Provider::identity_headers)
            .chain(self.upstream.reserved())
    }

    /// Whether a digest of any body is held against it.
    pub fn checks_digests(&self) -> bool {
        self.every_settings()
            .any(|it| it.body.digest != body::Digest::Off)
    }

    /// Those who look for credentials in this header: the path of their `forward`, and whether they
    /// keep there what was good.
    pub fn keepers(&self, header: &str) -> impl Iterator<Item = (String, bool)> {
        let looks = move |from: &[Source]| {
            let mut from = from.iter();
            from.any(|it| matches!(it, Source::Header { name, .. } if name == header))
        };
        let providers = self.providers.iter().map(move |it| {
            let path = format!("jwt.providers.{}.forward", it.name);
            (path, it.keep && looks(&it.from))
        });
        let keys = self.api_keys.iter().map(move |keys| {
            (
                "api_keys.forward".to_owned(),
                keys.keep && looks(&keys.from),
            )
        });
        providers.chain(keys)
    }

    /// Where proofs of possession stand, if any provider asks for them.
    fn proof_field(&self) -> Option<&'static str> {
        let mut providers = self.providers.iter();
        providers
            .any(|provider| provider.binding.dpop.is_some())
            .then_some(jwt::DPOP)
    }

    /// Every place where a credential is looked for, with the path of its list.
    fn sources(&self) -> impl Iterator<Item = (String, &Source)> {
        let providers = self
            .providers
            .iter()
            .map(|p| (format!("jwt.providers.{}.from", p.name), &p.from));
        let keys = self
            .api_keys
            .iter()
            .map(|keys| ("api_keys.from".to_owned(), &keys.from));
        providers
            .chain(keys)
            .flat_map(|(path, sources)| sources.iter().map(move |source| (path.clone(), source)))
    }

    /// Whether a client may never send this header, on no route: it states an identity that only
    /// the gate states, or an upstream would fold it into one that carries a credential.
    pub fn is_reserved(&self, name: &str) -> bool {
        let credentials = self
            .providers
            .iter()
            .flat_map(|provider| &provider.from)
            .chain(self.api_keys.iter().flat_map(|keys| &keys.from));
        let headers = credentials.filter_map(|source| match source {
            Source::Header { name, .. } => Some(name.as_str()),
            _ => None,
        });
        let mut folded = headers
            .chain(self.signature_fields())
            .chain(self.upstream.replaced());
        self.identity_headers()
            .any(|own| fields::is_twin(own, name))
            || self.is_twin_of_amz(name)
            || folded.any(|own| own != name && fields::is_twin(own, name))
    }

    pub fn is_barred_from_trailers(&self, name: &str) -> bool {
        let carries =
            |source: &Source| matches!(source, Source::Header { name: own, .. } if own == name);
        self.is_reserved(name)
            || self.headers.removes(name)
            || self.sources().any(|(_, source)| carries(source))
            || self.signature_fields().any(|own| own == name)
            || (self.has_sigv4() && name.starts_with(AMZ))
            || self.upstream.replaced() == Some(name)
            || self.proof_field() == Some(name)
    }

    fn has_sigv4(&self) -> bool {
        let mut webhooks = self.signatures.iter().flat_map(|it| &it.webhooks);
        webhooks.any(Webhook::covers_amz)
    }

    /// Every one of AWS's own headers must be signed: another spelling of one is none that could be.
    fn is_twin_of_amz(&self, name: &str) -> bool {
        !name.starts_with(AMZ) && fields::folded(name).starts_with(AMZ) && self.has_sigv4()
    }

    fn signature_fields(&self) -> impl Iterator<Item = &str> {
        let keys = self.signatures.as_ref().is_some_and(|it| it.has_keys());
        let is_there = keys || self.upstream.sign.is_some();
        let own = is_there.then_some(signature::FIELDS);
        let webhooks = self.signatures.iter().flat_map(|it| &it.webhooks);
        let webhooks = webhooks.flat_map(Webhook::fields);
        own.into_iter().flatten().chain(webhooks)
    }
}
