//! No way back: a revision that is older than the active one does not take its place.

use super::Loaded;
use crate::{
    bundle::{Manifest, Order},
    config::bundle::Bundle,
    instant,
};
use std::cmp::Ordering;

/// Whether the new revision may take the place of the active one. It is held against the newest that
/// was ever active: one that the configuration lets back brings none back with it. `digest` is the new
/// one's, as it came.
///
/// # Errors
/// Why not.
pub fn check(
    config: &Bundle,
    active: &Loaded,
    new: &Manifest,
    digest: &[u8],
) -> Result<(), String> {
    if config.allow_older.contains(&new.revision) {
        return Ok(());
    }
    let Some(newest) = active.newest() else {
        return Ok(());
    };
    let (name, of_newest) = shown(&newest.order);
    let before = &newest.revision;
    let Some(ordering) = new.order.and_then(|own| compared(own, newest.order)) else {
        return Err(format!(
            "revision `{}` says no {name}, where `{before}` had {of_newest}",
            new.revision
        ));
    };
    match ordering {
        Ordering::Greater => Ok(()),
        // What was active, after another was let back.
        Ordering::Equal if digest == newest.digest => Ok(()),
        Ordering::Equal if new.revision == *before => Err(format!(
            "revision `{before}` was active with another content: what changes takes a {name} of its own"
        )),
        Ordering::Equal => Err(format!(
            "revision `{}` has the {name} {of_newest} that `{before}` had",
            new.revision
        )),
        Ordering::Less => Err(format!(
            "revision `{}` is older than `{before}`, which was active: its {name} is {}, before {of_newest}; \
             to go back, publish the old content as a new revision (`portcullis bundle rollback`), or name \
             it in `allow_older`",
            new.revision,
            new.order
                .as_ref()
                .map_or_else(String::new, |it| shown(it).1),
        )),
    }
}

/// Whether this is newer than what the manifest says.
pub fn is_newer(order: Order, than: &Manifest) -> bool {
    match than.order.and_then(|than| compared(order, than)) {
        Some(ordering) => ordering == Ordering::Greater,
        None => true,
    }
}

/// `None` of two kinds.
fn compared(one: Order, other: Order) -> Option<Ordering> {
    match (one, other) {
        (Order::Sequence(one), Order::Sequence(other)) | (Order::Time(one), Order::Time(other)) => {
            Some(one.cmp(&other))
        }
        _ => None,
    }
}

fn shown(order: &Order) -> (&'static str, String) {
    match order {
        Order::Sequence(sequence) => ("sequence", sequence.to_string()),
        Order::Time(at) => ("time", instant::shown(*at)),
    }
}
