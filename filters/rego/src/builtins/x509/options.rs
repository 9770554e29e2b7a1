//! What `crypto.x509.parse_and_verify_certificates_with_options` is asked to look at.

use portcullis_crypto::x509::Options;
use regorus::value::Object;

use super::super::call::{Failure, World};
use crate::value::Value;

/// Go's purposes of keys, in the order in which it counts them.
const PURPOSES: &[&str] = &[
    "KeyUsageAny",
    "KeyUsageServerAuth",
    "KeyUsageClientAuth",
    "KeyUsageCodeSigning",
    "KeyUsageEmailProtection",
    "KeyUsageIPSECEndSystem",
    "KeyUsageIPSECTunnel",
    "KeyUsageIPSECUser",
    "KeyUsageTimeStamping",
    "KeyUsageOCSPSigning",
    "KeyUsageMicrosoftServerGatedCrypto",
    "KeyUsageNetscapeServerGatedCrypto",
    "KeyUsageMicrosoftCommercialCodeSigning",
    "KeyUsageMicrosoftKernelCodeSigning",
];

pub(super) fn none(world: &World<'_>) -> Options {
    let now = i64::try_from(world.moment.now_ns).unwrap_or(i64::MAX);
    let mut options = Options {
        seconds: 0,
        nanoseconds: 0,
        host: String::new(),
        purposes: Vec::new(),
    };
    at(&mut options, now);
    options
}

fn at(options: &mut Options, nanoseconds: i64) {
    const SECOND: i64 = 1_000_000_000;
    options.seconds = nanoseconds.div_euclid(SECOND);
    options.nanoseconds = u32::try_from(nanoseconds.rem_euclid(SECOND)).unwrap_or(0);
}

/// # Errors
/// An option is not known, or of the wrong type.
pub(super) fn read(entries: &Object, world: &World<'_>) -> Result<Options, Failure> {
    let mut options = none(world);
    for (name, value) in entries.iter_sorted() {
        // OPA passes over names that are none.
        let Value::String(name) = name else {
            continue;
        };
        match (&**name, value) {
            ("DNSName", Value::String(host)) => {
                options.host = host.trim_matches('"').to_owned();
            }
            ("DNSName", _) => return Err(Failure::error("'DNSName' should be a string")),
            ("CurrentTime", Value::Number(time)) => {
                let time = time.as_i64().ok_or_else(|| {
                    Failure::error("'CurrentTime' should be a valid int64 number")
                })?;
                at(&mut options, time);
            }
            ("CurrentTime", _) => return Err(Failure::error("'CurrentTime' should be a number")),
            // Only of use with constraints on names, which are not supported.
            ("MaxConstraintComparisons", Value::Number(most)) => {
                most.as_i64().ok_or_else(|| {
                    Failure::error("'MaxConstraintComparisons' should be a valid number")
                })?;
            }
            ("MaxConstraintComparisons", _) => {
                return Err(Failure::error(
                    "'MaxConstraintComparisons' should be a number",
                ));
            }
            ("KeyUsages", Value::Array(names)) => options.purposes = purposes(names.iter())?,
            ("KeyUsages", Value::Set(names)) => options.purposes = purposes(names.iter_sorted())?,
            ("KeyUsages", _) => {
                return Err(Failure::error("'KeyUsages' should be an Array or Set"));
            }
            _ => return Err(Failure::error("invalid key option")),
        }
    }
    Ok(options)
}

/// What is no string is passed over, as OPA does.
fn purposes<'a>(names: impl Iterator<Item = &'a Value>) -> Result<Vec<u8>, Failure> {
    let names = names.filter_map(|name| match name {
        Value::String(name) => Some(name.trim_matches('"')),
        _ => None,
    });
    names
        .map(|name| {
            PURPOSES
                .iter()
                .position(|known| *known == name)
                .and_then(|position| u8::try_from(position).ok())
                .ok_or_else(|| Failure::error("invalid entries for 'KeyUsages' found"))
        })
        .collect()
}
