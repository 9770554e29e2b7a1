//! Which decisions are among a share of all: by their ids, so that every part of the gate, and
//! whoever reads its logs, finds the same ones.

use crate::crypto;

/// A part of all decisions, from none to all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Every decision.
    pub const ALL: Share = Share(1.0);

    /// From 0 to 1; nothing else is a share.
    pub fn new(share: f64) -> Option<Share> {
        (0.0..=1.0).contains(&share).then_some(Share(share))
    }

    pub fn is_none(self) -> bool {
        self.0 == 0.0
    }

    /// Whether the decision is among them. A larger share has all those of a smaller one.
    pub fn takes(self, decision_id: &str) -> bool {
        if self.is_none() {
            return false;
        }
        // An id need not be random in every bit, and its hash is.
        let [a, b, c, d, ..] = crypto::sha256(decision_id.as_bytes());
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.0 * 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    fn taken(share: f64) -> Vec<usize> {
        let share = Share::new(share).unwrap();
        (0..4000)
            .filter(|number| share.takes(&format!("decision {number}")))
            .collect()
    }

    #[test]
    fn a_share_is_from_none_to_all() {
        assert!(taken(0.0).is_empty());
        assert_eq!(taken(1.0).len(), 4000);
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::new(wrong), None);
        }
    }

    #[test]
    fn a_share_takes_as_many_as_it_says() {
        let quarter = taken(0.25);
        assert!((900..1100).contains(&quarter.len()), "{}", quarter.len());
        let half = taken(0.5);
        assert!(quarter.iter().all(|number| half.contains(number)));
    }
}
