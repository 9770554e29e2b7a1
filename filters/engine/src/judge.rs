//! What a gate makes of its rule's value, for those who ask a policy without a request: a log that is
//! decided again.

use crate::{
    answer,
    config::{self, headers::Headers},
    error::Findings,
    gate::Gate,
    words::Reason,
};
use portcullis_rego::{EvalError, Value};

/// How a gate reads what its policy says.
pub struct Judge {
    headers: Headers,
    instructions: u32,
}

impl Default for Judge {
    /// As a gate without a word on it in its configuration.
    fn default() -> Judge {
        // What is not there is not wrong either.
        let headers = config::headers::read(Default::default(), &mut Findings::default());
        Judge {
            headers,
            instructions: config::DEFAULT_INSTRUCTIONS,
        }
    }
}

impl Gate {
    pub fn judge(&self) -> Judge {
        Judge {
            headers: self.config().headers.clone(),
            instructions: self.config().instructions,
        }
    }
}

impl Judge {
    /// The same for another policy, of which a request may use up so many instructions.
    pub fn within(self, instructions: u32) -> Judge {
        Judge {
            instructions,
            ..self
        }
    }

    /// What a request may use up of its policy, in instructions.
    pub fn instructions(&self) -> u32 {
        self.instructions
    }

    /// Why a request is decided as it is whose rule gave this: `policy.allowed` for `true`, or an object
    /// with `allowed: true` that is right in every other part, and a refusal's code for all else.
    pub fn reason(&self, result: Result<Option<Value>, EvalError>) -> Reason {
        answer::reason(&answer::said(result, &self.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::Judge;
    use crate::words::Reason;
    use portcullis_rego::{EvalError, value};
    use serde_json::json;

    #[test]
    fn only_what_allows_a_request_is_an_allow() {
        let judge = Judge::default();
        assert_eq!(judge.instructions(), 200_000);
        for (value, reason) in [
            (json!(true), Reason::PolicyAllowed),
            (json!(false), Reason::PolicyDenied),
            (json!({"allowed": true}), Reason::PolicyAllowed),
            (
                json!({"allowed": false, "http_status": 401}),
                Reason::PolicyDenied,
            ),
            (json!({"allowed": "true"}), Reason::PolicyError),
            (
                json!({"allowed": true, "headers": {"x-envoy-x": "1"}}),
                Reason::PolicyError,
            ),
            (json!({}), Reason::PolicyError),
            (json!("true"), Reason::PolicyError),
            (json!(1), Reason::PolicyError),
            (json!(null), Reason::PolicyError),
        ] {
            let result = Ok(value::from_json(&value).ok());
            assert_eq!(judge.reason(result), reason, "{value}");
        }
        assert_eq!(judge.reason(Ok(None)), Reason::PolicyUndefined);
        assert_eq!(judge.reason(Err(EvalError::Budget)), Reason::PolicyBudget);
        let failed = EvalError::Failed("a conflict".into());
        assert_eq!(judge.reason(Err(failed)), Reason::PolicyError);
    }
}
