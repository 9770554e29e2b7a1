//! Which headers and parameters are credentials: by their names, whatever the configuration makes of
//! them, and where the configuration looks for one.

use crate::config::{Config, source::Source};
use std::collections::BTreeSet;

/// Where the configuration looks for credentials.
#[derive(Debug, Default)]
pub struct Places {
    /// Lower-case.
    headers: BTreeSet<String>,
    cookies: BTreeSet<String>,
    parameters: BTreeSet<String>,
}

impl Places {
    pub fn of(config: &Config) -> Places {
        let mut places = Places::default();
        let tokens = config.providers.iter().flat_map(|it| &it.from);
        let keys = config.api_keys.iter().flat_map(|keys| &keys.from);
        for source in tokens.chain(keys) {
            match source {
                Source::Header { name, .. } => places.headers.insert(name.clone()),
                Source::Cookie { name, .. } => places.cookies.insert(name.clone()),
                Source::Query { name } => places.parameters.insert(name.clone()),
            };
        }
        let hooks = config.signatures.iter().flat_map(|it| &it.webhooks);
        let fields = hooks.flat_map(|hook| hook.fields());
        places.headers.extend(fields.map(str::to_owned));
        places
    }

    /// In any spelling that an upstream may read as one of them.
    pub fn is_header(&self, name: &str) -> bool {
        self.headers.contains(name) || is_credential_header(name)
    }

    pub fn is_cookie(&self, name: &str) -> bool {
        self.cookies.contains(name) || is_credential_name(name)
    }

    /// Whether what stands under the name in a query, a form or a document is one.
    pub fn is_parameter(&self, name: &str) -> bool {
        self.parameters.contains(name) || is_credential_name(name)
    }
}

/// A header whose name holds one of these is a credential.
const HEADERS: Parts<22> = Parts::of([
    "api-key",
    "apikey",
    "assertion",
    "auth-",
    "authorization",
    "bearer",
    "client-cert",
    "cookie",
    "credential",
    "csrf",
    "dpop",
    "jwt",
    "passcod",
    "passphr",
    "passw",
    // Where a browser has no other place for one.
    "sec-websocket-protocol",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
    "xsrf",
]);
/// And one of which a word is one of these.
const HEADER_WORDS: Parts<8> =
    Parts::of(["auth", "key", "otp", "pin", "pwd", "saml", "sid", "totp"]);
/// Not these: they are keys of other kinds.
const PLAIN_KEYS: [&str; 6] = [
    "cache-key",
    "idempotency-key",
    "partition-key",
    "routing-key",
    "sec-websocket-key",
    "surrogate-key",
];

fn is_credential_header(name: &str) -> bool {
    let letters = letters(name.as_bytes());
    if !HEADERS.may_be_of(letters) && !HEADER_WORDS.may_be_of(letters) {
        return false;
    }
    let name = name.to_ascii_lowercase().replace('_', "-");
    if PLAIN_KEYS.iter().any(|plain| name.ends_with(plain)) {
        return false;
    }
    HEADERS.any(letters, |part| name.contains(part))
        || HEADER_WORDS.any(letters, |it| name.split('-').any(|word| word == it))
}

/// A parameter, cookie or member whose name holds one of these is a credential.
const PARTS: Parts<23> = Parts::of([
    "apikey",
    "api-key",
    "assertion",
    "authorization",
    "bearer",
    "clientcert",
    "client-cert",
    // RFC 7636 section 4.5.
    "codeverifier",
    "code-verifier",
    "cookie",
    "credential",
    "csrf",
    "passcod",
    "passphr",
    "passw",
    "samlart",
    "samlre",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
    "xsrf",
]);
/// And one of which a word is one of these.
const WORDS: Parts<12> = Parts::of([
    "auth", "dpop", "jwt", "key", "otp", "pass", "pin", "pwd", "saml", "sid", "sig", "totp",
]);
/// And one that is one of these: an authorization code (RFC 6749 section 4.1.2), but no country's; those of
/// a device (RFC 8628 section 3.2); a ticket for a service, but no help desk's.
const WHOLE: Parts<6> = Parts::of([
    "code",
    "device-code",
    "devicecode",
    "ticket",
    "user-code",
    "usercode",
]);

fn is_credential_name(name: &str) -> bool {
    let letters = letters(name.as_bytes());
    if !PARTS.may_be_of(letters) && !WORDS.may_be_of(letters) && !WHOLE.may_be_of(letters) {
        return false;
    }
    let lower = name.to_ascii_lowercase().replace(['_', '.'], "-");
    WHOLE.any(letters, |whole| lower == whole)
        || PARTS.any(letters, |part| lower.contains(part))
        || WORDS.any(letters, |it| {
            words(name).any(|word| it.eq_ignore_ascii_case(word))
        })
}

