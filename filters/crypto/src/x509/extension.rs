//! What a certificate says besides (RFC 5280 section 4.2).

use super::{AlternativeNames, Oid, general};
use crate::{
    der::{self, Element, Elements},
    public::Fault,
};

#[derive(Clone, Debug)]
pub struct Extension {
    pub oid: Oid,
    pub critical: bool,
    pub value: Vec<u8>,
}

/// Those of the extensions that are known.
#[derive(Default)]
pub struct Extensions {
    /// A bit for each, the first lowest.
    pub key_usage: u32,
    /// Critical, and not known.
    pub unhandled: Vec<Oid>,
    /// Go's numbers.
    pub key_purposes: Vec<u8>,
    pub unknown_purposes: Vec<Oid>,
    pub basic: Option<BasicConstraints>,
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    pub ocsp: Vec<String>,
    pub issuing: Vec<String>,
    pub names: AlternativeNames,
    pub name_constraints: Option<NameConstraints>,
    pub distribution_points: Vec<String>,
    pub policies: Vec<Oid>,
    /// Constraints on policies, or between them: what Go makes of them is not known here.
    pub constrains_policies: bool,
}

#[derive(Clone, Copy)]
pub struct BasicConstraints {
    pub is_ca: bool,
    pub max_path: Option<u32>,
}

#[derive(Default)]
pub struct NameConstraints {
    pub critical: bool,
    pub permitted: Subtrees,
    pub excluded: Subtrees,
}

