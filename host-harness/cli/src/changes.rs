//! Waits until files change. It looks instead of being told: that sees every way of saving a file, on
//! every file system.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

const EVERY: Duration = Duration::from_millis(200);
/// Folders deeper than this are not policies; links may make them endless.
const MAX_DEPTH: usize = 16;

/// Files and folders, and how they looked last.
pub struct Changes<Sources> {
    sources: Sources,
    seen: Snapshot,
}

impl<Sources: Fn() -> Vec<PathBuf>> Changes<Sources> {
    /// As they look before they are read.
    pub fn new(sources: Sources) -> Changes<Sources> {
        Changes {
            seen: snapshot(&sources()),
            sources,
        }
    }

    /// Returns when they look otherwise than when it last did.
    pub fn wait(&mut self) {
        loop {
            thread::sleep(EVERY);
            let mut now = snapshot(&(self.sources)());
            if now == self.seen {
                continue;
            }
            // An editor may still be writing: wait until two looks agree.
            loop {
                thread::sleep(EVERY);
                let next = snapshot(&(self.sources)());
                if next == now {
                    break;
                }
                now = next;
            }
            self.seen = now;
            return;
        }
    }
}

type Snapshot = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

fn snapshot(sources: &[PathBuf]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for source in sources {
        look(source, &mut snapshot, 0);
    }
    snapshot
}

fn look(path: &Path, snapshot: &mut Snapshot, depth: usize) {
    let metadata = fs::metadata(path).ok();
    if depth < MAX_DEPTH && metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                look(&entry.path(), snapshot, depth.saturating_add(1));
            }
        }
        return;
    }
    let state = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
    snapshot.insert(path.to_owned(), state);
}
