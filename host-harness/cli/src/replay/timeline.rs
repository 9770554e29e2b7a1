//! Counts over time, in as few steps as a picture shows: the steps grow with the time that is covered.

use std::collections::BTreeMap;

/// Seconds; each is a multiple of the one before it.
const WIDTHS: [u64; 17] = [
    1,
    5,
    10,
    30,
    60,
    300,
    600,
    1_800,
    3_600,
    10_800,
    21_600,
    43_200,
    86_400,
    604_800,
    2_419_200,
    31_449_600,
    3_144_960_000,
];
const MAX_STEPS: usize = 80;

/// What came to pass in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub replayed: u64,
    pub to_allow: u64,
    pub to_deny: u64,
    pub uncertain: u64,
}

/// Steps by their beginnings, in seconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Timeline {
    width: usize,
    pub steps: BTreeMap<u64, Step>,
}

impl Step {
    pub fn add(&mut self, other: &Step) {
        for (sum, more) in [
            (&mut self.replayed, other.replayed),
            (&mut self.to_allow, other.to_allow),
            (&mut self.to_deny, other.to_deny),
            (&mut self.uncertain, other.uncertain),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl Timeline {
    /// Of a step, in seconds.
    pub fn width(&self) -> u64 {
        WIDTHS.get(self.width).copied().unwrap_or(1)
    }

    pub fn add(&mut self, second: u64, step: &Step) {
        let at = second - second % self.width();
        self.steps.entry(at).or_default().add(step);
        while self.span() > MAX_STEPS && self.width.saturating_add(1) < WIDTHS.len() {
            self.width = self.width.saturating_add(1);
            let width = self.width();
            let steps = std::mem::take(&mut self.steps);
            for (at, step) in steps {
                self.steps.entry(at - at % width).or_default().add(&step);
            }
        }
    }

    /// How many steps there are from the first to the last.
    pub fn span(&self) -> usize {
        let ends = self
            .steps
            .keys()
            .next()
            .zip(self.steps.keys().next_back())
            .map(|(first, last)| last.saturating_sub(*first) / self.width());
        let ends = ends.map_or(0, |steps| steps.saturating_add(1));
        usize::try_from(ends).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_STEPS, Step, Timeline, WIDTHS};

    #[test]
    fn steps_grow_and_nothing_is_lost() {
        let one = Step {
            replayed: 1,
            ..Step::default()
        };
        for spread in [1, 7, 100, 10_000, 3_000_000, 18_000_000] {
            let mut timeline = Timeline::default();
            for index in 0..1000_u64 {
                // Not in order.
                timeline.add((index * 7919 % 1000) * spread, &one);
            }
            let all: u64 = timeline.steps.values().map(|step| step.replayed).sum();
            assert_eq!(all, 1000);
            assert!(timeline.span() <= MAX_STEPS, "{spread}");
        }
        for (narrow, wide) in WIDTHS.iter().zip(WIDTHS.iter().skip(1)) {
            assert_eq!(wide % narrow, 0);
        }
    }
}
