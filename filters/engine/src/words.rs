//! The vocabulary: every reason code, header name and input key is spelled here and nowhere else.
//! Codes are append-only; the README's table is checked against [`Reason::ALL`].

use std::fmt;

macro_rules! reasons {
    ($( $name:ident = $code:literal, $status:literal, $grpc:ident; )*) => {
        /// Why a request was decided as it was. The code goes to logs and metrics, not to clients.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $( $name, )* }

        impl Reason {
            /// Every reason there is, in the order of the README's table.
            pub const ALL: &'static [Reason] = &[ $( Reason::$name, )* ];

            /// The stable code, such as `jwt.expired`.
            pub const fn code(self) -> &'static str {
                match self { $( Reason::$name => $code, )* }
            }

            /// The HTTP status of a refusal for this reason, unless the policy sets one.
            /// 200 where the reason allows: then the upstream answers; and where the gate answers what
            /// was asked for.
            pub const fn status(self) -> u16 {
                match self { $( Reason::$name => $status, )* }
            }

            /// The status a gRPC client gets (google.rpc.Code).
            pub const fn grpc_status(self) -> u32 {
                match self { $( Reason::$name => grpc::$grpc, )* }
            }
        }
    };
}

reasons! {
    PolicyAllowed = "policy.allowed", 200, OK;
    GateOff = "gate.off", 200, OK;
    GateServed = "gate.served", 200, OK;

    HeadersRepeated = "headers.repeated", 400, INVALID_ARGUMENT;
    HeadersInvalid = "headers.invalid", 400, INVALID_ARGUMENT;
    RequestMalformed = "request.malformed", 400, INVALID_ARGUMENT;

    DigestMissing = "digest.missing", 400, INVALID_ARGUMENT;
    DigestMismatch = "digest.mismatch", 400, INVALID_ARGUMENT;
    BodyTruncated = "body.truncated", 400, INVALID_ARGUMENT;

    JwtMissing = "jwt.missing", 401, UNAUTHENTICATED;
    JwtMalformed = "jwt.malformed", 401, UNAUTHENTICATED;
    JwtAlgorithm = "jwt.algorithm", 401, UNAUTHENTICATED;
    JwtKeyUnknown = "jwt.key_unknown", 401, UNAUTHENTICATED;
    JwtSignature = "jwt.signature", 401, UNAUTHENTICATED;
    JwtExpired = "jwt.expired", 401, UNAUTHENTICATED;
    JwtNotYetValid = "jwt.not_yet_valid", 401, UNAUTHENTICATED;
    JwtIssuer = "jwt.issuer", 401, UNAUTHENTICATED;
    JwtAudience = "jwt.audience", 401, UNAUTHENTICATED;
    JwtSubject = "jwt.subject", 401, UNAUTHENTICATED;
    JwtClaimMissing = "jwt.claim_missing", 401, UNAUTHENTICATED;
    JwtLifetime = "jwt.lifetime", 401, UNAUTHENTICATED;
    JwtType = "jwt.type", 401, UNAUTHENTICATED;
    JwtBinding = "jwt.binding", 401, UNAUTHENTICATED;
    TokenInactive = "token.inactive", 401, UNAUTHENTICATED;

    ApiKeyMissing = "api_key.missing", 401, UNAUTHENTICATED;
    ApiKeyUnknown = "api_key.unknown", 401, UNAUTHENTICATED;
    ApiKeyNotYetValid = "api_key.not_yet_valid", 401, UNAUTHENTICATED;
    ApiKeyExpired = "api_key.expired", 401, UNAUTHENTICATED;
    ApiKeyRevoked = "api_key.revoked", 401, UNAUTHENTICATED;

    SignatureMissing = "signature.missing", 401, UNAUTHENTICATED;
    SignatureMalformed = "signature.malformed", 401, UNAUTHENTICATED;
    SignatureKeyUnknown = "signature.key_unknown", 401, UNAUTHENTICATED;
    SignatureInvalid = "signature.invalid", 401, UNAUTHENTICATED;
    SignatureExpired = "signature.expired", 401, UNAUTHENTICATED;
    SignatureComponentMissing = "signature.component_missing", 401, UNAUTHENTICATED;
    SignatureNonceMissing = "signature.nonce_missing", 401, UNAUTHENTICATED;
    SignatureReplayed = "signature.replayed", 401, UNAUTHENTICATED;

    PolicyDenied = "policy.denied", 403, PERMISSION_DENIED;
    PolicyUndefined = "policy.undefined", 403, PERMISSION_DENIED;
    OriginForbidden = "origin.forbidden", 403, PERMISSION_DENIED;

    BodyTooLarge = "body.too_large", 413, RESOURCE_EXHAUSTED;
    HeadersTooLarge = "headers.too_large", 431, RESOURCE_EXHAUSTED;

    JwksUnavailable = "jwks.unavailable", 503, UNAVAILABLE;
    IntrospectionUnavailable = "introspection.unavailable", 503, UNAVAILABLE;
    PolicyUnavailable = "policy.unavailable", 503, UNAVAILABLE;
    PolicyError = "policy.error", 503, UNAVAILABLE;
    PolicyBudget = "policy.budget", 503, UNAVAILABLE;
    BodyFull = "body.full", 503, UNAVAILABLE;
    BodyHostUnsupported = "body.host_unsupported", 503, UNAVAILABLE;
    ReplayFull = "replay.full", 503, UNAVAILABLE;
    HostError = "host.error", 503, UNAVAILABLE;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Reason {
    /// Whether a request decided for this reason goes on to the upstream.
    pub const fn allows(self) -> bool {
        matches!(self, Reason::PolicyAllowed | Reason::GateOff)
    }
}

/// google.rpc.Code, as gRPC's `statuscodes.md` numbers them.
pub mod grpc {
    pub const OK: u32 = 0;
    pub const INVALID_ARGUMENT: u32 = 3;
    pub const PERMISSION_DENIED: u32 = 7;
    pub const RESOURCE_EXHAUSTED: u32 = 8;
    pub const UNAVAILABLE: u32 = 14;
    pub const UNAUTHENTICATED: u32 = 16;
    pub const UNKNOWN: u32 = 2;

    /// gRPC's own mapping for a status that did not come from a reason
    /// (`http-grpc-status-mapping.md`), finer where the HTTP status says more.
    pub const fn from_http(status: u16) -> u32 {
        match status {
            400 => INVALID_ARGUMENT,
            401 => UNAUTHENTICATED,
            403 => PERMISSION_DENIED,
            404 => 12,
            413 | 431 => RESOURCE_EXHAUSTED,
            429 | 502 | 503 | 504 => UNAVAILABLE,
            _ => UNKNOWN,
        }
    }
}

/// The names of checks, in `input.refused[].check` and in configuration paths.
pub mod check {
    pub const JWT: &str = "jwt";
    pub const API_KEY: &str = "api_key";
    pub const SIGNATURE: &str = "signature";
}

/// The key under which the decision record stands in the stream's filter state: Envoy shows it as
/// `wasm.portcullis`.
pub const FILTER_STATE: &str = "portcullis";

/// The property of a stream that says how many gates have claimed something of its request, and the
/// start of every key of shared data that they claim it in.
pub const REPLAY: &str = "portcullis.replay";

/// The start of every key of shared data that a bundle is kept under, for gates that are configured anew.
pub const BUNDLE: &str = "portcullis.bundle";

/// The counter of requests on which the evaluators differed: Envoy shows it below `wasmcustom.`.
pub const SELF_CHECK_DIFFERENCES: &str = "portcullis.policy.self_check.differences";

/// Counters of remembered tokens, and of what is fetched: Envoy shows them below `wasmcustom.`.
pub mod counter {
    pub const JWT_CACHE_HITS: &str = "portcullis.jwt.cache.hits";
    pub const JWT_CACHE_MISSES: &str = "portcullis.jwt.cache.misses";
    pub const JWKS_FETCHES: &str = "portcullis.jwks.fetches";
    pub const JWKS_FAILURES: &str = "portcullis.jwks.failures";
    pub const JWKS_UNUSABLE_KEYS: &str = "portcullis.jwks.unusable_keys";
    pub const INTROSPECTION_CALLS: &str = "portcullis.introspection.calls";
    pub const INTROSPECTION_FAILURES: &str = "portcullis.introspection.failures";

    /// Of the policy's bundle: how often it was asked for, and what came of it.
    pub const BUNDLE_FETCHES: &str = "portcullis.bundle.fetches";
    pub const BUNDLE_UNCHANGED: &str = "portcullis.bundle.unchanged";
    pub const BUNDLE_ACTIVATIONS: &str = "portcullis.bundle.activations";
    pub const BUNDLE_DOWNLOAD_FAILURES: &str = "portcullis.bundle.failures.download";
    pub const BUNDLE_UNPACK_FAILURES: &str = "portcullis.bundle.failures.unpack";
    pub const BUNDLE_VERIFY_FAILURES: &str = "portcullis.bundle.failures.verify";
    pub const BUNDLE_PARSE_FAILURES: &str = "portcullis.bundle.failures.parse";
    pub const BUNDLE_ORDER_FAILURES: &str = "portcullis.bundle.failures.order";
    pub const BUNDLE_LOAD_FAILURES: &str = "portcullis.bundle.failures.load";
    pub const BUNDLE_TEST_FAILURES: &str = "portcullis.bundle.failures.test";
    pub const BUNDLE_STATUS_FAILURES: &str = "portcullis.bundle.status.failures";

    /// Of the candidate's bundle.
    pub const CANDIDATE_FETCHES: &str = "portcullis.candidate.bundle.fetches";
    pub const CANDIDATE_ACTIVATIONS: &str = "portcullis.candidate.bundle.activations";
    pub const CANDIDATE_FAILURES: &str = "portcullis.candidate.bundle.failures";

    /// How often the candidate was asked, and gave no answer of its own.
    pub const SHADOW_EVALUATIONS: &str = "portcullis.shadow.evaluations";
    pub const SHADOW_ERRORS: &str = "portcullis.shadow.errors";
    /// How often it was to be asked, and there was none yet.
    pub const SHADOW_SKIPPED: &str = "portcullis.shadow.skipped";
    /// How often it decided.
    pub const SHADOW_ENFORCED: &str = "portcullis.shadow.enforced";
    /// How often it erred too much, so that it decides no more.
    pub const SHADOW_RETURNS: &str = "portcullis.shadow.returns";

    /// Of the decision log: events that were told, and those that were not.
    pub const LOG_EVENTS: &str = "portcullis.decision_log.events";
    pub const LOG_SAMPLED_OUT: &str = "portcullis.decision_log.sampled_out";
    pub const LOG_DROPPED_BY_POLICY: &str = "portcullis.decision_log.dropped_by_policy";
    /// Events whose mask is not known: they are told without what the policy was asked and said.
    pub const LOG_MASK_FAILURES: &str = "portcullis.decision_log.mask_failures";
    /// Events that a server has taken, in how many calls, and calls that came to nothing.
    pub const LOG_UPLOADED: &str = "portcullis.decision_log.uploaded";
    pub const LOG_UPLOADS: &str = "portcullis.decision_log.uploads";
    pub const LOG_UPLOAD_FAILURES: &str = "portcullis.decision_log.upload_failures";
    /// Events that no server has: the oldest where too many waited, those that are too large, those that
    /// the server refused, and those that waited when the gate went away.
    pub const LOG_DROPPED_BUFFER: &str = "portcullis.decision_log.dropped.cause.buffer";
    pub const LOG_DROPPED_SIZE: &str = "portcullis.decision_log.dropped.cause.size";
    pub const LOG_DROPPED_REFUSED: &str = "portcullis.decision_log.dropped.cause.refused";
    pub const LOG_DROPPED_SHUTDOWN: &str = "portcullis.decision_log.dropped.cause.shutdown";

    /// Of a gate that has a decision log.
    pub const OF_LOG: [&str; 11] = [
        LOG_EVENTS,
        LOG_SAMPLED_OUT,
        LOG_DROPPED_BY_POLICY,
        LOG_MASK_FAILURES,
        LOG_UPLOADED,
        LOG_UPLOADS,
        LOG_UPLOAD_FAILURES,
        LOG_DROPPED_BUFFER,
        LOG_DROPPED_SIZE,
        LOG_DROPPED_REFUSED,
        LOG_DROPPED_SHUTDOWN,
    ];

    /// The counter of the candidate's bundle for one of a policy's, if there is one.
    pub fn of_candidate(name: &str) -> Option<&'static str> {
        match name {
            BUNDLE_FETCHES => Some(CANDIDATE_FETCHES),
            BUNDLE_ACTIVATIONS => Some(CANDIDATE_ACTIVATIONS),
            BUNDLE_DOWNLOAD_FAILURES
            | BUNDLE_UNPACK_FAILURES
            | BUNDLE_VERIFY_FAILURES
            | BUNDLE_PARSE_FAILURES
            | BUNDLE_ORDER_FAILURES
            | BUNDLE_LOAD_FAILURES
            | BUNDLE_TEST_FAILURES
            | BUNDLE_STATUS_FAILURES => Some(CANDIDATE_FAILURES),
            _ => None,
        }
    }

    pub const ALL: [&str; 26] = [
        CANDIDATE_FETCHES,
        CANDIDATE_ACTIVATIONS,
        CANDIDATE_FAILURES,
        SHADOW_EVALUATIONS,
        SHADOW_ERRORS,
        SHADOW_SKIPPED,
        SHADOW_ENFORCED,
        SHADOW_RETURNS,
        JWT_CACHE_HITS,
        JWT_CACHE_MISSES,
        JWKS_FETCHES,
        JWKS_FAILURES,
        JWKS_UNUSABLE_KEYS,
        INTROSPECTION_CALLS,
        INTROSPECTION_FAILURES,
        BUNDLE_FETCHES,
        BUNDLE_UNCHANGED,
        BUNDLE_ACTIVATIONS,
        BUNDLE_DOWNLOAD_FAILURES,
        BUNDLE_UNPACK_FAILURES,
        BUNDLE_VERIFY_FAILURES,
        BUNDLE_PARSE_FAILURES,
        BUNDLE_ORDER_FAILURES,
        BUNDLE_LOAD_FAILURES,
        BUNDLE_TEST_FAILURES,
        BUNDLE_STATUS_FAILURES,
    ];
}

