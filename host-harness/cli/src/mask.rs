//! Credentials are shown to nobody, wherever a policy's values hold them.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD},
};
use portcullis_rego::tools::{Explanation, Outcome, Shown};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// What stands in a credential's place.
pub const MASKED: &str = "***";

/// Headers and parameters whose names hold one of these are credentials, whatever the configuration
/// makes of them.
const NAMES: [&str; 16] = [
    "api-key",
    "apikey",
    "assertion",
    "auth",
    "client-cert",
    "code",
    "cookie",
    "credential",
    "csrf",
    "key",
    "passwd",
    "password",
    "secret",
    "session",
    "sig",
    "token",
];
/// Among the names of headers, these only.
const HEADERS: [&str; 13] = [
    "api-key",
    "apikey",
    "assertion",
    "auth-",
    "authorization",
    "client-cert",
    "cookie",
    "credential",
    "csrf",
    "password",
    "secret",
    "signature",
    "token",
];

/// As much of a credential tells of it, in either case: where so many characters in a row are its own
/// they are hidden.
const WINDOW: usize = 8;
/// A credential that is shorter is hidden where it stands alone, but not inside of other texts: too
/// many hold it.
const MIN_CREDENTIAL: usize = 4;

/// The texts to hide.
#[derive(Default)]
pub struct Mask {
    /// Wherever they stand, the longest first.
    parts: Vec<String>,
    /// Where nothing else stands beside them.
    whole: BTreeSet<String>,
    /// What longer ones are made of, in lower case.
    windows: HashSet<Vec<u8>>,
}

impl Mask {
    /// Of the credentials that were found, and of headers that are credentials by their name.
    pub fn new<'a>(
        credentials: Vec<String>,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Mask {
        let mut texts = credentials;
        for (name, value) in headers {
            if matches!(name, ":path" | "referer") {
                texts.extend(in_query(value));
            }
            if !is_credential(name) {
                continue;
            }
            texts.push(value.to_owned());
            // The credential without its scheme, and a cookie without its name.
            for part in value.split([' ', ';', ',']) {
                let part = part.trim();
                texts.extend(basic(part));
                texts.push(part.to_owned());
                texts.extend(
                    part.split_once('=')
                        .map(|(_, value)| value.trim().to_owned()),
                );
            }
        }
        let escaped: Vec<String> = texts
            .iter()
            .flat_map(|text| [json_escaped(text), percent_decoded(text)])
            .collect();
        texts.extend(escaped);
        let signatures: Vec<String> = texts.iter().filter_map(|text| signature(text)).collect();
        texts.extend(signatures);
        // A scheme is a word.
        texts.retain(|text| {
            !matches!(
                &*text.to_ascii_lowercase(),
                "" | "basic" | "bearer" | "dpop"
            )
        });
        let whole: BTreeSet<String> = texts.iter().cloned().collect();
        let windows = texts
            .iter()
            .flat_map(|text| text.as_bytes().windows(WINDOW))
            .map(<[u8]>::to_ascii_lowercase)
            .collect();
        texts.retain(|text| (MIN_CREDENTIAL..WINDOW).contains(&text.len()));
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Mask {
            parts: texts,
            whole,
            windows,
        }
    }

    pub fn text(&self, text: &str) -> String {
        if self.whole.contains(text) {
            return MASKED.to_owned();
        }
        self.inside(text)
    }

