//! Credentials are shown to nobody, wherever a policy's values hold them.

use portcullis_rego::tools::{Explanation, Outcome};
use serde_json::Value;
use std::collections::BTreeSet;

/// What stands in a credential's place.
pub const MASKED: &str = "***";

/// Headers whose values are credentials, whatever the configuration makes of them.
const HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "signature",
];

/// Shorter parts of a header are words, such as a scheme.
const MIN_PART: usize = 8;
/// A credential that is shorter than this is hidden where it stands alone, but not inside of other
/// texts: too many hold it.
const MIN_CREDENTIAL: usize = 4;

/// The texts to hide.
#[derive(Default)]
pub struct Mask {
    /// Wherever they stand, the longest first.
    parts: Vec<String>,
    /// Where nothing else stands beside them.
    whole: BTreeSet<String>,
}

impl Mask {
    /// Of the credentials that were found, and of headers that are credentials by their name.
    pub fn new<'a>(
        credentials: Vec<String>,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Mask {
        let mut whole: BTreeSet<String> = credentials.iter().cloned().collect();
        let mut found = credentials;
        found.retain(|text| text.len() >= MIN_CREDENTIAL);
        let mut texts = found.clone();
        for (name, value) in headers {
            if !is_credential(name) {
                continue;
            }
            texts.push(value.to_owned());
            whole.insert(value.to_owned());
            // The credential without its scheme, and a cookie without its name.
            texts.extend(value.split([' ', ';', ',']).map(|part| {
                let value = part.trim().split_once('=').map_or(part, |(_, value)| value);
                value.trim().to_owned()
            }));
        }
        // A token's parts, too: a policy may have taken it apart.
        let parts: Vec<String> = texts
            .iter()
            .flat_map(|text| text.split('.').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        texts.extend(parts);
        texts.retain(|text| text.len() >= MIN_PART);
        texts.append(&mut found);
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        whole.remove("");
        Mask {
            parts: texts,
            whole,
        }
    }

    /// Of what a logged input holds.
    pub fn of_input(input: &Value) -> Mask {
        let headers = input.pointer("/attributes/request/http/headers");
        let headers = headers.and_then(Value::as_object).into_iter().flatten();
        Mask::new(
            Vec::new(),
            headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))),
        )
    }

    pub fn text(&self, text: &str) -> String {
        if self.whole.contains(text) {
            return MASKED.to_owned();
        }
        self.inside(text)
    }

    fn inside(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for secret in &self.parts {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), MASKED);
            }
        }
        masked
    }

    /// A policy's input. A header that is a credential goes as a whole, however short it is.
    pub fn input(&self, input: &mut Value) {
        self.value(input);
        let headers = input.pointer_mut("/attributes/request/http/headers");
        let headers = headers.and_then(Value::as_object_mut).into_iter().flatten();
        for (_, value) in headers.filter(|(name, _)| is_credential(name)) {
            *value = MASKED.into();
        }
    }

    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                for (key, mut member) in taken {
                    self.value(&mut member);
                    // A short one that is a name, too, would take the document apart.
                    members.insert(self.inside(&key), member);
                }
            }
            _ => {}
        }
    }

    pub fn explanation(&self, explanation: &mut Explanation) {
        explanation.rule = self.text(&explanation.rule);
        if let Some(value) = &mut explanation.value {
            self.value(value);
        }
        if let Some(error) = &mut explanation.error {
            *error = self.text(error);
        }
        for attempt in &mut explanation.attempts {
            match &mut attempt.outcome {
                Outcome::Held { value } | Outcome::Default { value } => {
                    value.iter_mut().for_each(|value| self.value(value));
                }
                Outcome::Unexplained(why) => *why = self.text(why),
                Outcome::NotReached => {}
                Outcome::Failed(condition) => {
                    for shown in &mut condition.values {
                        shown.value.iter_mut().for_each(|value| self.value(value));
                    }
                    for because in &mut condition.because {
                        self.explanation(because);
                    }
                }
            }
        }
    }
}

/// In any spelling that an upstream may read as one of them.
fn is_credential(name: &str) -> bool {
    HEADERS.contains(&&*name.to_ascii_lowercase().replace('_', "-"))
}
