//! The policies that a configuration holds itself, as they can be asked why.

use super::native::quietly;
use crate::{explain, policy::Which, terminal};
use portcullis_gatefile::GateFile;
use portcullis_rego::tools::Explainer;
use std::sync::Mutex;

/// None of a policy that comes with bundles, or of one that there is not.
#[derive(Default)]
pub struct Explainers {
    policy: Option<Mutex<Explainer>>,
    candidate: Option<Mutex<Explainer>>,
}

impl Explainers {
    pub fn of(file: &GateFile) -> Explainers {
        Explainers {
            policy: explainer(file, Which::Policy),
            candidate: explainer(file, Which::Candidate),
        }
    }

    /// The one that knows the policy which decided: the other's lines say nothing of the answer.
    pub fn of_policy(&self, which: Which) -> Option<&Mutex<Explainer>> {
        match which {
            Which::Policy => self.policy.as_ref(),
            Which::Candidate => self.candidate.as_ref(),
        }
    }
}

fn explainer(file: &GateFile, which: Which) -> Option<Mutex<Explainer>> {
    match quietly(|| explain::explainer(file, which)) {
        Some(Ok(explainer)) => explainer.map(Mutex::new),
        Some(Err(_)) | None => {
            terminal::warn(&format!(
                "decisions are shown without the line of the {} that decided",
                which.name()
            ));
            None
        }
    }
}
