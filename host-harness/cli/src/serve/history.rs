//! The last requests, to be decided again when a policy is saved. They are held in memory only.

use super::native::{Native, Seen};
use crate::moment;
use portcullis_engine::{Decision, Effect};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

const REMEMBERED: usize = 50;
/// Of one request, with its body where the filter held it.
const MAX_BYTES: usize = 64 * 1024;

/// The last requests, the oldest first.
#[derive(Default)]
pub struct History(Mutex<VecDeque<Arc<Seen>>>);

impl History {
    /// Forgets the oldest where there are too many.
    pub fn remember(&self, seen: &Arc<Seen>) {
        if seen.bytes() > MAX_BYTES {
            return;
        }
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while requests.len() >= REMEMBERED {
            requests.pop_front();
        }
        requests.push_back(Arc::clone(seen));
    }

    /// The requests there are now.
    pub fn snapshot(&self) -> Vec<Arc<Seen>> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }
}

/// What is to be said after `reloaded`: which of these requests another configuration decides
/// otherwise. Nothing where there are none.
pub fn flips(requests: &[Arc<Seen>], old: &Native, new: &Native) -> String {
    // Both decide at this moment and not at the request's: a token that has expired meanwhile has
    // for both, so only the configuration makes a difference.
    let now_ns = moment::nanoseconds(moment::now());
    let flips: Vec<String> = requests
        .iter()
        .filter_map(|seen| flip(seen, old, new, now_ns))
        .collect();
    let total = requests.len();
    let last = match total {
        0 => return String::new(),
        1 => "your last 1 request".to_owned(),
        _ => format!("your last {total} requests"),
    };
    match flips.len() {
        0 => format!("; none of {last} flips"),
        1 => format!("; 1 of {last} flips:{}", flips.concat()),
        count => format!("; {count} of {last} flip:{}", flips.concat()),
    }
}

fn flip(seen: &Seen, old: &Native, new: &Native, now_ns: u64) -> Option<String> {
    let (before, after) = (old.decide(seen, now_ns)?, new.decide(seen, now_ns)?);
    let codes = (before.record.reason.code(), after.record.reason.code());
    if codes.0 == codes.1 && word(&before) == word(&after) {
        return None;
    }
    let place = new.place(seen, now_ns, &after);
    let place = place.map(|place| format!(", {place}")).unwrap_or_default();
    let (method, path) = seen.line();
    Some(format!(
        "\n  {} {} {} -> {} ({} -> {}{place})",
        method.escape_debug(),
        new.mask(seen, None).text(&path).escape_debug(),
        word(&before),
        word(&after),
        codes.0,
        codes.1,
    ))
}

fn word(decision: &Decision) -> &'static str {
    match decision.effect {
        Effect::Allow(_) => "allow",
        Effect::Deny(_) => "deny",
    }
}
