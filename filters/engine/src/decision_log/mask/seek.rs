//! What of a request is a credential.

use super::{
    apart::Apart,
    names::Places,
    shape::{self, Work},
    windows::{WINDOW, Windows},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD},
};
use serde_json::Value;

pub struct Credentials<'p> {
    places: &'p Places,
    windows: Windows,
    /// Of the one text in which they are looked for, if it is known.
    apart: Option<Apart>,
    short: Vec<String>,
    /// What was added last: a header's credential is often one by its form, too.
    latest: String,
    bytes: usize,
    work: Work,
}

/// One that is shorter is not looked for: too many texts hold it.
pub const LEAST: usize = 4;
/// Of credentials that one request may show, in bytes and in short ones.
const MOST: usize = 256 * 1024;
const MOST_SHORT: usize = 64;
/// Of a text that is looked at alone.
const LONGEST_ALONE: usize = 1024;
/// Of names that are asked about, in bytes.
const MOST_WORK: usize = 1 << 20;

impl<'p> Credentials<'p> {
    /// To be looked for in this text, and in no other; without one, in any.
    pub fn new(places: &'p Places, text: Option<&str>, seed: &str) -> Credentials<'p> {
        let text = text.filter(|text| is_masked_alone(text));
        Credentials {
            places,
            windows: match text {
                Some(text) => Windows::within(text, seed),
                None => Windows::new(seed),
            },
            apart: text.map(Apart::of),
            short: Vec::new(),
            latest: String::new(),
            bytes: 0,
            work: Work::new(MOST_WORK),
        }
    }

    /// What was found, and whether that is not all.
    pub fn found(mut self) -> (Windows, Vec<String>, bool) {
        self.short.sort_unstable();
        self.short.dedup();
        let hides_all = self.bytes > MOST || self.short.len() > MOST_SHORT || self.work.is_done();
        (self.windows, self.short, hides_all)
    }

    pub fn of_header(&mut self, name: &str, value: &str) {
        let is_credential = match name {
            "signature-input" | "x-forwarded-client-cert" | "cookie" | ":authority" | "host" => {
                false
            }
            _ => self.places.is_header(name),
        };
        let apart = self.apart.as_ref();
        if apart.is_some_and(|apart| apart.is_from(value, is_credential)) {
            return;
        }
        match name {
            // They are shown to nobody by name; most of what they hold is no secret, and stands elsewhere too.
            "signature-input" => self.of_parameters(value, &["nonce"]),
            "x-forwarded-client-cert" => self.of_parameters(value, &["cert", "chain", "hash"]),
            "cookie" => self.of_cookies(value),
            ":authority" | "host" => self.of_authority(value),
            _ if is_credential => self.of_credential(value),
            _ => {}
        }
        for token in shape::tokens(value) {
            self.add(value.get(token).unwrap_or_default());
        }
        if name != "signature-input" {
            self.of_text(value);
        }
    }

    /// What stands under a credential's name in it, as it is and once it is decoded.
    fn of_text(&mut self, text: &str) {
        for range in shape::named(text, self.places, &self.work) {
            self.add(text.get(range).unwrap_or_default());
        }
        for (value, _) in shape::named_encoded(text, self.places, &self.work) {
            self.add(&value);
        }
    }

    /// Who stands before its `@`.
    fn of_authority(&mut self, value: &str) {
        if let Some((user, _)) = value.rsplit_once('@') {
            self.add(user);
            if let Some((_, password)) = user.split_once(':') {
                self.add(password);
            }
        }
    }

    /// Only those of these names.
    fn of_parameters(&mut self, value: &str, names: &[&str]) {
        for parameter in value.split([';', ',']) {
            if let Some((name, value)) = parameter.trim().split_once('=')
                && names.iter().any(|it| name.eq_ignore_ascii_case(it))
            {
                self.add(value.trim_matches('"'));
            }
        }
    }

    fn of_cookies(&mut self, value: &str) {
        // Where the host folds lines it puts a comma between them.
        for cookie in value.split([';', ',']) {
            let (name, value) = cookie.trim().split_once('=').unwrap_or(("", cookie.trim()));
            let value = value.trim_matches('"');
            if !self.work.takes_name(name) {
                return;
            }
            if value.len() >= WINDOW || self.places.is_cookie(name) {
                self.add(value);
            }
        }
    }

    /// The credential without its scheme, and the parts that it is made of.
    fn of_credential(&mut self, value: &str) {
        let (first, rest) = value.split_once(' ').unwrap_or(("", value));
        // A word that is no scheme is a credential, too.
        let value = match is_scheme(first) {
            true => rest,
            false => value,
        };
        let mut is_whole = true;
        for parameter in value.split([' ', ',']) {
            let parameter = parameter.trim();
            if !self.work.takes_name("") {
                return;
            }
            if is_scheme(parameter) {
                continue;
            }
            // What it says of itself, and what stands elsewhere too.
            let name = parameter.split('=').next().unwrap_or_default();
            if PLAIN.contains(&&*name.to_ascii_lowercase()) {
                is_whole = false;
                continue;
            }
            for part in parameter.split(';') {
                self.basic(part);
                self.add(part);
                if let Some((_, value)) = part.split_once('=') {
                    self.add(value.trim_matches(['"', ':', ' ']));
                }
            }
        }
        if is_whole {
            self.add(value);
        }
    }

    /// `user:password` of Basic credentials (RFC 7617), and the password.
    fn basic(&mut self, text: &str) {
        let decoded = STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text));
        let decoded = decoded.ok().and_then(|it| String::from_utf8(it).ok());
        if let Some(decoded) = decoded
            && let Some((_, password)) = decoded.split_once(':')
        {
            self.add(&decoded);
            self.add(password);
        }
    }

    /// Of a parsed body: what stands under a credential's name, however deep, and what looks like one.
    pub fn of_document(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if !self.work.takes_name(name) {
                        return;
                    }
                    match self.places.is_parameter(name) {
                        true => self.all(member),
                        false => self.of_document(member),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.of_document(item)),
            Value::String(text) => {
                for token in shape::tokens(text) {
                    self.add(text.get(token).unwrap_or_default());
                }
                self.of_text(text);
            }
            _ => {}
        }
    }

    fn all(&mut self, value: &Value) {
        match value {
            Value::Object(members) => members.values().for_each(|member| self.all(member)),
            Value::Array(items) => items.iter().for_each(|item| self.all(item)),
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add(&number.to_string()),
            _ => {}
        }
    }

    /// A text, and what it is written as elsewhere.
    fn add(&mut self, text: &str) {
        if text == self.latest {
            return;
        }
        text.clone_into(&mut self.latest);
        self.one(text);
        if text.contains('%') {
            self.one(&percent_encoding::percent_decode_str(text).decode_utf8_lossy());
        }
        if text.contains(['"', '\\']) || text.contains(char::is_control) {
            let quoted = Value::from(text).to_string();
            self.one(quoted.trim_matches('"'));
        }
        // A token's signature as `io.jwt.decode` shows it.
        let signature = text.rsplit_once('.');
        let signature = signature.and_then(|(_, it)| URL_SAFE_NO_PAD.decode(it).ok());
        if let Some(signature) = signature {
            self.one(&base16ct::lower::encode_string(&signature));
        }
    }

    fn one(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        // What is past that is not kept, since all is hidden.
        if self.bytes > MOST || is_scheme(text) {
            return;
        }
        if text.len() >= WINDOW {
            self.windows.add(text);
        } else if text.len() >= LEAST && self.short.len() <= MOST_SHORT {
            self.short.push(text.to_ascii_lowercase());
        }
    }
}

/// Parameters of `Authorization` that are none, of AWS's, draft-cavage's and Digest's.
const PLAIN: [&str; 13] = [
    "alg",
    "algorithm",
    "created",
    "expires",
    "headers",
    "keyid",
    "nc",
    "qop",
    "realm",
    "scope",
    "signedheaders",
    "uri",
    "username",
];

/// Whether it is less work to look for credentials in this text alone. What is encoded is looked at once it is
/// decoded, too; and what is kept of the text must not grow with it, since a policy may quote a body.
pub fn is_masked_alone(text: &str) -> bool {
    text.len() <= LONGEST_ALONE && !text.contains('%')
}

/// A scheme is a word (RFC 9110 section 11.1), and these are those that there are.
pub fn is_scheme(word: &str) -> bool {
    const SCHEMES: [&str; 21] = [
        "apikey",
        "api-key",
        "aws4-hmac-sha256",
        "basic",
        "bearer",
        "concealed",
        "digest",
        "dpop",
        "gnap",
        "hmac",
        "hoba",
        "mutual",
        "negotiate",
        "ntlm",
        "oauth",
        "privatetoken",
        "scram-sha-1",
        "scram-sha-256",
        "signature",
        "token",
        "vapid",
    ];
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}
