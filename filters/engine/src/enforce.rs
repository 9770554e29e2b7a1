//! The policy is asked, and its answer becomes the decision.

use crate::{
    answer::{self, Answer, Note, Said},
    candidate::Outcome,
    decision::{Decision, Difference, Effect, Evidence, HeaderEdit, Record},
    headers::Headers,
    pass::{Pass, Question},
    query, refusal, self_check,
};
use portcullis_rego::{Entrypoint, Moment, Policy, Value};
use std::{borrow::Cow, sync::Arc};

pub fn enforce(pass: &Pass<'_>, question: Question<'_>) -> Decision {
    let moment = pass.config.moment(pass.moment.now_ns);
    let settings = question.settings;
    let asked = &settings.entrypoint;
    let input = pass.keeps.then(|| question.input.clone());
    let body = portcullis_rego::value::member(&question.input, "parsed_body").cloned();
    let Word {
        said,
        value,
        rule,
        revision,
        difference,
        by_candidate,
        tried,
    } = ask(
        pass,
        (question.policy, asked),
        question.subject.as_deref(),
        question.input,
        &moment,
    );
    let reason = answer::reason(&said);
    let evidence = input.map(|input| Evidence {
        now_ns: moment.now_ns,
        input,
        result: value,
        reason,
        asked: asked.clone(),
        tried,
    });
    let record = |note: Note| Record {
        rule: Some(rule.to_string()),
        subject: question.subject.clone(),
        key_id: question.key_id.clone(),
        api_key: question.api_key.clone(),
        detail: note.reason.map(|it| pass.masked(&it, body.as_ref())),
        metadata: note.metadata,
        self_check: difference,
        revision,
        by_candidate,
        evidence,
        ..pass.record(reason)
    };
    match said {
        Err(failure) => {
            let note = Note {
                reason: failure.detail,
                metadata: None,
            };
            pass.refuse(settings, record(note))
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
                return pass.refuse(settings, record);
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
                settings,
                pass.client(),
                shape,
                pass.moment.decision_id,
            )),
            record: record(note),
        },
    }
}

/// What holds of what the policies said.
struct Word<'w> {
    said: Said,
    value: Option<Value>,
    rule: Cow<'w, Entrypoint>,
    revision: Option<Arc<str>>,
    difference: Option<Difference>,
    by_candidate: bool,
    /// What the candidate said in vain.
    tried: Option<Arc<Outcome>>,
}

/// The candidate decides on its subjects' requests, unless it goes wrong; the active policy on all others.
fn ask<'w>(
    pass: &Pass<'_>,
    (policy, rule): (&Policy, &'w Entrypoint),
    subject: Option<&str>,
    input: Value,
    moment: &Moment,
) -> Word<'w> {
    let tried = pass.candidate.and_then(|(candidate, rules)| {
        let asked = (rule, &pass.config.settings.entrypoint);
        let limits = &pass.config.headers;
        let ask = || candidate.ask(rules, asked, input.clone(), moment.now_ns, limits);
        let outcome = candidate.decides_on(rules, subject).then(ask);
        Some((candidate, outcome??))
    });
    let tried = match tried {
        Some((candidate, outcome)) if outcome.said.is_ok() => {
            candidate.decided();
            return Word {
                said: outcome.said,
                value: outcome.value,
                rule: Cow::Owned(outcome.rule),
                revision: outcome.revision,
                difference: None,
                by_candidate: true,
                tried: None,
            };
        }
        tried => tried.map(|(_, outcome)| Arc::new(outcome)),
    };
    let asked = self_check::ask(policy, pass, rule, input, moment);
    Word {
        said: asked.said,
        value: asked.value,
        rule: Cow::Borrowed(rule),
        revision: pass.active.revision.clone(),
        difference: asked.difference,
        by_candidate: false,
        tried,
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
