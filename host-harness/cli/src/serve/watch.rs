//! Reads the configuration again when one of its files changes.

use super::{Current, Document};
use crate::{changes::Changes, terminal};
use portcullis_gatefile::sources;
use portcullis_host::Module;
use std::{
    path::{Path, PathBuf},
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

    pub fn spawn(self, module: Module, current: Current) {
        let Watch {
            config,
            mut changes,
        } = self;
        thread::spawn(move || {
            loop {
                changes.wait();
                match Document::read(&config).and_then(|document| document.start(&module)) {
                    Ok(filter) => {
                        current.swap(filter);
                        terminal::say(&format!("reloaded {}", config.display()));
                    }
                    Err(failure) => {
                        terminal::report(&failure);
                        terminal::say("the last good configuration stays");
                    }
                }
            }
        });
    }
}
