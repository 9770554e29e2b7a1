//! A request for a certificate (RFC 2986).

use super::{AlternativeNames, Extension, Extensions, Name, SignatureAlgorithm};
use crate::{
    der::{self, Element},
    public::{Fault, PublicKey},
};

pub struct Request {
    pub raw: Vec<u8>,
    /// What is signed.
    pub raw_tbs: Vec<u8>,
    pub raw_key: Vec<u8>,
    pub raw_subject: Vec<u8>,
    pub version: u32,
    pub signature: Vec<u8>,
    pub signature_algorithm: SignatureAlgorithm,
    pub public_key: PublicKey,
    pub subject: Name,
    pub all: Vec<Extension>,
    pub names: AlternativeNames,
    /// Whether there are attributes that no extension is made of.
    pub has_attributes: bool,
}

/// `extensionRequest` (RFC 2985 section 5.4.2).
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

impl Request {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Request, Fault> {
        const STRUCTURE: Fault = "asn1: structure error";
        let whole = der::only(der, der::SEQUENCE).ok_or(STRUCTURE)?;
        let (tbs, algorithm, signature) = (|| {
            let mut outer = whole.elements()?;
            let parts = (
                outer.take(der::SEQUENCE)?,
                outer.take(der::SEQUENCE)?,
                der::bytes(outer.take(der::BIT_STRING)?.value)?,
            );
            outer.end()?;
            Some(parts)
        })()
        .ok_or(STRUCTURE)?;
        let (version, subject, key, all, has_attributes) = (|| {
            let mut fields = tbs.elements()?;
            let version = der::small(fields.take(der::INTEGER)?.value)?;
            let subject = fields.take(der::SEQUENCE)?;
            let key = fields.take(der::SEQUENCE)?;
            let (all, has_attributes) = match fields.maybe(der::constructed(0))? {
                Some(attributes) => requested(attributes)?,
                None => (Vec::new(), false),
            };
            fields.end()?;
            Some((version, subject, key, all, has_attributes))
        })()
        .ok_or(STRUCTURE)?;
        let extensions = Extensions::of(&all)?;
        Ok(Request {
            raw: whole.whole.to_vec(),
            raw_tbs: tbs.whole.to_vec(),
            raw_key: key.whole.to_vec(),
            raw_subject: subject.whole.to_vec(),
            version,
            signature: signature.to_vec(),
            signature_algorithm: SignatureAlgorithm::read(algorithm).ok_or(STRUCTURE)?,
            public_key: PublicKey::of_info(key)?,
            subject: Name::read(subject).ok_or("x509: invalid RDNSequence")?,
            all,
            names: extensions.names,
            has_attributes,
        })
    }
}

/// The extensions that are asked for, and whether there is any attribute that Go's older list of
/// attributes would hold.
fn requested(attributes: Element<'_>) -> Option<(Vec<Extension>, bool)> {
    let (mut extensions, mut others) = (Vec::new(), false);
    let mut attributes = attributes.elements()?;
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(der::SEQUENCE)?;
        let oid = attribute.take(der::OID)?.value;
        let mut values = attribute.enter(der::SET)?;
        if oid == EXTENSION_REQUEST {
            extensions.extend(Extension::list(values.take(der::SEQUENCE)?)?);
        }
        others = true;
    }
    Some((extensions, others))
}
