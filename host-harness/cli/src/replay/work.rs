//! The log goes by in pieces, in order, and is decided on all cores. As many pieces are under way as
//! there are buffers for them, so that memory does not grow with the log.

use super::{
    candidate::Candidate,
    judged::{self, Again, Judged},
    tally::Tally,
    why::Why,
};
use crate::{
    failure::Failure,
    logs::{Early, Log, found::Lack, records::Record},
};
use indicatif::ProgressBar;
use std::{
    collections::BTreeMap,
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// The interpreter descends with what it evaluates, and more so in a debug build.
const STACK: usize = 64 << 20;
/// A piece is done with when it holds this much.
const PIECE_BYTES: usize = 256 << 10;
const PIECE_RECORDS: usize = 256;
/// For each core.
const PIECES: usize = 3;

/// Some records of one log.
#[derive(Default)]
struct Piece {
    number: u64,
    /// Which log.
    source: usize,
    bytes: Vec<u8>,
    records: Vec<Record>,
}

impl Piece {
    fn clear(&mut self) {
        self.bytes.clear();
        // One huge record does not stay.
        self.bytes.shrink_to(PIECE_BYTES.saturating_mul(2));
        self.records.clear();
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES || self.records.len() >= PIECE_RECORDS
    }

    fn bytes_of(&self, record: &Record) -> &[u8] {
        self.bytes.get(record.at.clone()).unwrap_or_default()
    }
}

/// What came of a piece, record by record; none where its worker failed.
type Done = (Piece, Option<Vec<(Judged, bool)>>);

/// Replays all logs, one after the other. Which of them end before their end.
///
/// # Errors
/// Where a log cannot be read.
pub fn replay(
    logs: &[PathBuf],
    candidate: &Candidate,
    tally: &mut Tally,
    bar: &ProgressBar,
) -> Result<Vec<(usize, Early)>, Failure> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let pieces = cores.saturating_mul(PIECES).saturating_add(2);
    // Each holds all there are, so that only a want of buffers makes anybody wait.
    let (give_back, empty) = sync_channel::<Piece>(pieces);
    let (hand_over, full) = sync_channel::<Piece>(pieces);
    let (tell, done) = sync_channel::<Done>(pieces);
    for _ in 0..pieces {
        let _ = give_back.send(Piece::default());
    }
    let full = Mutex::new(full);
    thread::scope(|scope| {
        let full = &full;
        let thread = || thread::Builder::new().stack_size(STACK);
        let failed = |error: io::Error| Failure::io("a thread", &error);
        let reader = thread()
            .spawn_scoped(scope, move || read(logs, &empty, &hand_over, bar))
            .map_err(failed)?;
        for _ in 0..cores {
            let tell = tell.clone();
            thread()
                .spawn_scoped(scope, move || work(full, &tell, candidate))
                .map_err(failed)?;
        }
        drop(tell);
        let collector = thread()
            .spawn_scoped(scope, move || collect(&done, &give_back, candidate, tally))
            .map_err(failed)?;
        let ended =
            || Failure::new("a thread ended early").hint("this is a mistake of Portcullis's");
        collector.join().map_err(|_| ended())??;
        reader.join().map_err(|_| ended())?
    })
}

fn read(
    logs: &[PathBuf],
    empty: &Receiver<Piece>,
    full: &SyncSender<Piece>,
    bar: &ProgressBar,
) -> Result<Vec<(usize, Early)>, Failure> {
    let mut early = Vec::new();
    let mut number: u64 = 0;
    for (source, log) in logs.iter().enumerate() {
        let mut log = Log::open(log, bar)?;
        let mut is_over = false;
        while !is_over {
            // Where nobody takes them any more, somebody else says why.
            let Ok(mut piece) = empty.recv() else {
                return Ok(early);
            };
            piece.clear();
            (piece.number, piece.source) = (number, source);
            while !is_over && !piece.is_full() {
                match log.next(&mut piece.bytes)? {
                    Some(record) => piece.records.push(record),
                    None => is_over = true,
                }
            }
            if full.send(piece).is_err() {
                return Ok(early);
            }
            number = number.saturating_add(1);
        }
        early.extend(log.early.map(|early| (source, early)));
    }
    Ok(early)
}

fn work(full: &Mutex<Receiver<Piece>>, done: &SyncSender<Done>, candidate: &Candidate) {
    loop {
        let next = full.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(piece) = next else { return };
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let judge = |record: &Record| judged::judge(piece.bytes_of(record), record, candidate);
            piece.records.iter().map(judge).collect()
        }));
        if done.send((piece, judged.ok())).is_err() {
            return;
        }
    }
}

/// In the order of the log, so that the same log comes to the same whatever runs first.
fn collect(
    done: &Receiver<Done>,
    give_back: &SyncSender<Piece>,
    candidate: &Candidate,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut why = Why::new(candidate);
    let mut early: BTreeMap<u64, Done> = BTreeMap::new();
    let mut next: u64 = 0;
    for (piece, judged) in done {
        early.insert(piece.number, (piece, judged));
        while let Some((piece, judged)) = early.remove(&next) {
            let Some(judged) = judged else {
                return Err(Failure::new("a part of the log could not be replayed")
                    .hint("this is a mistake of Portcullis's; stderr has more"));
            };
            for (record, (judged, is_followed)) in piece.records.iter().zip(&judged) {
                let place = |again: &Again| why.place(again, piece.bytes_of(record));
                tally.add(judged, (piece.source, record.line), place);
                if *is_followed {
                    let at = (piece.source, record.line);
                    tally.rest.add(Lack::Broken, at);
                }
            }
            // The reader may have read everything.
            let _ = give_back.send(piece);
            next = next.saturating_add(1);
        }
    }
    Ok(())
}