    fn inside(&self, text: &str) -> String {
        let mut masked = self.without_windows(text);
        for secret in &self.parts {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), MASKED);
            }
        }
        masked
    }

    fn without_windows(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut hidden = vec![false; text.len()];
        for (start, window) in lower.as_bytes().windows(WINDOW).enumerate() {
            if self.windows.contains(window) {
                let range = hidden.iter_mut().skip(start).take(WINDOW);
                range.for_each(|hidden| *hidden = true);
            }
        }
        let mut masked = String::with_capacity(text.len());
        let mut was_hidden = false;
        for (at, character) in text.char_indices() {
            let is_hidden = hidden.get(at).copied().unwrap_or_default();
            match (is_hidden, was_hidden) {
                (false, _) => masked.push(character),
                (true, false) => masked.push_str(MASKED),
                (true, true) => {}
            }
            was_hidden = is_hidden;
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
        if let Some(body) = input.get_mut("parsed_body") {
            hide_named(body);
        }
        // What it holds is in the parsed one.
        for name in ["body", "rawBody"] {
            if let Some(text) = input.pointer_mut(&format!("/attributes/request/http/{name}")) {
                *text = MASKED.into();
            }
        }
    }

    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Number(number) if self.text(&number.to_string()).contains(MASKED) => {
                *value = MASKED.into();
            }
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

    fn shown(&self, values: &mut [Shown]) {
        for shown in values {
            shown.value.iter_mut().for_each(|value| self.value(value));
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
                Outcome::Held { value, values } => {
                    value.iter_mut().for_each(|value| self.value(value));
                    self.shown(values);
                }
                Outcome::Default { value } => {
                    value.iter_mut().for_each(|value| self.value(value));
                }
                Outcome::Unexplained(why) => *why = self.text(why),
                Outcome::NotReached => {}
                Outcome::Failed(condition) => {
                    self.shown(&mut condition.values);
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
    is_named(name, &HEADERS)
}

/// Whether a name holds one of these.
fn is_named(name: &str, parts: &[&str]) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    parts.iter().any(|part| name.contains(part))
}

/// The values of parameters that are credentials by their names.
fn in_query(url: &str) -> Vec<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query
        .split(['&', '#'])
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| is_named(name, &NAMES))
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// `user:password` of Basic credentials, and the password.
fn basic(text: &str) -> Vec<String> {
    let decoded = STANDARD.decode(text).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(decoded) = decoded.filter(|text| text.contains(':')) else {
        return Vec::new();
    };
    let password = decoded.split_once(':').map(|(_, it)| it.to_owned());
    password.into_iter().chain([decoded.clone()]).collect()
}

/// A token's signature as `io.jwt.decode` shows it.
fn signature(text: &str) -> Option<String> {
    let (_, signature) = text.rsplit_once('.')?;
    let bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn json_escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Hides what stands under a credential's name, however deep.
fn hide_named(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match is_named(name, &NAMES) {
                    true => *member = MASKED.into(),
                    false => hide_named(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_named),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;
    use serde_json::json;

    #[test]
    fn bodies_hide_what_their_names_tell() {
        let mut input = json!({
            "parsed_body": {"amount": 7, "login": [{"User_Password": "hunter2", "name": "a"}]},
            "attributes": {"request": {"http": {"body": "password=hunter2", "rawBody": "cGFz"}}},
        });
        Mask::default().input(&mut input);
        let hidden = json!({
            "parsed_body": {"amount": 7, "login": [{"User_Password": "***", "name": "a"}]},
            "attributes": {"request": {"http": {"body": "***", "rawBody": "***"}}},
        });
        assert_eq!(input, hidden);
    }

    /// What a client sends as a header, what a policy makes of it, and what may be shown of that.
    const CASES: &[(&str, &str, &str, &str)] = &[
        (
            "authorization",
            "Bearer 0123456789abcdef",
            "0123456789abcdef",
            "***",
        ),
        (
            "authorization",
            "Bearer 0123456789ABCDEF",
            "0123456789abcdef",
            "***",
        ),
        (
            "authorization",
            "Bearer 0123456789abcdef",
            "it was 3456789abcd there",
            "it was *** there",
        ),
        ("authorization", "Bearer hunter2", "hunter2", "***"),
        (
            "authorization",
            "Basic YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
            "alice:hunter2password",
            "***",
        ),
        (
            "authorization",
            "Basic YWxpY2U6aHVudGVyMnBhc3N3b3Jk",
            "hunter2password",
            "***",
        ),
        (
            "authorization",
            "Bearer eyJh.eyJi.AAECAwQFBgcICQ",
            "00010203040506070809",
            "***",
        ),
        (
            "cookie",
            "a=1; session=0123456789abcdef",
            "0123456789abcdef",
            "***",
        ),
        ("x-vault-token", "hvs.0123456789", "hvs.0123456789", "***"),
        (
            "x-my-api-key",
            "sk\"LIVE\\key-0123",
            "sk\\\"LIVE\\\\key-0123",
            "***",
        ),
        (
            ":path",
            "/a?x=1&access_token=0123456789",
            "/a?x=1&access_token=0123456789",
            "/a?x=1&access_token=***",
        ),
        ("referer", "https://x/?sig=0123456789", "0123456789", "***"),
        ("x-request-id", "0123456789", "0123456789", "0123456789"),
        (
            "authorization",
            "Bearer 0123456789abcdef",
            "Bearer",
            "Bearer",
        ),
    ];

    #[test]
    fn credentials_are_hidden_in_what_is_made_of_them() {
        for (name, sent, made, shown) in CASES {
            let mask = Mask::new(Vec::new(), std::iter::once((*name, *sent)));
            assert_eq!(mask.text(made), *shown, "{name}: {sent}");
        }
    }

    #[test]
    fn numbers_are_texts_too() {
        let mask = Mask::new(vec!["1234567890123".to_owned()], std::iter::empty());
        let mut value = serde_json::json!({"n": 1_234_567_890_123_i64, "m": 7});
        mask.value(&mut value);
        assert_eq!(value, serde_json::json!({"n": "***", "m": 7}));
    }
}