/// Gauges: what is so now, of all workers together.
pub mod gauge {
    /// How many workers have a policy to decide by.
    pub const POLICY_READY: &str = "portcullis.policy.ready";
    /// How many have none yet: every request to them is refused.
    pub const POLICY_WAITING: &str = "portcullis.policy.waiting";
    /// When a bundle became active last, in seconds since the Unix epoch.
    pub const BUNDLE_ACTIVATED_AT: &str = "portcullis.bundle.activated_at";
    /// When its server last said that it is the newest, or gave it, in seconds since the Unix epoch.
    pub const BUNDLE_CHECKED_AT: &str = "portcullis.bundle.checked_at";
    /// How many requests are held, for what is fetched or for their bodies.
    pub const REQUESTS_WAITING: &str = "portcullis.requests.waiting";
    /// How many workers have the candidate decide on its share.
    pub const SHADOW_ENFORCING: &str = "portcullis.shadow.enforcing";
    /// Where it says so: the sequence of the last that became active, or its time in seconds.
    pub const BUNDLE_ORDER: &str = "portcullis.bundle.order";
}

/// The counter of decisions of one outcome, for one reason.
pub fn decisions(reason: Reason) -> String {
    let outcome = match reason {
        // What was asked of the gate itself.
        Reason::GateServed => "served",
        reason if reason.allows() => "allow",
        _ => "deny",
    };
    format!("portcullis.decisions.outcome.{outcome}.reason.{reason}")
}

