//! A certificate (RFC 5280 section 4.1).

use super::{Extension, Extensions, Name, SignatureAlgorithm, Time};
use crate::{
    der::{self, Element, Elements},
    public::{Fault, PublicKey},
};

pub struct Certificate {
    pub raw: Vec<u8>,
    /// What is signed.
    pub raw_tbs: Vec<u8>,
    pub raw_key: Vec<u8>,
    pub raw_subject: Vec<u8>,
    pub raw_issuer: Vec<u8>,
    pub signature: Vec<u8>,
    pub signature_algorithm: SignatureAlgorithm,
    pub public_key: PublicKey,
    /// From 1.
    pub version: u32,
    /// Big-endian, without zeros before it.
    pub serial: Vec<u8>,
    pub issuer: Name,
    pub subject: Name,
    pub not_before: Time,
    pub not_after: Time,
    pub all: Vec<Extension>,
    pub extensions: Extensions,
}

/// Certificates in DER, one after the other.
///
/// # Errors
/// What is wrong with the first that is none.
pub fn certificates(der: &[u8]) -> Result<Vec<Certificate>, Fault> {
    let mut rest = Elements::of(der).ok_or(MALFORMED)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let element = rest.take(der::SEQUENCE).ok_or(MALFORMED)?;
        found.push(Certificate::read(element)?);
    }
    Ok(found)
}

const MALFORMED: Fault = "x509: malformed certificate";

impl Certificate {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Certificate, Fault> {
        Certificate::read(der::only(der, der::SEQUENCE).ok_or(MALFORMED)?)
    }

    fn read(element: Element<'_>) -> Result<Certificate, Fault> {
        let mut outer = element.elements().ok_or(MALFORMED)?;
        let tbs = outer
            .take(der::SEQUENCE)
            .ok_or("x509: malformed tbs certificate")?;
        let mut fields = tbs.elements().ok_or("x509: malformed tbs certificate")?;
        let version = (|| match fields.maybe(der::constructed(0))? {
            Some(version) => der::small(der::only(version.value, der::INTEGER)?.value),
            None => Some(0),
        })()
        .ok_or("x509: malformed version")?;
        if version > 2 {
            return Err("x509: invalid version");
        }
        let serial = fields
            .take(der::INTEGER)
            .and_then(|serial| der::integer(serial.value))
            .ok_or("x509: malformed serial number")?;
        let serial = der::unsigned(serial).ok_or("x509: negative serial number")?;
        const ALGORITHM: Fault = "x509: malformed signature algorithm identifier";
        let inner = fields.take(der::SEQUENCE).ok_or(ALGORITHM)?;
        let stated = outer.take(der::SEQUENCE).ok_or(ALGORITHM)?;
        if inner.whole != stated.whole {
            return Err("x509: inner and outer signature algorithm identifiers don't match");
        }
        let signature_algorithm = SignatureAlgorithm::read(inner).ok_or(ALGORITHM)?;
        let issuer = fields.take(der::SEQUENCE).ok_or("x509: malformed issuer")?;
        let (not_before, not_after) = (|| {
            let mut validity = fields.enter(der::SEQUENCE)?;
            Some((Time::read(validity.any()?)?, Time::read(validity.any()?)?))
        })()
        .ok_or("x509: malformed validity")?;
        let subject = fields
            .take(der::SEQUENCE)
            .ok_or("x509: malformed subject")?;
        const NAME: Fault = "x509: invalid RDNSequence";
        let key = fields.take(der::SEQUENCE).ok_or("x509: malformed spki")?;
        let all = (|| {
            if version == 0 {
                return Some(Vec::new());
            }
            // The issuer's and the subject's unique identifiers, which nobody uses.
            fields.maybe(der::context(1))?;
            fields.maybe(der::context(2))?;
            match fields.maybe(der::constructed(3))? {
                Some(extensions) if version == 2 => {
                    Extension::list(der::only(extensions.value, der::SEQUENCE)?)
                }
                _ => Some(Vec::new()),
            }
        })()
        .ok_or("x509: malformed extensions")?;
        let signature = outer
            .take(der::BIT_STRING)
            .and_then(|signature| der::bytes(signature.value))
            .ok_or("x509: malformed signature")?;
        Ok(Certificate {
            raw: element.whole.to_vec(),
            raw_tbs: tbs.whole.to_vec(),
            raw_key: key.whole.to_vec(),
            raw_subject: subject.whole.to_vec(),
            raw_issuer: issuer.whole.to_vec(),
            signature: signature.to_vec(),
            signature_algorithm,
            // A key to agree on secrets with is none to Go here.
            public_key: match PublicKey::of_info(key)? {
                PublicKey::X25519(_) => PublicKey::Unknown,
                key => key,
            },
            version: version.saturating_add(1),
            serial: serial.to_vec(),
            issuer: Name::read(issuer).ok_or(NAME)?,
            subject: Name::read(subject).ok_or(NAME)?,
            not_before,
            not_after,
            extensions: Extensions::of(&all)?,
            all,
        })
    }
}
