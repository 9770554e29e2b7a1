//! Events that wait to be uploaded: compressed as they come, in batches of a bounded size, of which the
//! oldest go where there are too many. How many went for what is counted exactly.

use crate::remote::CallId;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::{
    collections::VecDeque,
    io::{Read, Write},
    mem,
};

/// Batches that wait, and the one that is filled.
pub struct Buffer {
    /// Of a batch, compressed.
    max_batch: usize,
    /// Of all that waits.
    most: usize,
    /// Full ones, the oldest first.
    batches: VecDeque<Batch>,
    open: Option<Open>,
}

/// A JSON array, compressed with gzip (RFC 1952).
#[derive(Debug)]
pub struct Batch {
    pub bytes: Vec<u8>,
    /// How long each of its events is, which tells them apart.
    lengths: Vec<usize>,
    /// The call that it is under way by; then it stays.
    call: Option<CallId>,
}

struct Open {
    encoder: GzEncoder<Vec<u8>>,
    lengths: Vec<usize>,
    /// What went in since the encoder last gave all it had.
    pending: usize,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits; so many that waited before went for it.
    Waits { dropped: u64 },
    /// A batch with nothing else would be too large.
    TooLarge,
}

/// What a batch has beside its events: gzip's header and trailer, the brackets, and the ends of deflate's
/// blocks.
const SLACK: usize = 64;
/// An event that is so many times as long as a batch may be is not tried: it compresses to no less, and
/// trying takes time that requests wait.
const MOST_TIMES: usize = 8;

impl Buffer {
    pub fn new(max_batch: usize, most: usize) -> Buffer {
        Buffer {
            max_batch,
            most,
            batches: VecDeque::new(),
            open: None,
        }
    }

    /// How many events wait.
    #[cfg(test)]
    pub fn events(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, |open| open.lengths.len());
        let full: usize = self.batches.iter().map(|it| it.lengths.len()).sum();
        count(open.saturating_add(full))
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.batches.is_empty()
    }

    /// Whether a batch is full, so that there is no reason to wait for more.
    pub fn has_full(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Adds an event, as its JSON.
    pub fn push(&mut self, event: &[u8]) -> Pushed {
        if event.len() > self.max_batch.saturating_mul(MOST_TIMES) {
            return Pushed::TooLarge;
        }
        let mut open = self.open.take().unwrap_or_else(Open::new);
        if !open.lengths.is_empty() && !open.fits(event, self.max_batch) {
            self.batches.push_back(open.close());
            open = Open::new();
        }
        open.add(event);
        // Nothing in memory fails.
        if event.len().saturating_add(SLACK) > self.max_batch && open.lengths.len() == 1 {
            // It may be as long as that only because it is compressed: that is known once it is.
            let batch = open.close();
            if batch.bytes.len() > self.max_batch {
                return Pushed::TooLarge;
            }
            self.batches.push_back(batch);
        } else {
            self.open = Some(open);
        }
        Pushed::Waits {
            dropped: self.drop_oldest(),
        }
    }

    /// Makes room; what is under way stays.
    fn drop_oldest(&mut self) -> u64 {
        let mut dropped = 0u64;
        while self.bytes() > self.most {
            let oldest = self.batches.iter().position(|it| it.call.is_none());
            let Some(batch) = oldest.and_then(|at| self.batches.remove(at)) else {
                break;
            };
            dropped = dropped.saturating_add(batch.events());
        }
        dropped
    }

    /// What it takes, at most.
    fn bytes(&self) -> usize {
        let full: usize = self.batches.iter().map(|it| it.bytes.len()).sum();
        full.saturating_add(self.open.as_ref().map_or(0, Open::most))
    }

    /// No event is added to the batch that is filled: it goes as it is.
    pub fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.batches.push_back(open.close());
        }
    }

    /// The oldest batch that is not under way, which is from now on.
    pub fn take(&mut self, call: CallId) -> Option<&Batch> {
        let mut batches = self.batches.iter_mut();
        let batch = batches.find(|it| it.call.is_none())?;
        batch.call = Some(call);
        Some(batch)
    }

    /// It is under way no more, and waits again.
    pub fn put_back(&mut self, call: CallId) {
        let mut batches = self.batches.iter_mut();
        if let Some(batch) = batches.find(|it| it.call == Some(call)) {
            batch.call = None;
        }
    }

    /// It is gone: how many events it had.
    pub fn forget(&mut self, call: CallId) -> u64 {
        let at = self.batches.iter().position(|it| it.call == Some(call));
        let batch = at.and_then(|at| self.batches.remove(at));
        batch.map_or(0, |batch| batch.events())
    }

    /// Every event that waits, as it came, where nothing can be uploaded any more.
    pub fn drain(&mut self) -> Vec<Vec<u8>> {
        self.close();
        let batches = mem::take(&mut self.batches);
        batches.iter().flat_map(Batch::each).collect()
    }
}

impl Open {
    fn new() -> Open {
        Open {
            // As OPA has it: the fast one, since it is done for every event.
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            lengths: Vec::new(),
            pending: 0,
        }
    }

    /// As many bytes as it has at most.
    fn most(&self) -> usize {
        let given = self.encoder.get_ref().len();
        given.saturating_add(self.pending).saturating_add(SLACK)
    }

    /// Whether it stays small enough with an event that compresses to no less than it is.
    fn fits(&mut self, event: &[u8], max: usize) -> bool {
        let longer = event.len().saturating_add(SLACK);
        if self.most().saturating_add(longer) <= max {
            return true;
        }
        // What it holds back is less than what went in.
        if self.encoder.flush().is_ok() {
            self.pending = 0;
        }
        self.most().saturating_add(longer) <= max
    }

