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
const MOST_HELD: usize = 32 << 20;

/// What a byte of a body becomes, at the worst, in the document that a policy is asked about.
const OF_BODY: usize = 40;

/// How much is held.
#[derive(Clone, Default)]
pub struct Room(Rc<Cell<usize>>);

/// A part of it, given back when dropped.
struct Place {
    room: Room,
    taken: usize,
}

impl Room {
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
        let mut weight = 0_usize;
        if let Some(asked) = &mut asked {
            let shown = asked.body.shown();
            weight = asked.size().saturating_add(shown.saturating_mul(OF_BODY));
            // Nothing else of it is looked at any more.
            asked.body = Held::None;
        }
        match accepted.room.take(weight) {
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
