//! What a registry wants of whoever asks: its challenge (RFC 9110 section 11.6.1), and the token that its
//! token service gives for it ("Token Authentication Specification" of the CNCF's distribution project).
//! A service that is no friend may be behind either: no password leaves without TLS where the registry
//! has it, and no answer is read without a bound.

use crate::{
    Target,
    fault::Wrong,
    remote::{Answered, Progress, read, shown},
};
use http_auth::parser::ChallengeParser;
use oci_client::{RegistryOperation, errors::OciDistributionError, secrets::RegistryAuth};
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use std::sync::Arc;

/// Bytes of an answer with a token, which must fit a header.
const MOST: usize = 64 * 1024;

/// Where a token is to be had.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

/// What requests to the registry must carry: a token where it wants one, and else the credentials.
///
/// # Errors
/// No answer, one without a token, or a token service that is not to be trusted with a password.
pub(crate) async fn ask(
    http: &reqwest::Client,
    target: &Target,
    operation: RegistryOperation,
    credentials: &RegistryAuth,
) -> Answered<RegistryAuth> {
    let answer = http.get(target.url("")).send().await?;
    let Some(challenge) = Challenge::of(answer.headers()) else {
        return Ok(credentials.clone());
    };
    let url = challenge.url(target, operation)?;
    let request = http.get(url.clone());
    let request = match credentials {
        RegistryAuth::Basic(user, password) => request.basic_auth(user, Some(password)),
        _ => request,
    };
    let mut answer = request.send().await?;
    let nobody: Progress = Arc::new(|_| ());
    match answer.status() {
        StatusCode::OK => {
            let read = read(&mut answer, MOST, &nobody).await;
            granted(&read.map_err(|wrong| match wrong {
                Wrong::Long(most) => Wrong::Registry(format!(
                    "its token service answers with more than {most} bytes"
                )),
                other => other,
            })?)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let url = challenge.realm;
            Err(OciDistributionError::UnauthorizedError { url }.into())
        }
        status => Err(OciDistributionError::ServerError {
            code: status.as_u16(),
            url: challenge.realm,
            message: "it gives no token".to_owned(),
        }
        .into()),
    }
}

impl Challenge {
    /// None where no token is wanted.
    fn of(head: &HeaderMap) -> Option<Challenge> {
        let values = head.get_all(WWW_AUTHENTICATE);
        let values = values.iter().filter_map(|value| value.to_str().ok());
        let mut all = values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok));
        let bearer = all.find(|one| one.scheme.eq_ignore_ascii_case("bearer"))?;
        let parameter = |wanted: &str| {
            let mut parameters = bearer.params.iter();
            let found = parameters.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.to_unescaped())
        };
        Some(Challenge {
            realm: parameter("realm")?,
            service: parameter("service"),
        })
    }

    fn url(&self, target: &Target, operation: RegistryOperation) -> Answered<Url> {
        let wrong = |why: &str| {
            let realm = shown(&self.realm);
            Wrong::Registry(format!("its token service `{realm}` {why}"))
        };
        let mut url = Url::parse(&self.realm).map_err(|_| wrong("is no URL"))?;
        match url.scheme() {
            "https" => {}
            "http" if target.is_plain() => {}
            _ => return Err(wrong("is spoken to without TLS, and nothing is sent there")),
        }
        let actions = match operation {
            RegistryOperation::Pull => "pull",
            RegistryOperation::Push => "pull,push",
        };
        let repository = target.reference().repository();
        let scope = format!("repository:{repository}:{actions}");
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = &self.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        Ok(url)
    }
}

/// Nothing of the answer is told: it may be the token.
fn granted(answer: &[u8]) -> Answered<RegistryAuth> {
    let wrong = |why: &str| Wrong::Registry(format!("its token service {why}"));
    let granted: Granted =
        serde_json::from_slice(answer).map_err(|_| wrong("answers with what is no token"))?;
    let token = granted.token.or(granted.access_token);
    let token = token.filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| wrong("answers without a token"))?;
    match HeaderValue::from_str(&format!("Bearer {token}")) {
        Ok(_) => Ok(RegistryAuth::Bearer(token)),
        Err(_) => Err(wrong("answers with a token that fits no header")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn challenge(values: &[&'static str]) -> Option<Challenge> {
        let values = values.iter().copied().map(HeaderValue::from_static);
        Challenge::of(&values.map(|value| (WWW_AUTHENTICATE, value)).collect())
    }

    #[test]
    fn a_token_is_asked_for_where_the_registry_says() {
        let of = |realm: &str, service: Option<&str>| {
            Some(Challenge {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        let cases: [(&[&'static str], Option<Challenge>); 7] = [
            (&[], None),
            (&["Basic realm=\"x\""], None),
            (&["Bearer service=\"x\""], None),
            (&["Bearer realm=\"https://a/t\""], of("https://a/t", None)),
            (
                &["bearer service=\"x\",realm=\"https://a/t\""],
                of("https://a/t", Some("x")),
            ),
            (
                &["Basic realm=\"x\"", "Bearer realm=\"https://a/t\""],
                of("https://a/t", None),
            ),
            (&["Bearer realm=\"https://a/t"], None),
        ];
        for (values, wanted) in cases {
            assert_eq!(challenge(values), wanted, "{values:?}");
        }
    }

    #[test]
    fn no_password_leaves_without_tls_where_the_registry_has_it() {
        let url = |realm: &str, plain| {
            let target = Target::parse("127.0.0.1:5000/gates/a:v1", None, Some(plain)).unwrap();
            let challenge = Challenge {
                realm: realm.to_owned(),
                service: Some("a b".to_owned()),
            };
            let url = challenge.url(&target, RegistryOperation::Push);
            url.map(String::from).map_err(|wrong| match wrong {
                Wrong::Registry(why) => why,
                _ => "another".to_owned(),
            })
        };
        let query = "scope=repository%3Agates%2Fa%3Apull%2Cpush&service=a+b";
        for (realm, plain) in [
            ("https://127.0.0.1/t?x=1", false),
            ("https://127.0.0.1/t?x=1", true),
            ("http://127.0.0.1/t?x=1", true),
        ] {
            assert_eq!(url(realm, plain), Ok(format!("{realm}&{query}")), "{realm}");
        }
        for (realm, plain, wanted) in [
            ("http://127.0.0.1/t", false, "without TLS"),
            ("HTTP://127.0.0.1/t", false, "without TLS"),
            ("ftp://127.0.0.1/t", true, "without TLS"),
            ("/t", true, "is no URL"),
        ] {
            let why = url(realm, plain).unwrap_err();
            assert!(why.contains(wanted), "{realm}: {why}");
        }
    }

    #[test]
    fn a_token_fits_a_header() {
        for (answer, wanted) in [
            (r#"{"token": "a.b-c"}"#, Ok("a.b-c")),
            (r#"{"access_token": "a"}"#, Ok("a")),
            (r#"{"token": "a\nb"}"#, Err("fits no header")),
            (r#"{"token": ""}"#, Err("without a token")),
            (r#"{"expires_in": 60}"#, Err("without a token")),
            (r#"{"token": ["secret"]}"#, Err("is no token")),
            ("secret", Err("is no token")),
        ] {
            match (granted(answer.as_bytes()), wanted) {
                (Ok(RegistryAuth::Bearer(token)), Ok(wanted)) => assert_eq!(token, wanted),
                (Err(Wrong::Registry(why)), Err(wanted)) => {
                    assert!(why.contains(wanted) && !why.contains("secret"), "{why}");
                }
                (found, _) => assert!(found.is_ok() && wanted.is_err(), "{answer}"),
            }
        }
    }
}
