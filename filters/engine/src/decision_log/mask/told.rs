//! The pointers that an event lists of what was masked in it: few, short, and above all that was.

/// Of pointers that an event lists, and of their bytes: a client makes as many places as it likes, and as
/// long as it likes.
const MOST_TOLD: usize = 64;
const MOST_TOLD_BYTES: usize = 8 * 1024;
const LONGEST_TOLD: usize = 512;

/// Lists the pointer, or one that it is below.
pub fn tell(at: &str, masked: &mut Vec<String>) {
    let mut at = at;
    while at.len() > LONGEST_TOLD {
        at = parent(at).unwrap_or_default();
    }
    let is_known = |known: &String| is_below(at, known);
    if masked.last().is_some_and(is_known) || masked.iter().any(is_known) {
        return;
    }
    masked.retain(|known| !is_below(known, at));
    masked.push(at.to_owned());
    while masked.len() > MOST_TOLD
        || masked.iter().map(String::len).sum::<usize>() > MOST_TOLD_BYTES
    {
        if !is_shorter(masked) {
            return;
        }
    }
}

/// Whether the pointer is the other one, or one below.
fn is_below(at: &str, other: &str) -> bool {
    let rest = at.strip_prefix(other);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parent(at: &str) -> Option<&str> {
    let (parent, _) = at.rsplit_once('/')?;
    (!parent.is_empty()).then_some(parent)
}

/// Puts their parents in the deepest pointers' place, so that nothing that is altered lies outside of what
/// is listed; false where there are none.
fn is_shorter(masked: &mut Vec<String>) -> bool {
    let depth = |at: &str| at.matches('/').count();
    let deepest = masked.iter().map(|at| depth(at)).max().unwrap_or_default();
    if deepest < 2 {
        return false;
    }
    let mut shorter: Vec<String> = Vec::new();
    for at in masked.drain(..) {
        let at = match parent(&at).filter(|_| depth(&at) == deepest) {
            Some(parent) => parent.to_owned(),
            None => at,
        };
        if !shorter.contains(&at) {
            shorter.push(at);
        }
    }
    *masked = shorter;
    true
}
