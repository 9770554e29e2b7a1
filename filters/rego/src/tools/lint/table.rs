//! Every lint there is: its name, how bad it is, and what it is about.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does not load.
    Error,
    /// It is probably a mistake.
    Warning,
    /// Worth knowing; never a reason to fail.
    Note,
}

macro_rules! lints {
    ($( $name:ident = $code:literal, $severity:ident, $about:literal; )*) => {
        /// A kind of finding. Names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Lint { $( #[doc = $about] $name, )* }

        impl Lint {
            /// In the order of the help.
            pub const ALL: &'static [Lint] = &[ $( Lint::$name, )* ];

            /// The stable name, such as `unused-rule`.
            pub const fn name(self) -> &'static str {
                match self { $( Lint::$name => $code, )* }
            }

            /// The worst that a finding of it is.
            pub const fn severity(self) -> Severity {
                match self { $( Lint::$name => Severity::$severity, )* }
            }

            /// What it finds, in one line.
            pub const fn about(self) -> &'static str {
                match self { $( Lint::$name => $about, )* }
            }
        }
    };
}

lints! {
    EntrypointUndefined = "entrypoint-undefined", Warning, "an entrypoint without a value for some requests, which are then refused with `policy.undefined`";
    DefaultAllow = "default-allow", Warning, "an entrypoint that allows where no rule says anything";
    InputNeverSet = "input-never-set", Warning, "a field of `input` that the gate never sets";
    InputNotConfigured = "input-not-configured", Warning, "a field of `input` that is not set with this configuration; a note where the policy has other proofs to go by";
    DataNeverSet = "data-never-set", Warning, "a document below `data`, among rules, that neither a rule nor the base data defines";
    UnverifiedToken = "unverified-token", Warning, "claims of a token that nobody verified (`io.jwt.decode`)";
    AuthorizationHeader = "authorization-header", Note, "the `authorization` header, where `input.verified` has what it proves";
    IdentityHeader = "identity-header", Warning, "a header that says who asks, which clients can send";
    ClientTime = "client-time", Warning, "a time that the client sent";
    CheckedClaim = "checked-claim", Note, "`exp` or `nbf` of a verified token, which the gate has checked";
    PathPrefix = "path-prefix", Warning, "a prefix of a path that does not end with a segment";
    PathSuffix = "path-suffix", Warning, "a suffix of a path that still has its query";
    AbsentAllows = "absent-allows", Warning, "`not` of a claim in a rule that allows and asks for no credential";
    UnusedRule = "unused-rule", Warning, "a rule that no entrypoint reaches";
    UnusedImport = "unused-import", Warning, "an import that its module does not use";
    UnusedVariable = "unused-variable", Warning, "a variable or an argument that nothing reads";
    NeverHolds = "never-holds", Warning, "a body with a condition that is always false";
    UnreachableElse = "unreachable-else", Warning, "an `else` behind what always holds";
    DuplicateRule = "duplicate-rule", Warning, "a definition that is there already, letter for letter";
    ShadowedName = "shadowed-name", Warning, "a variable, an argument or a rule with the name of an import, or a variable named `input` or `data`";
    Evaluator = "evaluator", Note, "which evaluator an entrypoint has, and why not the fast one";
}

impl Severity {
    /// The word for it: `error`, `warning` or `note`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
