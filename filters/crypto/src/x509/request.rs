//! A request for a certificate (RFC 2986).

use super::{AlternativeNames, Extension, Extensions, Name, Oid, SignatureAlgorithm};
use crate::{
    der::{self, Element, Elements},
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
    pub attributes: Vec<RequestAttribute>,
}

/// An attribute whose values are lists of named values, as extensions are.
pub struct RequestAttribute {
    pub oid: Oid,
    pub values: Vec<Vec<(Oid, Asked)>>,
}

pub enum Asked {
    /// To Go, whose lists of values hold none.
    Nothing,
    Bytes(Vec<u8>),
    Other,
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
        let (version, subject, key, (all, attributes)) = (|| {
            let mut fields = tbs.elements()?;
            let version = der::small(fields.take(der::INTEGER)?.value)?;
            let subject = fields.take(der::SEQUENCE)?;
            let key = fields.take(der::SEQUENCE)?;
            let requested = match fields.maybe(der::constructed(0))? {
                Some(attributes) => requested(attributes)?,
                None => (Vec::new(), Vec::new()),
            };
            fields.end()?;
            Some((version, subject, key, requested))
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
            attributes,
        })
    }
}

/// The extensions that are asked for, and the attributes that Go tells as well.
fn requested(attributes: Element<'_>) -> Option<(Vec<Extension>, Vec<RequestAttribute>)> {
    let (mut extensions, mut told) = (Vec::new(), Vec::new());
    let mut attributes = attributes.elements()?;
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(der::SEQUENCE)?;
        let oid = attribute.take(der::OID)?.value;
        let values = attribute.take(der::SET)?;
        if oid == EXTENSION_REQUEST {
            let list = values.elements()?.take(der::SEQUENCE)?;
            extensions.extend(Extension::list(list)?);
        }
        if let Some(values) = values.elements().and_then(lists) {
            let oid = der::arcs(oid)?;
            told.push(RequestAttribute { oid, values });
        }
    }
    Some((extensions, told))
}

/// None where they are something else, such as a password.
fn lists(mut values: Elements<'_>) -> Option<Vec<Vec<(Oid, Asked)>>> {
    let mut found = Vec::new();
    while !values.is_empty() {
        let (mut list, mut members) = (Vec::new(), values.enter(der::SEQUENCE)?);
        while !members.is_empty() {
            let mut member = members.enter(der::SEQUENCE)?;
            let oid = der::arcs(member.take(der::OID)?.value)?;
            let value = member.any()?;
            let value = match value.tag {
                der::BOOLEAN => Asked::Nothing,
                der::OCTET_STRING => Asked::Bytes(value.value.to_vec()),
                _ => Asked::Other,
            };
            list.push((oid, value));
        }
        found.push(list);
    }
    Some(found)
}