#[derive(Default)]
pub struct Subtrees {
    pub dns: Vec<String>,
    pub email: Vec<String>,
    pub uris: Vec<String>,
    /// Address and mask.
    pub ranges: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extension {
    /// Each of another kind.
    pub(super) fn list(list: Element<'_>) -> Option<Vec<Extension>> {
        let mut elements = list.elements()?;
        let mut found: Vec<Extension> = Vec::new();
        while !elements.is_empty() {
            let mut extension = elements.enter(der::SEQUENCE)?;
            let oid = der::arcs(extension.take(der::OID)?.value)?;
            let critical = match extension.maybe(der::BOOLEAN)? {
                Some(critical) => der::boolean(critical.value)?,
                None => false,
            };
            let value = extension.take(der::OCTET_STRING)?.value.to_vec();
            if found.len() >= MAX || found.iter().any(|known| known.oid == oid) {
                return None;
            }
            found.push(Extension {
                oid,
                critical,
                value,
            });
        }
        Some(found)
    }
}

/// Beyond what any certificate has; each is compared with each.
const MAX: usize = 100;

impl Extensions {
    pub(super) fn of(all: &[Extension]) -> Result<Extensions, Fault> {
        let mut found = Extensions::default();
        for extension in all {
            let value = &extension.value;
            let handled = match *extension.oid {
                [2, 5, 29, 14] => {
                    let id = der::only(value, der::OCTET_STRING);
                    let id = id.ok_or("x509: invalid subject key identifier")?;
                    found.subject_key_id = Some(id.value.to_vec());
                    true
                }
                [2, 5, 29, 15] => {
                    let usage = key_usage(value).ok_or("x509: invalid key usage")?;
                    found.key_usage = usage;
                    true
                }
                [2, 5, 29, 17] => {
                    found.names = AlternativeNames::read(value)?;
                    !found.names.is_empty()
                }
                [2, 5, 29, 19] => {
                    let basic = basic(value).ok_or("x509: invalid basic constraints")?;
                    found.basic = Some(basic);
                    true
                }
                [2, 5, 29, 30] => {
                    let mut constraints =
                        name_constraints(value).ok_or("x509: invalid NameConstraints extension")?;
                    constraints.0.critical = extension.critical;
                    found.name_constraints = Some(constraints.0);
                    constraints.1
                }
                [2, 5, 29, 31] => {
                    let points = distribution_points(value);
                    found.distribution_points =
                        points.ok_or("x509: invalid CRL distribution points")?;
                    true
                }
                [2, 5, 29, 32] => {
                    found.policies =
                        list_of_oids(value, true).ok_or("x509: invalid certificate policies")?;
                    true
                }
                [2, 5, 29, 33 | 36 | 54] => {
                    found.constrains_policies = true;
                    true
                }
                [2, 5, 29, 35] => {
                    found.authority_key_id =
                        authority(value).ok_or("x509: invalid authority key identifier")?;
                    true
                }
                [2, 5, 29, 37] => {
                    let oids =
                        list_of_oids(value, false).ok_or("x509: invalid extended key usages")?;
                    for oid in oids {
                        match purpose(&oid) {
                            Some(purpose) => found.key_purposes.push(purpose),
                            None => found.unknown_purposes.push(oid),
                        }
                    }
                    true
                }
                [1, 3, 6, 1, 5, 5, 7, 1, 1] => {
                    let (ocsp, issuing) =
                        access(value).ok_or("x509: invalid authority info access")?;
                    (found.ocsp, found.issuing) = (ocsp, issuing);
                    true
                }
                _ => false,
            };
            if extension.critical && !handled {
                found.unhandled.push(extension.oid.clone());
            }
        }
        Ok(found)
    }
}

fn key_usage(value: &[u8]) -> Option<u32> {
    let (unused, bytes) = der::bits(der::only(value, der::BIT_STRING)?.value)?;
    let bit = |position: usize| {
        let byte = bytes.get(position >> 3).copied().unwrap_or(0);
        let length = bytes
            .len()
            .saturating_mul(8)
            .saturating_sub(usize::from(unused));
        position < length && byte & (0x80_u8 >> (position & 7)) != 0
    };
    Some(
        (0..9)
            .filter(|position| bit(*position))
            .fold(0, |usage, position| usage | (1 << position)),
    )
}

fn basic(value: &[u8]) -> Option<BasicConstraints> {
    let mut fields = der::only(value, der::SEQUENCE)?.elements()?;
    let is_ca = match fields.tag() == Some(der::BOOLEAN) {
        true => fields.boolean()?,
        false => false,
    };
    let max_path = match fields.maybe(der::INTEGER)? {
        Some(length) => Some(der::small(length.value)?),
        None => None,
    };
    Some(BasicConstraints { is_ca, max_path })
}

fn authority(value: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut fields = der::only(value, der::SEQUENCE)?.elements()?;
    let id = fields.maybe(der::context(0))?;
    Some(id.map(|id| id.value.to_vec()))
}

/// Identifiers, each by itself or the first of a sequence.
fn list_of_oids(value: &[u8], nested: bool) -> Option<Vec<Oid>> {
    let mut elements = der::only(value, der::SEQUENCE)?.elements()?;
    let mut oids = Vec::new();
    while !elements.is_empty() {
        let oid = match nested {
            true => elements.enter(der::SEQUENCE)?.take(der::OID)?,
            false => elements.take(der::OID)?,
        };
        oids.push(der::arcs(oid.value)?);
    }
    Some(oids)
}

/// A purpose of a key by Go's number for it.
fn purpose(oid: &[u32]) -> Option<u8> {
    match oid {
        [2, 5, 29, 37, 0] => Some(0),
        [1, 3, 6, 1, 5, 5, 7, 3, last] => match last {
            1 => Some(1),
            2 => Some(2),
            3 => Some(3),
            4 => Some(4),
            5 => Some(5),
            6 => Some(6),
            7 => Some(7),
            8 => Some(8),
            9 => Some(9),
            _ => None,
        },
        [1, 3, 6, 1, 4, 1, 311, 10, 3, 3] => Some(10),
        [2, 16, 840, 1, 113_730, 4, 1] => Some(11),
        [1, 3, 6, 1, 4, 1, 311, 2, 1, 22] => Some(12),
        [1, 3, 6, 1, 4, 1, 311, 61, 1, 1] => Some(13),
        _ => None,
    }
}

type Locations = (Vec<String>, Vec<String>);

fn access(value: &[u8]) -> Option<Locations> {
    let mut elements = der::only(value, der::SEQUENCE)?.elements()?;
    let (mut ocsp, mut issuing) = (Vec::new(), Vec::new());
    while !elements.is_empty() {
        let mut description = elements.enter(der::SEQUENCE)?;
        let method = der::arcs(description.take(der::OID)?.value)?;
        let Some(location) = description.any().filter(|it| it.tag == der::context(6)) else {
            continue;
        };
        let location = String::from_utf8_lossy(location.value).into_owned();
        match *method {
            [1, 3, 6, 1, 5, 5, 7, 48, 1] => ocsp.push(location),
            [1, 3, 6, 1, 5, 5, 7, 48, 2] => issuing.push(location),
            _ => {}
        }
    }
    Some((ocsp, issuing))
}

fn distribution_points(value: &[u8]) -> Option<Vec<String>> {
    let mut elements = der::only(value, der::SEQUENCE)?.elements()?;
    let mut found = Vec::new();
    while !elements.is_empty() {
        let mut point = elements.enter(der::SEQUENCE)?;
        let Some(name) = point.maybe(der::constructed(0))? else {
            continue;
        };
        let Some(full) = name.elements()?.maybe(der::constructed(0))? else {
            continue;
        };
        let mut names = full.elements()?;
        while !names.is_empty() {
            let Some(uri) = names.maybe(der::context(6))? else {
                break;
            };
            found.push(String::from_utf8_lossy(uri.value).into_owned());
        }
    }
    Some(found)
}

/// The constraints, and whether all of them are of known kinds.
fn name_constraints(value: &[u8]) -> Option<(NameConstraints, bool)> {
    let mut fields = der::only(value, der::SEQUENCE)?.elements()?;
    let (mut found, mut handled) = (NameConstraints::default(), true);
    let permitted = fields.maybe(der::constructed(0))?;
    let excluded = fields.maybe(der::constructed(1))?;
    if permitted.is_none() && excluded.is_none() {
        return None;
    }
    for (from, to) in [
        (permitted, &mut found.permitted),
        (excluded, &mut found.excluded),
    ] {
        if let Some(from) = from {
            handled &= subtrees(from.elements()?, to)?;
        }
    }
    Some((found, handled))
}

fn subtrees(mut elements: Elements<'_>, to: &mut Subtrees) -> Option<bool> {
    let mut handled = true;
    while !elements.is_empty() {
        let base = elements.enter(der::SEQUENCE)?.any()?;
        let text = || general::ia5(base.value);
        match base.tag {
            EMAIL => to.email.push(text()?),
            DNS => to.dns.push(text()?),
            URI => to.uris.push(text()?),
            IP => {
                let half = base.value.len().checked_div(2)?;
                let (address, mask) = base.value.split_at_checked(half)?;
                if !matches!(base.value.len(), 8 | 32) {
                    return None;
                }
                to.ranges.push((address.to_vec(), mask.to_vec()));
            }
            _ => handled = false,
        }
    }
    Some(handled)
}

const EMAIL: u8 = der::context(1);
const DNS: u8 = der::context(2);
const URI: u8 = der::context(6);
const IP: u8 = der::context(7);
