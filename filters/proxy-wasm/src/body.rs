//! A request's body as its callbacks bring it.

use crate::host;
use portcullis_engine::{Body, BodyCheck, BodyReader, Reason};
use std::cell::Cell;

/// How long a body may take to begin where none has ever come while headers were held: a host that does
/// not call for bodies then would hold the request for ever.
const PATIENCE_NS: u64 = 5_000_000_000;

/// What is read at once: a host may show a whole body at once, and the guest has no need of it twice.
const WINDOW_BYTES: usize = 64 << 10;

/// What the host shows of a body from one byte to another, one part after the other; an error where it
/// gives less than it said.
fn windows(start: usize, end: usize) -> impl Iterator<Item = Result<Vec<u8>, host::Refused>> {
    (start..end).step_by(WINDOW_BYTES).map(move |at| {
        let length = end.saturating_sub(at).min(WINDOW_BYTES);
        host::request_body(at, length).ok_or(host::Refused)
    })
}

/// Checks a piece that passes, up to what must not.
pub fn pass(check: &mut BodyCheck, size: usize) -> Result<Result<(), Reason>, host::Refused> {
    for window in windows(0, size) {
        if let Err(reason) = check.push(&window?) {
            return Ok(Err(reason));
        }
    }
    Ok(Ok(()))
}

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
        reader: Box<BodyReader>,
        /// How much of what the host holds was read.
        seen: usize,
    },
    Read(Body),
}

impl Held {
    /// Bytes of it that the policy is shown.
    pub fn shown(&self) -> usize {
        match self {
            Held::None | Held::Unread | Held::Coming { .. } => 0,
            Held::Read(body) => body.kept(),
        }
    }

    /// Takes in what the host holds of it and was not read before.
    ///
    /// # Errors
    /// The host gave less than it said.
    pub fn take(&mut self, size: usize, is_end: bool) -> Result<(), host::Refused> {
        if let Held::Coming { reader, seen } = self {
            if size < *seen {
                return Err(host::Refused);
            }
            for window in windows(*seen, size) {
                reader.push(&window?);
                if reader.is_refused() {
                    break;
                }
            }
            *seen = size;
            if is_end || reader.is_refused() {
                self.end();
            }
        }
        Ok(())
    }

    /// What has taken in as much as came.
    pub fn take_reader(&mut self) -> Option<BodyReader> {
        match std::mem::replace(self, Held::Unread) {
            Held::Coming { reader, .. } => Some(*reader),
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