/// Texts with the letters that each is made of. Most names lack one of every text's, and searching them for
/// each costs more than everything else that is done about a request.
struct Parts<const N: usize>([(&'static str, u32); N]);

impl<const N: usize> Parts<N> {
    #[allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "what goes wrong does when it is compiled"
    )]
    const fn of(texts: [&'static str; N]) -> Parts<N> {
        let mut parts = [("", 0); N];
        let mut at = 0;
        while at < N {
            parts[at] = (texts[at], letters(texts[at].as_bytes()));
            at += 1;
        }
        Parts(parts)
    }

    /// Whether these are all letters of one of them.
    fn may_be_of(&self, letters: u32) -> bool {
        self.0.iter().any(|(_, own)| own & !letters == 0)
    }

    /// Whether it is so of one that has no other letters than these.
    fn any(&self, letters: u32, is_so: impl Fn(&'static str) -> bool) -> bool {
        let mut some = self.0.iter().filter(|(_, own)| own & !letters == 0);
        some.any(|(text, _)| is_so(text))
    }
}

/// Which letters a text has, in either case: a bit for each.
const fn letters(text: &[u8]) -> u32 {
    let mut letters = 0;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if byte.is_ascii_alphabetic() {
            // The last five bits of a letter number it.
            letters |= 1 << (*byte & 31);
        }
        rest = after;
    }
    letters
}

/// The words of a name: `userApiKey` and `user_api-key` have the same three, in some case.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let runs = name.split(|c: char| !c.is_ascii_alphanumeric());
    runs.flat_map(|run| {
        let mut was_small = false;
        let starts = run.bytes().enumerate().filter_map(move |(at, byte)| {
            let begins = byte.is_ascii_uppercase() && was_small;
            was_small = !byte.is_ascii_uppercase();
            begins.then_some(at)
        });
        let mut from = 0;
        let ends = starts.chain([run.len()]);
        ends.filter_map(move |end| run.get(std::mem::replace(&mut from, end)..end))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_credential_header, is_credential_name, words};

    #[test]
    fn words_begin_at_capitals_and_behind_signs() {
        for (name, wanted) in [
            ("userApiKey", vec!["user", "Api", "Key"]),
            ("user_api-key", vec!["user", "api", "key"]),
            ("PHPSESSID2Key", vec!["PHPSESSID2", "Key"]),
            ("APIKey", vec!["APIKey"]),
            ("éaKey", vec!["a", "Key"]),
            ("", vec![]),
            ("__", vec![]),
        ] {
            let found: Vec<&str> = words(name).filter(|word| !word.is_empty()).collect();
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn headers_that_are_credentials_by_name() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-api-key",
            "x_api_key",
            "X-Vault-Token",
            "signature",
            "signature-input",
            "dpop",
            "x-hub-signature-256",
            "x-amz-security-token",
            "x-goog-iap-jwt-assertion",
            "x-forwarded-client-cert",
            "x-csrf",
            "x-password",
            "ocp-apim-subscription-key",
            "x-auth",
            "x-session-id",
            "sec-websocket-protocol",
            "x-passphrase",
            "x-bearer",
            "x-totp",
            "x-saml-response",
        ] {
            assert!(is_credential_header(name), "{name}");
        }
        for name in [
            "host",
            "accept",
            "x-request-id",
            "idempotency-key",
            "sec-websocket-key",
            "sec-websocket-version",
            "keep-alive",
            "x-author",
            "x-keyword",
            "content-digest",
            "traceparent",
        ] {
            assert!(!is_credential_header(name), "{name}");
        }
    }

    #[test]
    fn parameters_that_are_credentials_by_name() {
        for name in [
            "access_token",
            "token",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "sig",
            "apiKey",
            "api_key",
            "key",
            "userPassword",
            "User_Password",
            "client_secret",
            "code",
            "otp",
            "jwt",
            "authKey",
            "client_assertion",
            "passphrase",
            "passCode",
            "passcode",
            "bearer",
            "totp_code",
            "SAMLResponse",
            "SAMLart",
            "saml_request",
            "PHPSESSID",
            "ticket",
            "code_verifier",
            "codeVerifier",
            "device_code",
            "deviceCode",
            "user_code",
        ] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in [
            "keyword",
            "country_code",
            "zipcode",
            "author",
            "design",
            "signup",
            "page",
            "monkey",
            "ticket_id",
            "tickets",
            "passenger",
            "bypasscache",
            "samle",
            "device",
            "",
        ] {
            assert!(!is_credential_name(name), "{name}");
        }
    }
}
