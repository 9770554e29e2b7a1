//! Certificates that live as long as the run, and what Envoy tells of each: no private key is ever in
//! the repository.

use crate::{
    error::Error,
    scenario::{CertificateSpec, NameAttribute},
    subject::Tls,
    template,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    SanType,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fmt::Display, sync::Arc};

/// Whom listeners and clients trust, and the listeners' own certificate.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
    pub pem: String,
    pub server_pem: String,
    pub server_key_pem: String,
}

/// What Envoy's attributes say of a client's certificate.
#[derive(Clone, Debug)]
pub struct Facts {
    pub uri_san: Option<String>,
    pub dns_san: Option<String>,
    pub subject: String,
    pub sha256: String,
}

/// What clients call the listeners, whatever `Host` says.
pub const SERVER: &str = "gate.test";

impl Authority {
    pub fn new() -> Result<Authority, Error> {
        let failed = |error| fault("authority", &error);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "the run's authority");
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        let server_key = KeyPair::generate().map_err(failed)?;
        let server = CertificateParams::new([SERVER.to_owned()])
            .and_then(|params| params.signed_by(&server_key, &issuer))
            .map_err(failed)?;
        let mut roots = RootCertStore::empty();
        roots
            .add(issuer.der().clone())
            .map_err(|error| fault("authority", &error))?;
        Ok(Authority {
            pem: issuer.pem(),
            server_pem: server.pem(),
            server_key_pem: server_key.serialize_pem(),
            roots: Arc::new(roots),
            issuer,
        })
    }

    /// A client that shows no certificate.
    pub fn nobody(&self) -> Result<Tls, Error> {
        let config = self.client("nobody")?.with_no_client_auth();
        Ok(Tls::new(config, None))
    }

    /// A client that shows a certificate of this kind.
    pub fn somebody(&self, name: &str, spec: &CertificateSpec) -> Result<Tls, Error> {
        let key = KeyPair::generate().map_err(|error| fault(name, &error))?;
        let made = params(spec).and_then(|params| match spec.self_signed {
            true => params.self_signed(&key),
            false => params.signed_by(&key, &self.issuer),
        });
        let certificate = made.map_err(|error| fault(name, &error))?.der().clone();
        let facts = Facts {
            uri_san: spec.uri.first().cloned(),
            dns_san: spec.dns.first().cloned(),
            subject: rfc2253(&spec.subject),
            sha256: template::hex(&hmac_sha256::Hash::hash(&certificate)),
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = self
            .client(name)?
            .with_client_auth_cert(vec![certificate], key)
            .map_err(|error| fault(name, &error))?;
        Ok(Tls::new(config, Some(facts)))
    }

    fn client(
        &self,
        name: &str,
    ) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(name, &error))?;
        Ok(builder.with_root_certificates(Arc::clone(&self.roots)))
    }
}

fn params(spec: &CertificateSpec) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (attribute, value) in &spec.subject {
        let kind = match attribute {
            NameAttribute::CN => DnType::CommonName,
            NameAttribute::O => DnType::OrganizationName,
            NameAttribute::OU => DnType::OrganizationalUnitName,
        };
        params.distinguished_name.push(kind, value.as_str());
    }
    for uri in &spec.uri {
        let uri = uri.as_str().try_into()?;
        params.subject_alt_names.push(SanType::URI(uri));
    }
    for dns in &spec.dns {
        let dns = dns.as_str().try_into()?;
        params.subject_alt_names.push(SanType::DnsName(dns));
    }
    Ok(params)
}

/// As OpenSSL writes RFC 2253: the last first, and all that is not printable ASCII by its bytes.
fn rfc2253(subject: &[(NameAttribute, String)]) -> String {
    let parts: Vec<String> = subject
        .iter()
        .rev()
        .map(|(attribute, value)| format!("{attribute:?}={}", escaped(value)))
        .collect();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::new();
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => text.push('\\'),
            b'#' if index == 0 => text.push('\\'),
            b' ' if index == 0 || index == last => text.push('\\'),
            b' '..=b'~' => {}
            other => {
                text.push_str(&format!("\\{other:02X}"));
                continue;
            }
        }
        text.push(char::from(byte));
    }
    text
}

fn fault(name: &str, error: &dyn Display) -> Error {
    Error::Certificate(name.to_owned(), error.to_string())
}
