//! Other names of a subject (RFC 5280 section 4.2.1.6).

use crate::{der, public::Fault};

#[derive(Clone, Debug, Default)]
pub struct AlternativeNames {
    /// The extension as it is written; empty where there is none.
    pub raw: Vec<u8>,
    pub dns: Vec<String>,
    pub email: Vec<String>,
    /// Of 4 or 16 bytes.
    pub addresses: Vec<Vec<u8>>,
    pub uris: Vec<String>,
}

impl AlternativeNames {
    pub(super) fn read(value: &[u8]) -> Result<AlternativeNames, Fault> {
        const INVALID: Fault = "x509: invalid subject alternative names";
        let mut found = AlternativeNames {
            raw: value.to_vec(),
            ..AlternativeNames::default()
        };
        let mut names = der::only(value, der::SEQUENCE)
            .and_then(der::Element::elements)
            .ok_or(INVALID)?;
        while !names.is_empty() {
            let name = names.any().ok_or(INVALID)?;
            let text = || ia5(name.value).ok_or("x509: SAN is malformed");
            match name.tag & 0x1f {
                1 => found.email.push(text()?),
                2 => found.dns.push(text()?),
                6 => found.uris.push(text()?),
                7 if matches!(name.value.len(), 4 | 16) => {
                    found.addresses.push(name.value.to_vec());
                }
                7 => return Err("x509: cannot parse IP address"),
                _ => {}
            }
        }
        Ok(found)
    }

    pub fn is_empty(&self) -> bool {
        self.dns.is_empty()
            && self.email.is_empty()
            && self.addresses.is_empty()
            && self.uris.is_empty()
    }
}

pub(super) fn ia5(value: &[u8]) -> Option<String> {
    str::from_utf8(value)
        .ok()
        .filter(|text| text.is_ascii())
        .map(str::to_owned)
}
