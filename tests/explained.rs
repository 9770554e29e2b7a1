//! What `explain` says of every denial in the scenarios is so. Of a credential: it names the reason. Of
//! a rule: without the condition it names the rule holds, and with nothing but that condition and
//! those before it, it still does not. The changed policies are put to the gate's own evaluation.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use portcullis_engine::{Credential, CredentialOutcome, Effect, Reason, words::check};
use portcullis_gatefile::policy_sources;
use portcullis_rego::{
    Entrypoint, Moment, Policy, Sources,
    tools::{Attempt, Branch, Condition, Explainer, Outcome, outline},
    value,
};
use portcullis_runner::{Exchange, On, Prepared, native};

#[derive(Default)]
struct Tally {
    by_credential: usize,
    by_request: usize,
    conditions: usize,
    /// Conditions after which something is bound that the rule's value needs.
    unfit: usize,
    policies: usize,
    wrong: Vec<String>,
}

#[test]
fn every_denial() {
    let runner = portcullis_tests::runner(&[On::Native]).unwrap();
    let mut tally = Tally::default();
    for scenario in portcullis_tests::scenarios().unwrap() {
        let prepared = runner.prepare(&scenario).unwrap();
        if native::load(&prepared).is_err() {
            continue;
        }
        for (case, exchange) in scenario.file.cases.iter().zip(&prepared.exchanges) {
            if case.skip.is_empty() {
                let name = format!("{} / {}", scenario.name, case.name);
                denial(&prepared, exchange, &name, &mut tally);
            }
        }
    }
    println!(
        "explained: {} denials by credentials, {} by the request itself, {} by policies with {} \
         conditions ({} more cannot be taken out by themselves)",
        tally.by_credential, tally.by_request, tally.policies, tally.conditions, tally.unfit
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.by_credential > 100 && tally.policies > 50 && tally.conditions > 60);
    assert!(tally.unfit < tally.conditions / 4);
}

fn denial(prepared: &Prepared<'_>, exchange: &Exchange, name: &str, tally: &mut Tally) {
    let gate = native::load(prepared).unwrap();
    let Ok(headers) = exchange.filter_headers() else {
        return;
    };
    let (decision, credentials, input, rule, now_ns) =
        native::ask(exchange, &headers, |request, moment| {
            (
                gate.decide(request, moment),
                gate.credentials(request, moment),
                gate.input(request, moment).ok(),
                gate.entrypoint(request),
                moment.now_ns,
            )
        });
    let Effect::Deny(_) = decision.effect else {
        return;
    };
    let (Some(input), Some(rule)) = (input, rule) else {
        match names(&credentials, decision.record.reason) {
            Some(true) => tally.by_credential += 1,
            None => tally.by_request += 1,
            Some(false) => tally.wrong.push(format!(
                "{name}: {} is not among {credentials:?}",
                decision.record.reason
            )),
        }
        return;
    };
    if decision.record.reason != Reason::PolicyDenied
        && decision.record.reason != Reason::PolicyUndefined
    {
        tally.by_request += 1;
        return;
    }
    tally.policies += 1;
    let document: serde_json::Value = serde_json::from_slice(&prepared.document).unwrap();
    let asked = Asked {
        sources: policy_sources(&document).unwrap(),
        rule,
        input: value::from_json(&input).unwrap(),
        moment: Moment {
            now_ns,
            instructions: 5_000_000,
            strict_builtin_errors: false,
        },
    };
    let mut explainer = Explainer::new(&asked.sources).unwrap();
    let explanation = explainer.explain(&asked.rule, asked.input.clone(), &asked.moment);
    if explanation.attempts.is_empty() {
        tally.wrong.push(format!("{name}: no rule is named"));
    }
    for attempt in &explanation.attempts {
        if let Outcome::Failed(condition) = &attempt.outcome
            && let Err(wrong) = asked.confirm(attempt, condition, tally)
        {
            let place = format!("{}:{}", attempt.file, condition.place.line);
            tally.wrong.push(format!("{name}: {place}: {wrong}"));
        }
    }
}