/// The histogram of how long decisions take, in microseconds of the gate's own time.
pub const DECISION_DURATION: &str = "portcullis.decision.duration_us";

/// Which way a candidate goes where the active policy goes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    WouldAllow,
    WouldDeny,
}

impl Direction {
    pub const ALL: [Direction; 2] = [Direction::WouldAllow, Direction::WouldDeny];

    /// As logs and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::WouldAllow => "would_allow",
            Direction::WouldDeny => "would_deny",
        }
    }
}

/// The counter of differences in one direction, for one reason of the candidate's.
pub fn shadow_differences(direction: Direction, reason: Reason) -> String {
    let direction = direction.name();
    format!("portcullis.shadow.differences.direction.{direction}.reason.{reason}")
}

/// The gauge of workers that decide by one revision; a policy of the document's own has none.
pub fn policy_workers(revision: Option<&str>) -> String {
    let revision = revision.map_or_else(|| "none".to_owned(), metric_segment);
    format!("portcullis.policy.workers.revision.{revision}")
}

/// The gauge of those whose revision has none of its own: there are a thousand at most.
pub const POLICY_WORKERS_OF_OTHERS: &str = "portcullis.policy.workers.revision.__others";

/// The gauge of when a provider's keys were fetched last, in seconds since the Unix epoch.
pub fn jwks_fetched_at(provider: &str) -> String {
    let provider = metric_segment(provider);
    format!("portcullis.jwks.fetched_at.provider.{provider}")
}

