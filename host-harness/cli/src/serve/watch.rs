//! Reads the configuration again when one of its files changes. It looks instead of being told:
//! that sees every way of saving a file, on every file system.

use super::{
    Current, Document,
    history::{History, flips},
    native::STACK,
};
use crate::{failure::Failure, terminal};
use portcullis_gatefile::sources;
use portcullis_host::Module;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

const EVERY: Duration = Duration::from_millis(200);
/// Folders deeper than this are not policies; links may make them endless.
const MAX_DEPTH: usize = 16;

/// How a configuration's files looked before they were read.
pub struct Watch {
    config: PathBuf,
    seen: Snapshot,
}

impl Watch {
    pub fn new(config: &Path) -> Watch {
        Watch {
            config: config.to_owned(),
            seen: snapshot(&sources(config)),
        }
    }

    /// What is in the history when a configuration is read is decided again by it.
    pub fn spawn(
        self,
        module: Module,
        current: Current,
        history: Arc<History>,
    ) -> Result<(), Failure> {
        let Watch { config, mut seen } = self;
        let watch = move || {
            loop {
                thread::sleep(EVERY);
                let mut now = snapshot(&sources(&config));
                if now == seen {
                    continue;
                }
                // An editor may still be writing: wait until two looks agree.
                loop {
                    thread::sleep(EVERY);
                    let next = snapshot(&sources(&config));
                    if next == now {
                        break;
                    }
                    now = next;
                }
                seen = now;
                let read = Document::read(&config, true);
                match read.and_then(|document| document.start(&module)) {
                    Ok(serving) => {
                        let requests = history.snapshot();
                        let old = Arc::clone(&current.get().native);
                        let new = Arc::clone(&serving.native);
                        current.swap(serving);
                        let flips = flips(&requests, &old, &new);
                        terminal::say(&format!("reloaded {}{flips}", config.display()));
                    }
                    Err(failure) => {
                        terminal::report(&failure);
                        terminal::say("the last good configuration stays");
                    }
                }
            }
        };
        thread::Builder::new()
            .name("watch".into())
            .stack_size(STACK)
            .spawn(watch)
            .map_err(|error| Failure::io("a thread", &error))?;
        Ok(())
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
