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
const HEADERS: [&str; 22] = [
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
];
/// And one of which a word is one of these.
const HEADER_WORDS: [&str; 8] = ["auth", "key", "otp", "pin", "pwd", "saml", "sid", "totp"];
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
    let name = name.to_ascii_lowercase().replace('_', "-");
    if PLAIN_KEYS.iter().any(|plain| name.ends_with(plain)) {
        return false;
    }
    HEADERS.iter().any(|part| name.contains(part))
        || name.split('-').any(|word| HEADER_WORDS.contains(&word))
}

/// A parameter, cookie or member whose name holds one of these is a credential.
const PARTS: [&str; 23] = [
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
];
/// And one of which a word is one of these.
const WORDS: [&str; 12] = [
    "auth", "dpop", "jwt", "key", "otp", "pass", "pin", "pwd", "saml", "sid", "sig", "totp",
];
/// And one that is one of these: an authorization code (RFC 6749 section 4.1.2), but no country's; those of
/// a device (RFC 8628 section 3.2); a ticket for a service, but no help desk's.
const WHOLE: [&str; 6] = [
    "code",
    "device-code",
    "devicecode",
    "ticket",
    "user-code",
    "usercode",
];

fn is_credential_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace(['_', '.'], "-");
    WHOLE.contains(&lower.as_str())
        || PARTS.iter().any(|part| lower.contains(part))
        || words(name).any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name in lower case: `userApiKey` and `user_api-key` have the same three.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            words.push(String::new());
            was_small = false;
            continue;
        }
        if c.is_ascii_uppercase() && was_small {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::{is_credential_header, is_credential_name};

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
