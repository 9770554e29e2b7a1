//! The chains of filters that are measured, and what each is sent.

use crate::{
    Outcome,
    workload::{Requests, Tokens},
};

pub struct Chain {
    pub name: &'static str,
    pub filters: Filters,
    pub sent: Requests,
}

pub enum Filters {
    None,
    EmptyWasm,
    Portcullis,
    /// The gate with another policy, which lets every verified token through.
    Policy(&'static str),
    /// The gate that lets every verified token through, with signatures checked by its own code.
    InTheModule,
    /// The gate that lets every verified token through, and holds bodies to their digests; it parses
    /// them, or does not.
    Bodies {
        parse: bool,
    },
    /// The gate that lets every verified token through, and signs what it lets through with a key of this
    /// algorithm, by its name in RFC 9421.
    Signs(&'static str),
    /// The gate that tells of each decision in an event: in batches to a cluster, or in the proxy's log.
    Tells {
        uploads: bool,
    },
    /// The gate whose policy is its candidate, too.
    Candidate,
    /// Envoy's own holding of bodies.
    Buffer,
    JwtAuthn,
    JwtAuthnRbac {
        cached: bool,
    },
    Rbac,
}

/// What a chain goes by.
#[derive(Clone, Copy)]
pub enum Sees {
    Nothing,
    /// The header `x-account`.
    Account,
    Token,
    /// The token, and not what its subject may do.
    Identity,
}

/// In the order in which they take turns.
pub const CHAINS: &[Chain] = &[
    Chain::new("none", Filters::None, Requests::Warm),
    Chain::new("empty_wasm", Filters::EmptyWasm, Requests::Warm),
    Chain::new("portcullis_warm", Filters::Portcullis, Requests::Warm),
    Chain::new(
        "portcullis_first_sight",
        Filters::Portcullis,
        Requests::FirstSight(Tokens::Rs256),
    ),
    // What is left of the gate where the policy costs nothing: the rest is the evaluation.
    Chain::new("portcullis_allow", Filters::Policy(ALLOW), Requests::Warm),
    // A hundred calls of a builtin: one that the virtual machine calls by itself, and one of ours,
    // for which it stops.
    Chain::new(
        "portcullis_100_native",
        Filters::Policy(NATIVE),
        Requests::Warm,
    ),
    Chain::new("portcullis_100_ours", Filters::Policy(OURS), Requests::Warm),
    // Without a cache every token is seen for the first time; it is sent the very same ones.
    Chain::new(
        "jwt_authn_rbac",
        Filters::JwtAuthnRbac { cached: false },
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "jwt_authn_cached_rbac",
        Filters::JwtAuthnRbac { cached: true },
        Requests::Warm,
    ),
    Chain::new("rbac", Filters::Rbac, Requests::Warm),
    // A signature checked by Envoy's own code for the gate, by the gate's code, and for `jwt_authn`, with
    // nothing to decide behind it.
    Chain::new(
        "portcullis_rs256",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "portcullis_rs256_rust",
        Filters::InTheModule,
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "jwt_authn_rs256",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Rs256),
    ),
    Chain::new(
        "portcullis_es256",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Es256),
    ),
    Chain::new(
        "portcullis_es256_rust",
        Filters::InTheModule,
        Requests::FirstSight(Tokens::Es256),
    ),
    Chain::new(
        "jwt_authn_es256",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Es256),
    ),
    // What an attacker's tokens cost.
    Chain::new(
        "portcullis_forged",
        Filters::Policy(ALLOW),
        Requests::FirstSight(Tokens::Forged),
    ),
    Chain::new(
        "jwt_authn_forged",
        Filters::JwtAuthn,
        Requests::FirstSight(Tokens::Forged),
    ),
    // What it takes to tell of a decision, and to ask a candidate.
    Chain::new(
        "portcullis_uploads",
        Filters::Tells { uploads: true },
        Requests::Warm,
    ),
    Chain::new(
        "portcullis_logs",
        Filters::Tells { uploads: false },
        Requests::Warm,
    ),
    Chain::new("portcullis_candidate", Filters::Candidate, Requests::Warm),
    // What it takes to sign for the upstream.
    Chain::new(
        "portcullis_signs_hmac",
        Filters::Signs("hmac-sha256"),
        Requests::Warm,
    ),
    Chain::new(
        "portcullis_signs_ed25519",
        Filters::Signs("ed25519"),
        Requests::Warm,
    ),
    Chain::new(
        "portcullis_signs_p256",
        Filters::Signs("ecdsa-p256-sha256"),
        Requests::Warm,
    ),
    // What it takes to hold a body, to hash it, and to read it for the policy.
    Chain::new("buffer_1mib", Filters::Buffer, Requests::Bodies),
    Chain::new(
        "portcullis_digest_1mib",
        Filters::Bodies { parse: false },
        Requests::Bodies,
    ),
    Chain::new(
        "portcullis_parse_1mib",
        Filters::Bodies { parse: true },
        Requests::Bodies,
    ),
];

/// Lets every verified token through.
pub const ALLOW: &str =
    "package envoy.authz\n\ndefault allow := false\n\nallow if input.verified.jwt\n";
/// The same, and looks at the body.
pub const READS: &str = "package envoy.authz\n\ndefault allow := false\n\nallow if {\n\tinput.verified.jwt\n\tnot input.parsed_body.banned\n}\n";
const NATIVE: &str = include_str!("workload/variants/native.rego");
const OURS: &str = include_str!("workload/variants/ours.rego");

impl Chain {
    const fn new(name: &'static str, filters: Filters, sent: Requests) -> Chain {
        Chain {
            name,
            filters,
            sent,
        }
    }

    pub fn sees(&self) -> Sees {
        match self.filters {
            Filters::None | Filters::EmptyWasm | Filters::Buffer => Sees::Nothing,
            Filters::Portcullis
            | Filters::Tells { .. }
            | Filters::Candidate
            | Filters::JwtAuthnRbac { .. } => Sees::Token,
            Filters::Policy(_)
            | Filters::InTheModule
            | Filters::Bodies { .. }
            | Filters::Signs(_)
            | Filters::JwtAuthn => Sees::Identity,
            Filters::Rbac => Sees::Account,
        }
    }
}

pub fn named(name: &str) -> Outcome<&'static Chain> {
    let found = CHAINS.iter().find(|chain| chain.name == name);
    found.ok_or_else(|| format!("no chain `{name}`").into())
}
