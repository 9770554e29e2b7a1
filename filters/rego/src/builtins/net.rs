//! `net.cidr_*`: addresses and networks as Go's package `net` reads them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use regorus::value::Set;

use super::{
    call::{Failure, Outcome, Own, World, own},
    operand,
};
use crate::value::{self, Value};

pub(super) const FUNCTIONS: &[Own] = &[
    own("net.cidr_contains", 2, contains),
    own("net.cidr_contains_matches", 2, contains_matches),
    own("net.cidr_expand", 1, expand),
    own("net.cidr_intersects", 2, intersects),
    own("net.cidr_is_valid", 1, is_valid),
    own("net.cidr_merge", 1, merge),
    own("net.cidr_overlap", 2, contains),
];

/// About what reading a network takes, and its text.
const TEXT: usize = 64;

fn contains(arguments: &[Value], world: &World<'_>) -> Outcome {
    let (outer, inner) = (operand::any(arguments, 0)?, operand::any(arguments, 1)?);
    world.charge(TEXT)?;
    Ok(Some(Value::Bool(contains_one(&network(outer)?, inner)?)))
}

fn intersects(arguments: &[Value], world: &World<'_>) -> Outcome {
    world.charge(TEXT)?;
    let one = network(operand::any(arguments, 0)?)?;
    let other = network(operand::any(arguments, 1)?)?;
    let meet = one.contains(other.address) || other.contains(one.address);
    Ok(Some(Value::Bool(meet)))
}

fn is_valid(arguments: &[Value], world: &World<'_>) -> Outcome {
    world.charge(TEXT)?;
    let valid = operand::string(arguments, 0).is_ok_and(|text| Network::parse(text).is_ok());
    Ok(Some(Value::Bool(valid)))
}

fn contains_matches(arguments: &[Value], world: &World<'_>) -> Outcome {
    let outer = Elements::of(operand::any(arguments, 0)?, 1);
    let inner = Elements::of(operand::any(arguments, 1)?, 2);
    let mut found = Set::new();
    outer.each(world, &mut |outer, outer_index| {
        // Read once, and only where it is compared with something.
        let mut read = None;
        inner.each(world, &mut |inner, inner_index| {
            let network = match &read {
                Some(network) => network,
                None => read.insert(network(outer)?),
            };
            world.charge(TEXT)?;
            if contains_one(network, inner)? {
                world.charge_members(3)?;
                found.insert(value::array([outer_index.clone(), inner_index.clone()]));
            }
            Ok(())
        })
    })?;
    Ok(Some(Value::from(found)))
}

fn expand(arguments: &[Value], world: &World<'_>) -> Outcome {
    let network = Network::parse(operand::string(arguments, 0)?)?;
    let hosts = 1_usize
        .checked_shl(network.host_bits())
        .unwrap_or(usize::MAX);
    world.charge(hosts.saturating_mul(TEXT))?;
    let first = network.first();
    let addresses = (0..hosts).map(|host| {
        let address = first.saturating_add(u128::try_from(host).unwrap_or(u128::MAX));
        value::string(&Address(address).to_string())
    });
    Ok(Some(Value::from(addresses.collect::<Set>())))
}

fn merge(arguments: &[Value], world: &World<'_>) -> Outcome {
    let mut networks = Vec::new();
    let mut add = |item: &Value| {
        world.charge(TEXT)?;
        networks.push(Network::to_merge(item)?);
        Ok(())
    };
    match operand::any(arguments, 0)? {
        Value::Array(items) => items.iter().try_for_each(&mut add)?,
        Value::Set(items) => items.iter_sorted().try_for_each(&mut add)?,
        _ => return Err(Failure::error("operand must be an array")),
    }
    let merged = merge_networks(networks);
    world.charge(merged.len().saturating_mul(TEXT))?;
    let texts = merged.iter().map(|text| value::string(text));
    Ok(Some(Value::from(texts.collect::<Set>())))
}

/// An address or a network in a network.
fn contains_one(outer: &Network, inner: &Value) -> Result<bool, Failure> {
    let text = text(inner)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(outer.contains(wide(address)));
    }
    let inner = Network::parse(text).map_err(|_| {
        Failure::error(format!(
            "not a valid textual representation of an IP address or CIDR: {text}"
        ))
    })?;
    Ok(outer.contains(inner.address) && outer.contains(inner.last()))
}

fn network(value: &Value) -> Result<Network, Failure> {
    Network::parse(text(value)?)
}

/// OPA takes each for the first operand.
fn text(value: &Value) -> Result<&str, Failure> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(operand::mismatch(0, "string", other)),
    }
}

/// What `net.cidr_contains_matches` compares, each with its place.
struct Elements<'a> {
    value: &'a Value,
    operand: usize,
}

impl<'a> Elements<'a> {
    fn of(value: &'a Value, operand: usize) -> Elements<'a> {
        Elements { value, operand }
    }

    fn each(
        &self,
        world: &World<'_>,
        act: &mut dyn FnMut(&Value, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut act = |item: &Value, index: &Value| {
            world.charge(1)?;
            act(self.element(item)?, index)
        };
        match self.value {
            text @ Value::String(_) => act(text, text),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| act(item, &Value::from(index))),
            Value::Set(items) => items.iter_sorted().try_for_each(|item| act(item, item)),
            Value::Object(entries) => entries
                .iter_sorted()
                .try_for_each(|(key, item)| act(item, key)),
            // OPA finds nothing in these.
            _ => Ok(()),
        }
    }

    /// A text, or the first of a tuple.
    fn element<'v>(&self, item: &'v Value) -> Result<&'v Value, Failure> {
        let first = match item {
            Value::String(_) => Some(item),
            Value::Array(items) => items.iter().next(),
            _ => None,
        };
        first.ok_or_else(|| {
            Failure::error(format!(
                "operand {}: element must be string or non-empty array",
                self.operand
            ))
        })
    }
}

