//! Distinguished names (RFC 5280 section 4.1.2.4).

use super::Oid;
use crate::der::{self, Element};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// In the order in which they are written.
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub oid: Oid,
    pub value: String,
}

impl Name {
    pub(super) fn read(element: Element<'_>) -> Option<Name> {
        let mut attributes = Vec::new();
        let mut sets = element.elements()?;
        while !sets.is_empty() {
            let mut set = sets.enter(der::SET)?;
            while !set.is_empty() {
                let mut attribute = set.enter(der::SEQUENCE)?;
                let oid = der::arcs(attribute.take(der::OID)?.value)?;
                let value = text(attribute.any()?)?;
                attributes.push(Attribute { oid, value });
            }
        }
        Some(Name { attributes })
    }

    /// The values of an attribute of X.520, by the last number of its identifier.
    pub fn values(&self, number: u32) -> impl DoubleEndedIterator<Item = &str> {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.oid == [2, 5, 4, number])
            .map(|attribute| &*attribute.value)
    }
}

/// A string of any of ASN.1's kinds.
pub(super) fn text(element: Element<'_>) -> Option<String> {
    let value = element.value;
    let ascii = |allowed: fn(&u8) -> bool| {
        let all = value.iter().all(allowed);
        all.then(|| value.iter().copied().map(char::from).collect())
    };
    match element.tag {
        der::UTF8_STRING => str::from_utf8(value).ok().map(str::to_owned),
        der::PRINTABLE_STRING => ascii(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'\''..=b'/' | b' ' | b':' | b'=' | b'?' | b'&')
        }),
        der::IA5_STRING => ascii(u8::is_ascii),
        der::NUMERIC_STRING => ascii(|byte| byte.is_ascii_digit() || *byte == b' '),
        der::T61_STRING => ascii(|_| true),
        der::BMP_STRING => {
            let (pairs, odd) = value.as_chunks::<2>();
            let mut units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            if units.last() == Some(&0) {
                units.pop();
            }
            odd.is_empty().then(|| String::from_utf16_lossy(&units))
        }
        _ => None,
    }
}