/// The gauge of how full the place of a replay store is that was used last, in percent; of all, one is
/// as full as another.
pub fn replay_fill(kind: &str) -> String {
    format!("portcullis.replay.fill_percent.kind.{kind}")
}

/// The counter of requests that showed a good API key, one for each key; its id follows as
/// [`metric_segment`] writes it. Envoy shows them below `wasmcustom.`.
const API_KEY_USES: &str = "portcullis.api_key.uses";

/// The counter of uses of API keys that have none of their own. No id has this name: in one, a byte
/// behind `__` is two hex digits.
pub const API_KEY_USES_OF_OTHERS: &str = "portcullis.api_key.uses.__others";

/// The name of the counter of an API key's uses.
pub fn api_key_uses(id: &str) -> String {
    format!("{API_KEY_USES}.{}", metric_segment(id))
}

/// An id as a part of a metric's name: ASCII letters and digits stand as they are, and so does a
/// hyphen behind one of them; any other byte is `__` and two hex digits. Two ids never become one
/// name, and neither do they in Prometheus, which has `_` for a hyphen.
fn metric_segment(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    let mut behind_plain = false;
    for byte in id.bytes() {
        let is_plain = byte.is_ascii_alphanumeric();
        if is_plain || (byte == b'-' && behind_plain) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("__{byte:02x}"));
        }
        behind_plain = is_plain;
    }
    segment
}

