//! The archive of a bundle: a gzip stream (RFC 1952) of one member, inflated in slices into one
//! buffer.

use super::{Limits, fault::Fault};
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// As many bytes are read, or written, in a unit.
const SLICE: usize = 32 * 1024;
/// So much may come of a few bytes; past it the ratio counts.
const FREE_OF_RATIO: usize = 1024 * 1024;

pub struct Inflate {
    decoder: GzDecoder<Sips>,
    unpacked: Vec<u8>,
    /// What the stream says at its end that it unpacks to, modulo 2^32 (RFC 1952 section 2.3.1).
    claimed: usize,
    packed: usize,
}

impl Inflate {
    pub fn new(packed: Vec<u8>, limits: &Limits) -> Result<Inflate, Fault> {
        if packed.len() > limits.packed {
            return Err(Fault::unpack(format!(
                "it is of {} bytes, more than the {} that are taken",
                packed.len(),
                limits.packed
            )));
        }
        if !packed.starts_with(&[0x1f, 0x8b]) {
            return Err(Fault::unpack("it is no gzip stream"));
        }
        let claimed = packed
            .last_chunk::<4>()
            .map_or(0, |size| u32::from_le_bytes(*size));
        let claimed = usize::try_from(claimed).unwrap_or(usize::MAX);
        let mut unpacked = Vec::new();
        // One allocation of the right size: a buffer that grows leaves its former ones behind, and a
        // guest's memory never shrinks.
        let most = most(packed.len(), limits).min(claimed);
        unpacked
            .try_reserve_exact(most)
            .map_err(|_| Fault::unpack("there is no memory to unpack it"))?;
        Ok(Inflate {
            packed: packed.len(),
            decoder: GzDecoder::new(Sips {
                bytes: packed,
                at: 0,
                left: 0,
            }),
            unpacked,
            claimed,
        })
    }

    /// One unit. What was unpacked, once it is all there.
    pub fn work(&mut self, limits: &Limits) -> Result<Option<Vec<u8>>, Fault> {
        self.decoder.get_mut().left = SLICE;
        let before = self.unpacked.len();
        // Never past what is reserved, so that nothing is moved.
        let room = self
            .unpacked
            .capacity()
            .saturating_sub(before)
            .clamp(1, SLICE);
        let mut slice = [0; SLICE];
        let room = slice.get_mut(..room).unwrap_or_default();
        let read = match self.decoder.read(room) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(Fault::unpack("its gzip stream is cut short"));
            }
            Err(_) => return Err(Fault::unpack("its gzip stream is damaged")),
        };
        if read == 0 {
            return self.end().map(Some);
        }
        let after = before.saturating_add(read);
        if after > most(self.packed, limits) {
            let why = match after > limits.unpacked {
                true => format!("it unpacks to more than {} bytes", limits.unpacked),
                false => format!("it unpacks to more than {} times its size", limits.ratio),
            };
            return Err(Fault::unpack(why));
        }
        if after > self.claimed {
            return Err(Fault::unpack(
                "it unpacks to more than its gzip stream says at its end: it is cut short, or \
                 something follows it",
            ));
        }
        self.unpacked
            .extend_from_slice(room.get(..read).unwrap_or_default());
        Ok(None)
    }

    fn end(&mut self) -> Result<Vec<u8>, Fault> {
        let sips = self.decoder.get_ref();
        if sips.at < sips.bytes.len() {
            return Err(Fault::unpack(
                "bytes follow its gzip stream; one member is taken, and no more",
            ));
        }
        Ok(std::mem::take(&mut self.unpacked))
    }
}

fn most(packed: usize, limits: &Limits) -> usize {
    let by_ratio = packed.saturating_mul(limits.ratio).max(FREE_OF_RATIO);
    limits.unpacked.min(by_ratio)
}

/// The packed bytes, of which a unit gets so many: a stream of empty blocks would otherwise be read to
/// its end for one byte of output.
struct Sips {
    bytes: Vec<u8>,
    at: usize,
    left: usize,
}

impl BufRead for Sips {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if self.left == 0 && !rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(rest.get(..self.left.min(rest.len())).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount);
        self.left = self.left.saturating_sub(amount);
    }
}

impl Read for Sips {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
