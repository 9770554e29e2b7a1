//! Credentials are shown to nobody: what the engine hides in texts and documents, hidden in explanations.

use portcullis_engine::Mask;
use portcullis_rego::tools::{Explanation, Outcome, Shown};
use serde_json::Value;

pub fn explanation(mask: &Mask, explanation: &mut Explanation) {
    explanation.rule = mask.text(&explanation.rule).into_owned();
    explanation.value.iter_mut().for_each(|it| value(mask, it));
    if let Some(error) = &mut explanation.error {
        *error = mask.text(error).into_owned();
    }
    for attempt in &mut explanation.attempts {
        match &mut attempt.outcome {
            Outcome::Held {
                value: held,
                values,
            } => {
                held.iter_mut().for_each(|it| value(mask, it));
                shown(mask, values);
            }
            Outcome::Default { value: default } => {
                default.iter_mut().for_each(|it| value(mask, it));
            }
            Outcome::Unexplained(why) => *why = mask.text(why).into_owned(),
            Outcome::NotReached => {}
            Outcome::Failed(condition) => {
                shown(mask, &mut condition.values);
                for because in &mut condition.because {
                    self::explanation(mask, because);
                }
            }
        }
    }
}

fn value(mask: &Mask, value: &mut Value) {
    mask.value(value, "", &mut Vec::new());
}

fn shown(mask: &Mask, values: &mut [Shown]) {
    let shown = values.iter_mut().flat_map(|shown| &mut shown.value);
    shown.for_each(|it| value(mask, it));
}