/// The environment variable of a VM that says whether its host is asked to check signatures: `on`, which
/// holds where it is not set, or `off`.
pub const NATIVE_CRYPTO: &str = "PORTCULLIS_NATIVE_CRYPTO";

/// The query that decides where the configuration names none.
pub const DEFAULT_ENTRYPOINT: &str = "envoy/authz/allow";

/// Media type of a refusal's body (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

#[cfg(test)]
mod tests {
    use super::{api_key_uses, metric_segment};
    use std::collections::BTreeMap;

    #[test]
    fn a_usual_id_stands_as_it_is() {
        let name = api_key_uses("acme-2026-11");
        assert_eq!(name, "portcullis.api_key.uses.acme-2026-11");
        assert_eq!(metric_segment("a_b.c"), "a__5fb__2ec");
        assert_eq!(metric_segment("-é-"), "__2d__c3__a9__2d");
    }

    /// Every id of up to five characters over those that matter.
    #[test]
    fn no_two_ids_have_one_name_here_or_in_prometheus() {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut ids = vec![String::new()];
        for _ in 0..5 {
            let longer = |id: &String| "a2df-_./ ".chars().map(|c| format!("{id}{c}")).collect();
            ids = ids
                .iter()
                .flat_map(|id| -> Vec<String> { longer(id) })
                .collect();
            for id in &ids {
                let name = metric_segment(id);
                let is_safe =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                assert!(name.bytes().all(is_safe), "{name}");
                let twin = names.insert(name.replace('-', "_"), id.clone());
                assert_eq!(twin, None, "{id}");
            }
        }
    }
}
