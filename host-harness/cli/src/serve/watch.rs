//! Reads the configuration again when one of its files changes.

use super::{
    Current, Document,
    clusters::Clusters,
    history::{History, flips},
    native::STACK,
};
use crate::{changes::Changes, failure::Failure, terminal};
use portcullis_gatefile::sources;
use portcullis_host::Module;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

/// A configuration's files, looked at before they were read.
pub struct Watch {
    config: PathBuf,
    changes: Changes<Box<dyn Fn() -> Vec<PathBuf> + Send>>,
}

impl Watch {
    pub fn new(config: &Path) -> Watch {
        let watched = config.to_owned();
        Watch {
            config: config.to_owned(),
            changes: Changes::new(Box::new(move || sources(&watched))),
        }
    }

    /// What is in the history when a configuration is read is decided again by it.
    pub fn spawn(
        self,
        module: Module,
        clusters: Arc<Clusters>,
        current: Current,
        history: Arc<History>,
    ) -> Result<(), Failure> {
        let Watch {
            config,
            mut changes,
        } = self;
        let watch = move || {
            loop {
                changes.wait();
                let read = Document::read(&config, true, &clusters);
                match read.and_then(|document| document.start(&module, &clusters)) {
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
