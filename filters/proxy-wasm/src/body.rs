//! A request's body as its callbacks bring it.

use crate::host;
use portcullis_engine::{Body, BodyReader};
use std::cell::Cell;

/// How long a body may take to begin where none has ever come while headers were held: a host that does
/// not call for bodies then would hold the request for ever.
const PATIENCE_NS: u64 = 5_000_000_000;

/// What this instance knows of its host.
#[derive(Default)]
pub struct Bodies {
    /// Whether a body ever came while headers were held.
    do_come: Cell<bool>,
}

impl Bodies {
    pub fn came(&self) {
        self.do_come.set(true);
    }

    /// When a request that has been held since then is given up; `None` where the host is known to bring
    /// bodies.
    pub fn deadline_ns(&self, since_ns: u64) -> Option<u64> {
        (!self.do_come.get()).then(|| since_ns.saturating_add(PATIENCE_NS))
    }
}

/// The body of one request that is held.
pub enum Held {
    /// The request ended with its headers.
    None,
    /// It is not to be looked at.
    Unread,
    Coming {
        reader: BodyReader,
        /// How much of what the host holds was read.
        seen: usize,
    },
    Read(Body),
}

impl Held {
    /// Takes in what the host holds of it and was not read before.
    ///
    /// # Errors
    /// The host gave less than it said.
    pub fn take(&mut self, size: usize, is_end: bool) -> Result<(), host::Refused> {
        if let Held::Coming { reader, seen } = self {
            let fresh = size.checked_sub(*seen).ok_or(host::Refused)?;
            if fresh > 0 {
                let piece = host::request_body(*seen, fresh).ok_or(host::Refused)?;
                reader.push(&piece);
                *seen = size;
            }
            if is_end || reader.is_refused() {
                self.end();
            }
        }
        Ok(())
    }

    /// What has taken in as much as came.
    pub fn take_reader(&mut self) -> Option<BodyReader> {
        match std::mem::replace(self, Held::Unread) {
            Held::Coming { reader, .. } => Some(reader),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Nothing more comes, or nothing more is looked at.
    pub fn end(&mut self) {
        *self = match std::mem::replace(self, Held::Unread) {
            Held::Coming { reader, .. } => Held::Read(reader.finish()),
            other => other,
        };
    }
}
