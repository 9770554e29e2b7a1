//! How a refusal looks to a client: a status, a challenge where RFC 9110 section 15.5.2 asks for
//! one, and a problem document (RFC 9457) that says no more than the status does. gRPC clients get
//! a `grpc-status`.

use crate::{
    answer::Shape,
    config::{Config, jwt::Provider, routes::Settings, source::Source},
    credential::jwt::Challenge,
    crypto::Algorithm,
    decision::Deny,
    message_signature,
    words::{PROBLEM_JSON, Reason, grpc},
};

/// The client of a request, as far as its refusal depends on it.
#[derive(Clone, Copy)]
pub struct Client {
    grpc: bool,
}

impl Client {
    /// As Envoy tells gRPC requests: by their content type.
    pub fn of(content_type: Option<&[u8]>) -> Client {
        let grpc = content_type.is_some_and(|found| {
            found
                .strip_prefix(b"application/grpc")
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        });
        Client { grpc }
    }
}

/// A refusal of the gate's own, with what the client is told besides.
pub fn of_reason(
    config: &Config,
    settings: &Settings,
    client: Client,
    (reason, told): (Reason, Option<&Challenge>),
    decision_id: &str,
) -> Deny {
    let mut deny = Deny {
        status: reason.status(),
        headers: challenges(config, settings, reason, told),
        body: Vec::new(),
        grpc_status: client.grpc.then_some(reason.grpc_status()),
    };
    problem(client, &mut deny, decision_id);
    with_reason(config, reason, &mut deny.headers);
    deny
}

/// A refusal that the policy shaped.
pub fn of_policy(
    config: &Config,
    settings: &Settings,
    client: Client,
    shape: Shape,
    decision_id: &str,
) -> Deny {
    let Shape {
        status,
        headers,
        body,
    } = shape;
    let reason = Reason::PolicyDenied;
    let mut deny = Deny {
        status: status.unwrap_or(reason.status()),
        headers: headers
            .into_iter()
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
            .collect(),
        body: Vec::new(),
        grpc_status: client.grpc.then(|| match status {
            None => reason.grpc_status(),
            Some(status) => grpc::from_http(status),
        }),
    };
    if deny.status == 401 && !deny.headers.iter().any(|(name, _)| name == CHALLENGE) {
        deny.headers
            .extend(challenges(config, settings, Reason::JwtMissing, None));
    }
    match body {
        // These have no content (RFC 9110 section 15), and a client would read it as the next
        // response.
        _ if matches!(deny.status, 204 | 205 | 304) => {
            deny.headers.retain(|(name, _)| name != "content-type");
        }
        Some(body) => deny.body = body.into_bytes(),
        None if deny.status < 400 => {}
        None => problem(client, &mut deny, decision_id),
    }
    with_reason(config, reason, &mut deny.headers);
    deny
}

const CHALLENGE: &str = "www-authenticate";

/// Adds the reason header, where the configuration asks for one.
fn with_reason(config: &Config, reason: Reason, headers: &mut Vec<(String, String)>) {
    if let Some(name) = &config.reason_header {
        headers.retain(|(found, _)| found != name);
        headers.push((name.clone(), reason.code().to_owned()));
    }
}

fn problem(client: Client, deny: &mut Deny, decision_id: &str) {
    let title = title(deny.status);
    if client.grpc {
        deny.body = title.as_bytes().to_vec();
        return;
    }
    let document = serde_json::json!({"title": title, "decision_id": decision_id});
    deny.body = document.to_string().into_bytes();
    if !deny.headers.iter().any(|(name, _)| name == "content-type") {
        deny.headers
            .push(("content-type".into(), PROBLEM_JSON.into()));
    }
}

