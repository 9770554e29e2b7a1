//! Every kind of finding: those of the Rego room, and what is a configuration's own, or Envoy's.

use portcullis_rego::tools::lint::{Lint, Severity};
use std::{fmt::Write, sync::LazyLock};

/// A kind of finding, by its stable name.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    /// The worst that a finding of it is.
    pub severity: Severity,
    pub about: &'static str,
}

/// What would not load.
pub const LOAD: Kind = Kind {
    name: "load",
    severity: Severity::Error,
    about: "a configuration, data or Rego that would not load",
};

/// A route that no request comes to.
pub const UNREACHABLE_ROUTE: Kind = Kind {
    name: "unreachable-route",
    severity: Severity::Warning,
    about: "a route that matches nothing an earlier one does not match",
};

/// A part of the request that the gate signs and a proxy may change after it.
pub const REWRITTEN_COMPONENT: Kind = Kind {
    name: "rewritten-component",
    severity: Severity::Warning,
    about: "a signature for the upstream over what a route may rewrite behind the gate",
};

/// A policy that anybody may have written.
pub const UNSIGNED_BUNDLE: Kind = Kind {
    name: "unsigned-bundle",
    severity: Severity::Warning,
    about: "a bundle that is taken without a signature",
};

/// Paths that Envoy leaves as they were sent.
pub const ENVOY_PATHS: Kind = Kind {
    name: "envoy-paths",
    severity: Severity::Warning,
    about: "an Envoy that leaves several spellings of one path",
};

/// Routes of Envoy's that change what was decided on.
pub const ENVOY_REWRITES: Kind = Kind {
    name: "envoy-rewrites",
    severity: Severity::Warning,
    about: "a route of Envoy's that rewrites what the policy reads, or what is signed",
};

/// Filters around the gate.
pub const ENVOY_FILTERS: Kind = Kind {
    name: "envoy-filters",
    severity: Severity::Warning,
    about: "a filter at the wrong side of the gate, or requests that Envoy takes around it",
};

/// What only the gate may say, said behind it.
pub const ENVOY_IDENTITY: Kind = Kind {
    name: "envoy-identity",
    severity: Severity::Warning,
    about: "an Envoy that writes behind the gate what upstreams take for the gate's word",
};

/// Requests that pass a gate that has crashed.
pub const ENVOY_FAILURE: Kind = Kind {
    name: "envoy-failure",
    severity: Severity::Warning,
    about: "an Envoy that lets requests through where the gate has crashed",
};

/// Bodies that the gate is not shown.
pub const ENVOY_BODIES: Kind = Kind {
    name: "envoy-bodies",
    severity: Severity::Warning,
    about: "an Envoy that does not show the gate the bodies that it must see",
};

/// In the order of the list.
pub static ALL: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let of_rego = Lint::ALL.iter().map(|lint| Kind {
        name: lint.name(),
        severity: lint.severity(),
        about: lint.about(),
    });
    let own = [
        LOAD,
        UNREACHABLE_ROUTE,
        REWRITTEN_COMPONENT,
        UNSIGNED_BUNDLE,
        ENVOY_PATHS,
        ENVOY_REWRITES,
        ENVOY_FILTERS,
        ENVOY_IDENTITY,
        ENVOY_FAILURE,
        ENVOY_BODIES,
    ];
    own.into_iter().chain(of_rego).collect()
});

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.name == name)
}

/// The same for a flag.
pub fn parse(name: &str) -> Result<&'static Kind, String> {
    find(name).ok_or_else(|| "there is no such finding; --list prints them all".to_owned())
}

/// For people.
pub fn table() -> String {
    let width = ALL.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let mut table = String::new();
    for kind in ALL.iter() {
        let (name, severity) = (kind.name, kind.severity.name());
        let _ = writeln!(table, "{name:width$}  {severity:7}  {}", kind.about);
    }
    table.trim_end().to_owned()
}
