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
            /// 200 where the reason allows: then the upstream answers.
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

    HeadersRepeated = "headers.repeated", 400, INVALID_ARGUMENT;
    HeadersInvalid = "headers.invalid", 400, INVALID_ARGUMENT;
    RequestMalformed = "request.malformed", 400, INVALID_ARGUMENT;

    JwtMissing = "jwt.missing", 401, UNAUTHENTICATED;
    JwtMalformed = "jwt.malformed", 401, UNAUTHENTICATED;
    JwtAlgorithm = "jwt.algorithm", 401, UNAUTHENTICATED;
    JwtKeyUnknown = "jwt.key_unknown", 401, UNAUTHENTICATED;
    JwtSignature = "jwt.signature", 401, UNAUTHENTICATED;
    JwtExpired = "jwt.expired", 401, UNAUTHENTICATED;
    JwtNotYetValid = "jwt.not_yet_valid", 401, UNAUTHENTICATED;
    JwtIssuer = "jwt.issuer", 401, UNAUTHENTICATED;
    JwtAudience = "jwt.audience", 401, UNAUTHENTICATED;
    JwtClaimMissing = "jwt.claim_missing", 401, UNAUTHENTICATED;
    JwtLifetime = "jwt.lifetime", 401, UNAUTHENTICATED;
    JwtType = "jwt.type", 401, UNAUTHENTICATED;
    JwtBinding = "jwt.binding", 401, UNAUTHENTICATED;
    TokenInactive = "token.inactive", 401, UNAUTHENTICATED;

    ApiKeyMissing = "api_key.missing", 401, UNAUTHENTICATED;
    ApiKeyUnknown = "api_key.unknown", 401, UNAUTHENTICATED;
    ApiKeyNotYetValid = "api_key.not_yet_valid", 401, UNAUTHENTICATED;
    ApiKeyExpired = "api_key.expired", 401, UNAUTHENTICATED;

    SignatureMissing = "signature.missing", 401, UNAUTHENTICATED;
    SignatureMalformed = "signature.malformed", 401, UNAUTHENTICATED;
    SignatureKeyUnknown = "signature.key_unknown", 401, UNAUTHENTICATED;
    SignatureInvalid = "signature.invalid", 401, UNAUTHENTICATED;
    SignatureExpired = "signature.expired", 401, UNAUTHENTICATED;
    SignatureComponentMissing = "signature.component_missing", 401, UNAUTHENTICATED;

    PolicyDenied = "policy.denied", 403, PERMISSION_DENIED;
    PolicyUndefined = "policy.undefined", 403, PERMISSION_DENIED;
    OriginForbidden = "origin.forbidden", 403, PERMISSION_DENIED;

    HeadersTooLarge = "headers.too_large", 431, RESOURCE_EXHAUSTED;

    JwksUnavailable = "jwks.unavailable", 503, UNAVAILABLE;
    IntrospectionUnavailable = "introspection.unavailable", 503, UNAVAILABLE;
    PolicyError = "policy.error", 503, UNAVAILABLE;
    PolicyBudget = "policy.budget", 503, UNAVAILABLE;
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
}

/// The query that decides where the configuration names none.
pub const DEFAULT_ENTRYPOINT: &str = "envoy/authz/allow";

/// Media type of a refusal's body (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
