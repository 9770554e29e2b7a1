//! DER, an element at a time (X.690): the tags that Go's `cryptobyte` reads, and no longer ones.

use der::{AnyRef, Decode as _, Reader as _, SliceReader};

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OID: u8 = 0x06;
pub const UTF8_STRING: u8 = 0x0c;
pub const NUMERIC_STRING: u8 = 0x12;
pub const PRINTABLE_STRING: u8 = 0x13;
pub const T61_STRING: u8 = 0x14;
pub const IA5_STRING: u8 = 0x16;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
pub const BMP_STRING: u8 = 0x1e;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// A context-specific tag.
pub const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The same around other elements.
pub const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    /// Tag and length included.
    pub whole: &'a [u8],
    pub value: &'a [u8],
}

impl<'a> Element<'a> {
    /// What stands inside.
    pub fn elements(self) -> Option<Elements<'a>> {
        Elements::of(self.value)
    }
}

/// Elements one after the other.
pub struct Elements<'a>(Option<SliceReader<'a>>);

impl<'a> Elements<'a> {
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            [] => Some(Elements(None)),
            _ => SliceReader::new(bytes)
                .ok()
                .map(|reader| Elements(Some(reader))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|reader| reader.is_finished())
    }

    /// The tag of the next one.
    pub fn tag(&self) -> Option<u8> {
        self.0.as_ref()?.peek_byte()
    }

    pub fn any(&mut self) -> Option<Element<'a>> {
        let whole = self.0.as_mut()?.tlv_bytes().ok()?;
        let tag = *whole.first()?;
        // Tags past 30 take more than one byte, and nothing read here has one.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let value = AnyRef::from_der(whole).ok()?.value();
        Some(Element { tag, whole, value })
    }

    pub fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// None where the next one has another tag, or there is none.
    pub fn maybe(&mut self, tag: u8) -> Option<Option<Element<'a>>> {
        match self.tag() == Some(tag) {
            true => self.take(tag).map(Some),
            false => Some(None),
        }
    }

    /// The elements inside the next one.
    pub fn enter(&mut self, tag: u8) -> Option<Elements<'a>> {
        self.take(tag)?.elements()
    }

    /// An integer that is not negative, without zeros before it.
    pub fn unsigned(&mut self) -> Option<&'a [u8]> {
        unsigned(self.take(INTEGER)?.value)
    }

    pub fn boolean(&mut self) -> Option<bool> {
        boolean(self.take(BOOLEAN)?.value)
    }

    /// That nothing follows.
    pub fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

/// The one element that the bytes are.
pub fn only(bytes: &[u8], tag: u8) -> Option<Element<'_>> {
    let mut elements = Elements::of(bytes)?;
    let element = elements.take(tag)?;
    elements.end()?;
    Some(element)
}

pub fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        [0] => Some(false),
        [0xff] => Some(true),
        _ => None,
    }
}

/// An integer's bytes, in as few as they go.
pub fn integer(value: &[u8]) -> Option<&[u8]> {
    match value {
        [] => None,
        [0, next, ..] if *next < 0x80 => None,
        [0xff, next, ..] if *next >= 0x80 => None,
        _ => Some(value),
    }
}

pub fn unsigned(value: &[u8]) -> Option<&[u8]> {
    match integer(value)? {
        [first, ..] if *first >= 0x80 => None,
        [0, rest @ ..] => Some(rest),
        all => Some(all),
    }
}

/// A small integer that is not negative.
pub fn small(value: &[u8]) -> Option<u32> {
    number(unsigned(value)?)
}

fn number(bytes: &[u8]) -> Option<u32> {
    let mut padded = [0; 4];
    let start = padded.len().checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    Some(u32::from_be_bytes(padded))
}

/// A string of bits: the number of those left over in its last byte, and its bytes.
pub fn bits(value: &[u8]) -> Option<(u8, &[u8])> {
    let (unused, bytes) = value.split_first()?;
    let mask = 1_u8.checked_shl(u32::from(*unused))?.wrapping_sub(1);
    let padded = match bytes.last() {
        Some(last) => last & mask == 0,
        None => *unused == 0,
    };
    padded.then_some((*unused, bytes))
}

/// A string of bits that is bytes.
pub fn bytes(value: &[u8]) -> Option<&[u8]> {
    bits(value).and_then(|(unused, bytes)| (unused == 0).then_some(bytes))
}

/// An object identifier's numbers, none past 31 bits.
pub fn arcs(value: &[u8]) -> Option<Vec<u32>> {
    let mut arcs = Vec::new();
    let (mut arc, mut started) = (0_u32, false);
    for byte in value {
        if !started && *byte == 0x80 {
            return None;
        }
        arc = arc.checked_mul(128)?.checked_add(u32::from(byte & 0x7f))?;
        if arc > u32::MAX.wrapping_shr(1) {
            return None;
        }
        started = byte & 0x80 != 0;
        if started {
            continue;
        }
        if arcs.is_empty() {
            let first = (arc.checked_div(40)?).min(2);
            arcs.push(first);
            arc = arc.checked_sub(first.checked_mul(40)?)?;
        }
        arcs.push(arc);
        arc = 0;
    }
    (!started && !arcs.is_empty()).then_some(arcs)
}
