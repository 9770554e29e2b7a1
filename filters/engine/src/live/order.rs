//! No way back: a revision that is older than the active one does not take its place.

use crate::{
    bundle::{Manifest, Order},
    config::bundle::Bundle,
};
use std::cmp::Ordering;

/// Whether the new revision may take the place of the active one.
///
/// # Errors
/// Why not.
pub fn check(config: &Bundle, active: &Manifest, new: &Manifest) -> Result<(), String> {
    if config.allow_older.contains(&new.revision) {
        return Ok(());
    }
    let Some(declared) = &active.order else {
        return Ok(());
    };
    let (name, of_active) = shown(declared);
    let ordering = match (declared, &new.order) {
        (Order::Sequence(active), Some(Order::Sequence(new)))
        | (Order::Time(active), Some(Order::Time(new))) => new.cmp(active),
        _ => {
            return Err(format!(
                "revision `{}` says no {name}, where the active `{}` has {of_active}",
                new.revision, active.revision
            ));
        }
    };
    match ordering {
        Ordering::Greater => Ok(()),
        // The same once more.
        Ordering::Equal if new.revision == active.revision => Ok(()),
        Ordering::Equal => Err(format!(
            "revision `{}` has the {name} {of_active} that the active `{}` has",
            new.revision, active.revision
        )),
        Ordering::Less => Err(format!(
            "revision `{}` is older than the active `{}`: its {name} is {}, before {of_active}; to go back, \
             publish the old content as a new revision (`portcullis bundle rollback`), or name it in \
             `allow_older`",
            new.revision,
            active.revision,
            new.order
                .as_ref()
                .map_or_else(String::new, |it| shown(it).1),
        )),
    }
}

fn shown(order: &Order) -> (&'static str, String) {
    match order {
        Order::Sequence(sequence) => ("sequence", sequence.to_string()),
        Order::Time(at) => ("time", super::event::time(*at)),
    }
}
