//! What a proxy may change behind the gate, which signs what it sees.

use super::{finding::Finding, kinds::REWRITTEN_COMPONENT};
use portcullis_gatefile::GateFile;
use portcullis_rego::tools::lint::Severity;
use serde_json::Value;

/// What `upstream.sign.components` is where it is not said: the engine's, which the schema has too.
pub const SIGNED: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// Whether any route rewrites is the proxy's to know: worth knowing where nobody chose to cover them, and
/// a warning where somebody did.
pub fn check(gate: &GateFile) -> Vec<Finding> {
    const REWRITTEN: [&str; 4] = ["@authority", "@path", "@request-target", "@target-uri"];
    let Some(sign) = gate.document.pointer("/upstream/sign") else {
        return Vec::new();
    };
    let named = sign.get("components").and_then(Value::as_array);
    let (at, severity, mut covered): (_, _, Vec<&str>) = match named {
        None => ("upstream.sign", Severity::Note, SIGNED.into()),
        Some(named) => {
            let named = named.iter().filter_map(Value::as_str).collect();
            ("upstream.sign.components", Severity::Warning, named)
        }
    };
    covered.retain(|name| REWRITTEN.contains(name));
    if covered.is_empty() {
        return Vec::new();
    }
    let names = covered.join("` and `");
    let message =
        format!("the gate's signature covers `{names}` as they are before the proxy rewrites");
    let hint = "where a route rewrites path or host (`prefix_rewrite`, `host_rewrite_literal`, `auto_host_rewrite`), upstreams \
                verify nothing: leave them out of `components`";
    vec![Finding {
        severity,
        ..Finding::new(&REWRITTEN_COMPONENT, gate.place(at), message).hint(hint)
    }]
}
