//! `uuid.parse`.

use super::{
    call::{Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[own("uuid.parse", 1, parse)];

/// The hundreds of nanoseconds from the first day of the Gregorian calendar to Unix's.
const EPOCH: i64 = 122_192_928_000_000_000;

fn parse(arguments: &[Value], world: &World<'_>) -> Outcome {
    let text = operand::string(arguments, 0)?;
    world.charge(text.len())?;
    Ok(read(text.as_bytes()).map(describe))
}

/// In any of the forms that google/uuid reads: with hyphens, without, in braces (of any kind), and
/// as a URN.
fn read(text: &[u8]) -> Option<u128> {
    let groups = match text.len() {
        36 => text,
        45 => {
            let (scheme, rest) = text.split_at_checked(9)?;
            if !scheme.eq_ignore_ascii_case(b"urn:uuid:") {
                return None;
            }
            rest
        }
        38 => text.get(1..37)?,
        32 => return hexadecimal(text),
        _ => return None,
    };
    let mut digits = Vec::with_capacity(32);
    for (position, byte) in groups.iter().enumerate() {
        match position {
            8 | 13 | 18 | 23 if *byte == b'-' => {}
            8 | 13 | 18 | 23 => return None,
            _ => digits.push(*byte),
        }
    }
    hexadecimal(&digits)
}

fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(u128::from(digit))
    })
}

fn describe(uuid: u128) -> Value {
    let bytes = uuid.to_be_bytes();
    let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _] = bytes;
    let [
        ..,
        high,
        low,
        node_0,
        node_1,
        node_2,
        node_3,
        node_4,
        node_5,
    ] = bytes;
    let [_, _, _, _, _, _, version, ..] = bytes;
    let version = version >> 4;
    let variant = match high {
        high if high & 0xc0 == 0x80 => "RFC4122",
        high if high & 0xe0 == 0xc0 => "Microsoft",
        high if high & 0xe0 == 0xe0 => "Future",
        _ => "Reserved",
    };
    let mut entries = vec![
        ("version", Value::from(u64::from(version))),
        ("variant", value::string(variant)),
    ];
    if matches!(version, 1 | 2) {
        let node = [node_0, node_1, node_2, node_3, node_4, node_5];
        let node = node.map(|byte| format!("{byte:02x}")).join("-");
        let sequence = u64::from(high & 0x3f) << 8 | u64::from(low);
        entries.extend([
            ("time", Value::from(unix_nanoseconds(uuid))),
            ("nodeid", value::string(&node)),
            ("macvariables", value::string(mac_variables(node_0))),
            ("clocksequence", Value::from(sequence)),
        ]);
    }
    if version == 2 {
        let domain = match low {
            0 => "Person".to_owned(),
            1 => "Group".to_owned(),
            2 => "Org".to_owned(),
            other => format!("Domain{other}"),
        };
        entries.extend([
            ("id", Value::from(u64::from(u32::from_be_bytes(id)))),
            ("domain", value::string(&domain)),
        ]);
    }
    let entries = entries.into_iter();
    value::object(entries.map(|(key, value)| (value::string(key), value)))
}

fn mac_variables(first: u8) -> &'static str {
    match first & 0b11 {
        0b11 => "local:multicast",
        0b01 => "global:multicast",
        0b10 => "local:unicast",
        _ => "global:unicast",
    }
}

/// Wraps where Go's 64 bits do, in a time of the 23rd century.
fn unix_nanoseconds(uuid: u128) -> i64 {
    let part = |shift: u32, mask: u128| {
        let part = (uuid >> shift) & mask;
        i64::try_from(part).unwrap_or_default()
    };
    let time = part(64, 0xfff) << 48 | part(80, 0xffff) << 32 | part(96, 0xffff_ffff);
    time.wrapping_sub(EPOCH).wrapping_mul(100)
}
