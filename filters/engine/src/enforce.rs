//! The policy is asked, and its answer becomes the decision.

use crate::{
    answer::{self, Answer, Note},
    decision::{Decision, Effect, HeaderEdit, Record},
    headers::Headers,
    pass::{Pass, Question},
    query, refusal, self_check,
};

pub fn enforce(pass: &Pass<'_>, question: Question<'_>) -> Decision {
    let policy = question.policy;
    let rule = &question.settings.entrypoint;
    let moment = portcullis_rego::Moment {
        now_ns: pass.moment.now_ns,
        instructions: pass.config.instructions,
        strict_builtin_errors: false,
    };
    let (said, difference) = self_check::ask(policy, pass, rule, question.input, &moment);
    let reason = answer::reason(&said);
    let record = |note: Note| Record {
        rule: Some(rule.to_string()),
        subject: question.subject.clone(),
        key_id: question.key_id.clone(),
        api_key: question.api_key.clone(),
        detail: note.reason,
        metadata: note.metadata,
        self_check: difference,
        ..pass.record(reason)
    };
    match said {
        Err(failure) => {
            let note = Note {
                reason: failure.detail,
                metadata: None,
            };
            pass.refuse(question.settings, record(note))
        }
        Ok(Answer::Allow(edits, note)) => {
            let mut headers = question.headers;
            for (name, values) in edits.headers {
                headers.replace(&name, values);
            }
            for name in &edits.remove_headers {
                headers.remove(name);
            }
            edit_query(&mut headers, &edits.set_query, &edits.remove_query);
            if let Err((reason, detail)) = question.proof.show(pass, &mut headers) {
                let record = Record {
                    reason,
                    detail: Some(detail),
                    ..record(note)
                };
                return pass.refuse(question.settings, record);
            }
            let response = edits
                .response_headers
                .into_iter()
                .flat_map(|(name, values)| HeaderEdit::replace(&name, values))
                .collect();
            pass.allow(&headers, response, record(note))
        }
        Ok(Answer::Deny(shape, note)) => Decision {
            effect: Effect::Deny(refusal::of_policy(
                pass.config,
                question.settings,
                pass.client(),
                shape,
                pass.moment.decision_id,
            )),
            record: record(note),
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