/// Whether a refusal is among what is said of the credentials; none where it is about none.
fn names(credentials: &[Credential], reason: Reason) -> Option<bool> {
    let missing = match reason {
        Reason::JwtMissing => Some(check::JWT),
        Reason::ApiKeyMissing => Some(check::API_KEY),
        Reason::SignatureMissing => Some(check::SIGNATURE),
        _ => None,
    };
    let is_named = credentials
        .iter()
        .any(|credential| match &credential.outcome {
            CredentialOutcome::Refused { reason: said, .. } => *said == reason,
            CredentialOutcome::Missing => Some(credential.check) == missing,
            CredentialOutcome::Verified { .. } => false,
        });
    let code = reason.code();
    let is_about_one = ["jwt.", "api_key.", "signature."]
        .iter()
        .any(|prefix| code.starts_with(prefix));
    (is_about_one || is_named).then_some(is_named)
}

struct Asked {
    sources: Sources,
    rule: String,
    input: value::Value,
    moment: Moment,
}

impl Asked {
    fn confirm(
        &self,
        attempt: &Attempt,
        condition: &Condition,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let index = self
            .sources
            .modules
            .iter()
            .position(|module| module.path == attempt.file);
        let text = &self.sources.modules[index.unwrap()].text;
        if text.contains("$\"") {
            return Ok(());
        }
        let branch = self.branch(attempt)?;
        let ends = branch.conditions.iter().map(|it| it.place.end);
        let end = ends.max().unwrap();
        let (start, own) = (condition.place.start, condition.place.end);
        let before = self.value(&self.sources)?;
        let changed = |text: String| {
            let mut sources = self.sources.clone();
            sources.modules[index.unwrap()].text = text;
            sources
        };
        // What Rego lets stand after it no more than before it.
        let only = changed(format!("{}{}", &text[..own], &text[end..]));
        if let Ok(value) = self.value(&only)
            && value != before
        {
            return Err(format!("`{}` holds", condition.text));
        }
        let without = changed(format!("{}true{}", &text[..start], &text[end..]));
        let Ok(value) = self.value(&without) else {
            tally.unfit += 1;
            return Ok(());
        };
        tally.conditions += 1;
        if value != before {
            return Ok(());
        }
        // Another branch gives the same value: then this one must hold now.
        let mut explainer = Explainer::new(&without).map_err(|errors| errors.to_string())?;
        let explanation = explainer.explain(&self.rule, self.input.clone(), &self.moment);
        let now = explanation
            .attempts
            .iter()
            .find(|it| it.file == attempt.file && it.place.start == attempt.place.start);
        match now.map(|attempt| &attempt.outcome) {
            Some(Outcome::Held { .. }) => Ok(()),
            Some(Outcome::NotReached) => Ok(()),
            // It holds, and what it would say is undefined.
            Some(Outcome::Unexplained(why)) if why.starts_with("its conditions hold") => Ok(()),
            other => Err(format!("without `{}` it is {other:?}", condition.text)),
        }
    }

    fn branch(&self, attempt: &Attempt) -> Result<Branch, String> {
        let outline = outline(&self.sources.modules, self.sources.version).unwrap();
        let module = outline.iter().find(|module| module.path == attempt.file);
        let definitions = module.unwrap().definitions.iter();
        definitions
            .filter(|definition| definition.rule == self.rule)
            .flat_map(|definition| definition.branches.clone())
            .find(|branch| branch.place == attempt.place)
            .ok_or_else(|| "no such branch".to_owned())
    }

    fn value(&self, sources: &Sources) -> Result<Option<value::Value>, String> {
        let entrypoint = Entrypoint::parse(&self.rule).unwrap();
        let policy = Policy::load(sources.clone(), std::slice::from_ref(&entrypoint))
            .map_err(|errors| errors.to_string())?;
        policy
            .evaluate(&entrypoint, self.input.clone(), &self.moment)
            .map_err(|error| error.to_string())
    }
}