/// A network. All addresses are of 128 bits: those of IPv4 are what maps to them, as Go has it, and
/// `::ffff:10.0.0.0/104` is a network of IPv4.
#[derive(Clone, Copy)]
struct Network {
    /// Not always the first one: [`Network::to_merge`].
    address: u128,
    /// Of 128 bits, for IPv4 too.
    prefix: u32,
}

/// Where IPv4 maps to.
const MAPPED: u128 = 0xffff_0000_0000;
/// The bits before an address of IPv4.
const MAPPED_BITS: u32 = 96;

impl Network {
    fn parse(text: &str) -> Result<Network, Failure> {
        Network::read(text).ok_or_else(|| Failure::error(format!("invalid CIDR address: {text}")))
    }

    fn read(text: &str) -> Option<Network> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        // Digits alone: Go allows zeros before, and no sign.
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let prefix: u32 = prefix.parse().ok()?;
        let (most, before) = match address {
            IpAddr::V4(_) => (32, MAPPED_BITS),
            IpAddr::V6(_) => (128, 0),
        };
        if prefix > most {
            return None;
        }
        let prefix = prefix.saturating_add(before);
        Some(Network {
            address: wide(address) & mask(prefix),
            prefix,
        })
    }

    /// An address of IPv4 alone stands for the network of its class.
    fn to_merge(item: &Value) -> Result<Network, Failure> {
        let Value::String(text) = item else {
            return Err(Failure::error("element must be string"));
        };
        let Ok(address) = text.parse::<IpAddr>() else {
            return Network::parse(text);
        };
        let address = wide(address);
        let Some(four) = mapped(address) else {
            return Err(Failure::error("IPv6 invalid: needs prefix length"));
        };
        let class = match four.octets() {
            [0..0x80, ..] => 8,
            [0x80..0xc0, ..] => 16,
            _ => 24,
        };
        Ok(Network {
            address,
            prefix: MAPPED_BITS.saturating_add(class),
        })
    }

    fn contains(&self, address: u128) -> bool {
        // No address of IPv4 is in a network of IPv6, not even in `::/0`.
        mapped(self.address).is_some() == mapped(address).is_some()
            && (self.address ^ address) & mask(self.prefix) == 0
    }

    fn first(&self) -> u128 {
        self.address & mask(self.prefix)
    }

    fn last(&self) -> u128 {
        self.address | !mask(self.prefix)
    }

    fn host_bits(&self) -> u32 {
        128_u32.saturating_sub(self.prefix)
    }
}

/// As Go prints it: a network of IPv4 with the prefix of one.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match mapped(self.address) {
            Some(_) => self.prefix.saturating_sub(MAPPED_BITS),
            None => self.prefix,
        };
        write!(f, "{}/{prefix}", Address(self.address))
    }
}

struct Address(u128);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match mapped(self.0) {
            Some(four) => four.fmt(f),
            None => Ipv6Addr::from_bits(self.0).fmt(f),
        }
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => MAPPED | u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

fn mapped(address: u128) -> Option<Ipv4Addr> {
    Ipv6Addr::from_bits(address).to_ipv4_mapped()
}

/// The first bits set.
fn mask(prefix: u32) -> u128 {
    match prefix {
        0 => 0,
        _ => u128::MAX
            .checked_shl(128_u32.saturating_sub(prefix))
            .unwrap_or(0),
    }
}

/// What several networks became together, and the one a range was alone.
struct Range {
    first: u128,
    last: u128,
    network: Option<Network>,
}

/// The fewest networks of the same addresses; one that touches no other stays as it was written.
fn merge_networks(networks: Vec<Network>) -> Vec<String> {
    let mut ranges: Vec<Range> = networks
        .into_iter()
        .map(|network| Range {
            first: network.first(),
            last: network.last(),
            network: Some(network),
        })
        .collect();
    ranges.sort_by_key(|range| (range.last, range.first));
    // From the last one down, what reaches the one before it takes that in.
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges.into_iter().rev() {
        match merged.last_mut() {
            Some(above) if before(above.first) <= range.last => {
                above.first = above.first.min(range.first);
                above.network = None;
            }
            _ => merged.push(range),
        }
    }
    merged
        .iter()
        .flat_map(|range| match &range.network {
            Some(network) => vec![network.to_string()],
            None => split(range.first, range.last),
        })
        .collect()
}

/// The address before; the first of a family has none.
fn before(address: u128) -> u128 {
    match address {
        0 | MAPPED => address,
        _ => address.saturating_sub(1),
    }
}

/// The networks that make up a range, 254 at most.
fn split(first: u128, last: u128) -> Vec<String> {
    let mut networks = Vec::new();
    let mut next = Some(first);
    while let Some(address) = next.filter(|address| *address <= last) {
        // The largest network that begins here and ends by the last address.
        let mut prefix = 128_u32.saturating_sub(address.trailing_zeros());
        while address | !mask(prefix) > last {
            prefix = prefix.saturating_add(1);
        }
        let network = Network { address, prefix };
        networks.push(network.to_string());
        next = network.last().checked_add(1);
    }
    networks
}