/// The challenges of a 401: of the scheme that failed, and what it says of the failure
/// (RFC 6750 section 3); of every scheme there is where credentials were missing.
fn challenges(
    config: &Config,
    settings: &Settings,
    reason: Reason,
    told: Option<&Challenge>,
) -> Vec<(String, String)> {
    if reason.status() != 401 {
        return Vec::new();
    }
    let with_proof = config.providers.iter().any(wants_proof);
    let without = config.providers.iter().any(|it| !wants_proof(it));
    let bearer = || format!("{} realm=\"portcullis\"", bearer_scheme(config));
    let challenge = |text: &str| (CHALLENGE.to_owned(), text.to_owned());
    // With what a signature must cover (RFC 9421 section 5).
    let signature = || {
        let own = config.signatures.as_ref().filter(|it| it.has_keys());
        let accept =
            own.and_then(|it| message_signature::accept(&settings.components, it.tag.as_deref()));
        let accept = accept.map(|accept| (ACCEPT_SIGNATURE.to_owned(), accept));
        std::iter::once(challenge(SIGNATURE)).chain(accept)
    };
    match reason {
        Reason::JwtMissing | Reason::ApiKeyMissing | Reason::SignatureMissing => {
            let (keys, signatures) = (config.api_keys.is_some(), config.signatures.is_some());
            let mut all = Vec::new();
            if without || !(with_proof || keys || signatures) {
                all.push(challenge(&bearer()));
            }
            if with_proof {
                all.push(challenge(&dpop(None)));
            }
            if keys {
                all.push(challenge(API_KEY));
            }
            if signatures {
                all.extend(signature());
            }
            all
        }
        Reason::ApiKeyUnknown
        | Reason::ApiKeyNotYetValid
        | Reason::ApiKeyExpired
        | Reason::ApiKeyRevoked => vec![challenge(API_KEY)],
        Reason::SignatureMalformed
        | Reason::SignatureKeyUnknown
        | Reason::SignatureInvalid
        | Reason::SignatureExpired
        | Reason::SignatureComponentMissing
        | Reason::SignatureNonceMissing
        | Reason::SignatureReplayed => signature().collect(),
        _ => match told {
            Some(Challenge::Nonce(nonce)) => vec![
                challenge(&dpop(Some("use_dpop_nonce"))),
                (DPOP_NONCE.to_owned(), nonce.clone()),
            ],
            Some(Challenge::Proof) => vec![challenge(&dpop(Some("invalid_dpop_proof")))],
            Some(Challenge::Token) => vec![challenge(&dpop(Some("invalid_token")))],
            None if with_proof && !without => vec![challenge(&dpop(Some("invalid_token")))],
            None => vec![challenge(&format!("{}, error=\"invalid_token\"", bearer()))],
        },
    }
}

fn wants_proof(provider: &Provider) -> bool {
    provider.binding.dpop.is_some()
}

/// RFC 9449 section 7.1.
fn dpop(error: Option<&str>) -> String {
    let algorithms: Vec<&str> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_symmetric())
        .map(Algorithm::name)
        .collect();
    let error = error.map_or(String::new(), |error| format!(", error=\"{error}\""));
    let algorithms = algorithms.join(" ");
    format!("DPoP realm=\"portcullis\"{error}, algs=\"{algorithms}\"")
}

/// RFC 9449 section 8.1.
const DPOP_NONCE: &str = "dpop-nonce";

const API_KEY: &str = "ApiKey realm=\"portcullis\"";
const SIGNATURE: &str = "Signature realm=\"portcullis\"";
const ACCEPT_SIGNATURE: &str = "accept-signature";

/// `Bearer`, unless tokens are only taken under another scheme.
fn bearer_scheme(config: &Config) -> String {
    let schemes = || {
        config
            .providers
            .iter()
            .filter(|provider| !wants_proof(provider))
            .flat_map(|p| &p.from)
            .filter_map(|source| match source {
                Source::Header {
                    scheme: Some(scheme),
                    ..
                } => Some(scheme.as_str()),
                _ => None,
            })
    };
    match schemes().next() {
        Some(first) if !schemes().any(|scheme| scheme == "bearer") => first.to_owned(),
        _ => "Bearer".to_owned(),
    }
}

/// The reason phrase of a status (RFC 9110 section 15, RFC 6585).
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Request Refused",
    }
}
