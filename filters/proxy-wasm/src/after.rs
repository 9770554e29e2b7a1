//! What is done about a decision once its answer is out: no request waits for it, and nothing of it can
//! change an answer.

use crate::{asked::Asked, body::Held, host, root::Accepted};
use portcullis_engine::{Gate, Over, Record, Request};
use std::{cell::Cell, rc::Rc, sync::Arc};

/// A decision, with the request that it was about.
pub struct After {
    record: Record,
    asked: Option<Box<Asked>>,
    _place: Place,
}

/// What a worker holds of requests whose exchanges go on, in bytes. Beyond, what there is to do is done
/// before the answer goes out.
const MOST_HELD: usize = 128 << 20;

/// What a byte of a body, or of headers, becomes at the worst in the document that a policy is asked
/// about: members of one letter.
const OF_DOCUMENT: usize = 50;

/// How much is held.
#[derive(Clone, Default)]
pub struct Room(Rc<Cell<usize>>);

/// A part of it, given back when dropped.
pub struct Place {
    room: Room,
    taken: usize,
}

impl Room {
    /// For what is kept of a request that was decided; `None` where there is no room for it.
    pub fn of(&self, asked: &Asked, record: &Record) -> Option<Place> {
        let shown = asked.body.shown().saturating_add(asked.size());
        self.take(match record.evidence {
            Some(_) => shown.saturating_mul(OF_DOCUMENT),
            None => asked.size(),
        })
    }

    fn take(&self, bytes: usize) -> Option<Place> {
        let all = self.0.get().checked_add(bytes);
        self.0.set(all.filter(|all| *all <= MOST_HELD)?);
        Some(Place {
            room: self.clone(),
            taken: bytes,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let room = &self.room.0;
        room.set(room.get().saturating_sub(self.taken));
    }
}

impl After {
    /// Keeps what there is to do for later; `None` where there is nothing, or it was done at once.
    pub fn keep(accepted: &Accepted, record: Record, asked: Option<Box<Asked>>) -> Option<After> {
        let gate = match &asked {
            Some(asked) => Arc::clone(&asked.gate),
            None => accepted.live.current(),
        };
        if !gate.looks_back() {
            return None;
        }
        let mut asked = asked;
        let place = match &asked {
            Some(asked) => accepted.room.of(asked, &record),
            None => accepted.room.take(0),
        };
        if let Some(asked) = &mut asked {
            // Nothing else of it is looked at any more.
            asked.body = Held::None;
        }
        match place {
            Some(place) => Some(After {
                record,
                asked,
                _place: place,
            }),
            None => {
                run(accepted, &gate, &record, asked.as_deref(), None);
                None
            }
        }
    }

    pub fn into_asked(self) -> Option<Box<Asked>> {
        self.asked
    }

    /// `status` is what the client got, where it got something.
    pub fn run(self, accepted: &Accepted, status: Option<u16>) {
        let gate = match &self.asked {
            Some(asked) => Arc::clone(&asked.gate),
            None => accepted.live.current(),
        };
        run(accepted, &gate, &self.record, self.asked.as_deref(), status);
    }
}

fn run(
    accepted: &Accepted,
    gate: &Gate,
    record: &Record,
    asked: Option<&Asked>,
    status: Option<u16>,
) {
    let now_ns = match asked {
        Some(asked) => asked.asked_ns(),
        None => host::now_ns().unwrap_or(0),
    };
    let told = |request: Option<&Request<'_>>| {
        gate.look_back(&Over {
            request,
            record,
            status,
            took_ns: asked.map(Asked::took_ns),
            now_ns,
        })
    };
    let of_request = asked.and_then(|asked| asked.look(|request| told(Some(request))));
    accepted.told(&of_request.unwrap_or_else(|| told(None)));
}
