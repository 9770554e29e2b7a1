//! The policy is asked, and its answer becomes the decision.

use crate::{
    answer::{self, Answer, Note},
    decision::{Decision, Effect, HeaderEdit, Record},
    headers::Headers,
    pass::{Pass, Question},
    query, refusal,
    words::Reason,
};
use portcullis_rego::{EvalError, Policy};

pub fn enforce(policy: &Policy, pass: &Pass<'_>, question: Question<'_>) -> Decision {
    let rule = &question.settings.entrypoint;
    let moment = portcullis_rego::Moment {
        now_ns: pass.moment.now_ns,
        instructions: pass.config.instructions,
        strict_builtin_errors: false,
    };
    let record = |reason, note: Note| Record {
        rule: Some(rule.to_string()),
        subject: question.subject.clone(),
        key_id: question.key_id.clone(),
        detail: note.reason,
        metadata: note.metadata,
        ..pass.record(reason)
    };
    let failed = |reason, detail: Option<String>| {
        let note = Note {
            reason: detail,
            metadata: None,
        };
        pass.refuse(question.settings, record(reason, note))
    };
    let result = match policy.evaluate(rule, question.input, &moment) {
        Ok(Some(result)) => result,
        Ok(None) => return failed(Reason::PolicyUndefined, None),
        Err(EvalError::Budget) => return failed(Reason::PolicyBudget, None),
        Err(error) => return failed(Reason::PolicyError, Some(error.to_string())),
    };
    match answer::read(&result, &pass.config.headers) {
        Err(fault) => failed(Reason::PolicyError, Some(fault)),
        Ok(Answer::Allow(edits, note)) => {
            let mut headers = question.headers;
            for (name, values) in edits.headers {
                headers.replace(&name, values);
            }
            for name in &edits.remove_headers {
                headers.remove(name);
            }
            edit_query(&mut headers, &edits.set_query, &edits.remove_query);
            let response = edits
                .response_headers
                .into_iter()
                .flat_map(|(name, values)| HeaderEdit::replace(&name, values))
                .collect();
            pass.allow(&headers, response, record(Reason::PolicyAllowed, note))
        }
        Ok(Answer::Deny(shape, note)) => Decision {
            effect: Effect::Deny(refusal::of_policy(
                pass.config,
                question.settings,
                pass.client(),
                shape,
                pass.moment.decision_id,
            )),
            record: record(Reason::PolicyDenied, note),
        },
    }
}

/// Envoy's ext_authz sets first, then removes.
fn edit_query(headers: &mut Headers<'_>, set: &[(String, Vec<String>)], remove: &[String]) {
    if set.is_empty() && remove.is_empty() {
        return;
    }
    headers.rewrite(":path", |path| {
        let mut path = path.to_owned();
        for (name, values) in set {
            path = query::with(&path, name, values);
        }
        let names: Vec<&str> = remove.iter().map(String::as_str).collect();
        Some(query::without(&path, &names))
    });
}
