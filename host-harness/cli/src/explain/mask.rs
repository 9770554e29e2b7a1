//! Credentials are shown to nobody, wherever a policy's values hold them.

use portcullis_rego::tools::{Explanation, Outcome};
use serde_json::Value;

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

/// The texts to hide.
#[derive(Default)]
pub struct Mask(Vec<String>);

impl Mask {
    /// Of the credentials that were found, and of headers that are credentials by their name.
    pub fn new<'a>(
        credentials: Vec<String>,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Mask {
        let mut texts = credentials;
        for (name, value) in headers {
            if !HEADERS.contains(&name) {
                continue;
            }
            texts.push(value.to_owned());
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
        // Shorter texts are words, such as a scheme.
        texts.retain(|text| text.len() >= 8);
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Mask(texts)
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
        let mut masked = text.to_owned();
        for secret in &self.0 {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), MASKED);
            }
        }
        masked
    }

    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                for (key, mut member) in taken {
                    self.value(&mut member);
                    members.insert(self.text(&key), member);
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