    fn add(&mut self, event: &[u8]) {
        let before: &[u8] = match self.lengths.is_empty() {
            true => b"[",
            false => b",",
        };
        // Nothing in memory fails.
        let _ = self.encoder.write_all(before);
        let _ = self.encoder.write_all(event);
        self.pending = self
            .pending
            .saturating_add(event.len())
            .saturating_add(before.len());
        self.lengths.push(event.len());
    }

    fn close(mut self) -> Batch {
        let _ = self.encoder.write_all(b"]");
        Batch {
            bytes: self.encoder.finish().unwrap_or_default(),
            lengths: self.lengths,
            call: None,
        }
    }
}

impl Batch {
    pub fn events(&self) -> u64 {
        count(self.lengths.len())
    }

    fn each(&self) -> Vec<Vec<u8>> {
        let mut plain = Vec::new();
        // It is what was written.
        let _ = GzDecoder::new(self.bytes.as_slice()).read_to_end(&mut plain);
        let mut at = 1usize;
        let event = |length: &usize| {
            let end = at.saturating_add(*length);
            let event = plain.get(at..end).map(<[u8]>::to_vec);
            at = end.saturating_add(1);
            event
        };
        self.lengths.iter().filter_map(event).collect()
    }
}

fn count(events: usize) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests {
    use super::{Batch, Buffer, CallId, Pushed};

    const CALL: CallId = CallId(1);

    fn event(number: usize, length: usize) -> Vec<u8> {
        // What does not compress well.
        let mut state = number.wrapping_mul(0x9e37_79b9).wrapping_add(7);
        let noise = (0..length).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        });
        format!("{{\"n\":{number},\"x\":\"{}\"}}", noise.collect::<String>()).into_bytes()
    }

    fn numbers(batch: &Batch) -> Vec<u64> {
        let mut plain = String::new();
        let mut decoder = flate2::read::GzDecoder::new(batch.bytes.as_slice());
        std::io::Read::read_to_string(&mut decoder, &mut plain).unwrap();
        let events: Vec<serde_json::Value> = serde_json::from_str(&plain).unwrap();
        events.iter().map(|it| it["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn every_event_is_in_one_batch_and_none_is_too_large() {
        for (max, length) in [
            (1024, 10),
            (1024, 300),
            (4096, 900),
            (32768, 3000),
            (1024, 1400),
        ] {
            let mut buffer = Buffer::new(max, 64 << 20);
            for number in 0..500 {
                let event = event(number, length + number % 100);
                assert_eq!(
                    buffer.push(&event),
                    Pushed::Waits { dropped: 0 },
                    "{max} {length}"
                );
            }
            assert_eq!(buffer.events(), 500);
            buffer.close();
            let mut seen = Vec::new();
            while let Some(batch) = buffer.take(CALL) {
                assert!(batch.bytes.len() <= max, "{} of {max}", batch.bytes.len());
                seen.extend(numbers(batch));
                buffer.forget(CALL);
            }
            assert_eq!(seen, (0..500).collect::<Vec<u64>>());
            assert!(buffer.is_empty());
        }
    }

    /// Those that look like one another take little: a batch holds many more than fit as they are.
    #[test]
    fn batches_are_filled() {
        let mut buffer = Buffer::new(8192, 64 << 20);
        let alike = format!("{{\"x\":\"{}\"}}", "abcd ".repeat(300));
        let mut pushed = 0;
        while !buffer.has_full() {
            buffer.push(alike.as_bytes());
            pushed += 1;
        }
        assert!(pushed > 100, "{pushed}");
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mut buffer = Buffer::new(2048, 8192);
        let mut dropped = 0;
        for number in 0..200 {
            match buffer.push(&event(number, 500)) {
                Pushed::Waits { dropped: more } => dropped += more,
                Pushed::TooLarge => panic!("it is not"),
            }
            assert!(buffer.bytes() <= 8192);
            assert_eq!(
                buffer.events() + dropped,
                u64::try_from(number).unwrap() + 1
            );
        }
        assert!(dropped > 0);
        buffer.close();
        assert_eq!(numbers(buffer.take(CALL).unwrap())[0], dropped);
    }

    #[test]
    fn what_is_under_way_stays() {
        let mut buffer = Buffer::new(2048, 8192);
        for number in 0..20 {
            buffer.push(&event(number, 500));
        }
        let first = numbers(buffer.take(CALL).unwrap())[0];
        for number in 20..100 {
            buffer.push(&event(number, 500));
        }
        let events = buffer.events();
        assert_ne!(numbers(buffer.take(CallId(2)).unwrap())[0], first);
        buffer.put_back(CallId(2));
        buffer.put_back(CALL);
        assert_eq!(numbers(buffer.take(CALL).unwrap())[0], first);
        let gone = buffer.forget(CALL);
        assert_eq!(buffer.events(), events - gone);
        assert_eq!(buffer.forget(CALL), 0);
    }

    #[test]
    fn one_that_is_too_large_goes_alone() {
        let mut buffer = Buffer::new(2048, 8192);
        buffer.push(&event(0, 100));
        assert_eq!(buffer.push(&event(1, 5000)), Pushed::TooLarge);
        assert_eq!(buffer.push(&event(2, 200_000)), Pushed::TooLarge);
        assert_eq!(buffer.push(&event(3, 2000)), Pushed::Waits { dropped: 0 });
        assert_eq!(buffer.events(), 2);
        let left = buffer.drain();
        assert_eq!(left, [event(0, 100), event(3, 2000)]);
        assert!(buffer.is_empty());
    }
}
