//! `portcullis bundle inspect`: what is in a bundle.

use super::{
    Format,
    archive::{PATCH, SIGNATURES},
    opened::{Opened, shown_order, shown_time},
    verification::{Verified, Verifying},
};
use crate::{
    failure::{Exit, Failure},
    policy, terminal,
};
use clap::Args;
use portcullis_engine::bundle::{Order, digest};
use portcullis_rego::{RegoVersion, tools::outline};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Show what is in a bundle: its manifest, its files, its packages, who signed it
///
/// What is said of the signature is what the bundle says itself, unless a key is given: only then it is
/// verified.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle inspect authz.tar.gz
  portcullis bundle inspect authz.tar.gz --verification-key ci.pub.pem --scope write --format json")]
pub struct Inspect {
    /// An archive, or a folder laid out as a bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    verifying: Verifying,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Inspect {
    pub fn run(self) -> Result<Exit, Failure> {
        let opened = Opened::read(&self.bundle)?;
        let verified = self.verifying.verify(&opened)?;
        let is_refused = verified.as_ref().is_some_and(|it| it.bundle.is_err());
        let report = report(&opened, verified)?;
        terminal::print(&match self.format {
            Format::Json => format!("{report:#}"),
            Format::Text => text(&report),
        })?;
        Ok(match is_refused {
            true => Exit::Failed,
            false => Exit::Fine,
        })
    }
}

/// As JSON has it: `null`, `{"sequence": 7}` or `{"time": "..."}`.
pub fn order(order: Option<Order>) -> Value {
    match order {
        None => Value::Null,
        Some(Order::Sequence(number)) => json!({ "sequence": number }),
        Some(Order::Time(nanoseconds)) => json!({ "time": shown_time(nanoseconds) }),
    }
}

fn report(opened: &Opened, verified: Option<Verified>) -> Result<Value, Failure> {
    let manifest = opened.manifest();
    let modules = opened.snapshot().map(|(modules, _)| modules);
    let (mut packages, mut rules) = (BTreeSet::new(), BTreeSet::new());
    let mut versions = BTreeMap::new();
    for module in modules.unwrap_or_default() {
        let version = manifest
            .version_of(&module.path)
            .map_err(|fault| Failure::new(fault.to_string()))?;
        versions.insert(module.path.clone(), number(version));
        match outline(&[module], version) {
            Ok(modules) => {
                for module in modules {
                    let definitions = module.definitions.into_iter();
                    rules.extend(definitions.map(|definition| definition.rule));
                    packages.insert(module.package);
                }
            }
            // What does not load can be looked at all the same.
            Err(errors) => {
                for problem in policy::refused(errors, Path::new("")).0 {
                    terminal::warn(&problem.message);
                }
            }
        }
    }
    let usual = policy::rule(portcullis_engine::words::DEFAULT_ENTRYPOINT);
    let files: Result<Vec<Value>, Failure> = opened
        .files
        .iter()
        .map(|(name, content)| {
            let hash = match name.as_str() {
                // Nothing signs the signature.
                SIGNATURES => None,
                name => {
                    let digest = digest(name, content);
                    let digest = digest.map_err(|fault| Failure::new(fault.to_string()))?;
                    Some(base16ct::lower::encode_string(&digest))
                }
            };
            Ok(json!({
                "name": name, "size": content.len(), "sha256": hash,
                "rego_version": versions.get(name.as_str()),
            }))
        })
        .collect();
    Ok(json!({
        "bundle": opened.path.display().to_string(),
        "size": opened.packed.len(),
        "kind": if opened.is_delta() { "delta" } else { "snapshot" },
        "revision": manifest.revision,
        "roots": manifest.roots,
        "rego_version": number(manifest.rego_version),
        "order": order(manifest.order),
        "base": manifest.base,
        "metadata": manifest.metadata,
        "files": files?,
        "packages": packages,
        "entrypoints": rules.into_iter().filter(|rule| *rule == usual).collect::<Vec<_>>(),
        "operations": operations(opened),
        "signature": signature(opened, verified),
    }))
}

fn number(version: RegoVersion) -> u8 {
    match version {
        RegoVersion::V0 => 0,
        RegoVersion::V1 => 1,
    }
}

/// What a delta does and where, without the values.
fn operations(opened: &Opened) -> Vec<Value> {
    let patch = opened.files.get(PATCH);
    let patch = patch.and_then(|patch| serde_json::from_slice::<Value>(patch).ok());
    let items = patch
        .as_ref()
        .and_then(|patch| patch.get("data")?.as_array());
    items
        .into_iter()
        .flatten()
        .map(|item| json!({"op": item.get("op"), "path": item.get("path")}))
        .collect()
}

fn signature(opened: &Opened, verified: Option<Verified>) -> Value {
    let Some(told) = opened.told() else {
        return match opened.is_signed() {
            true => json!({"verified": false, "why": "it cannot be read"}),
            false => Value::Null,
        };
    };
    let (is_verified, why) = match verified.map(|verified| verified.bundle) {
        None => (false, Some("no key was given".to_owned())),
        Some(Ok(_)) => (true, None),
        Some(Err(fault)) => (false, Some(fault.to_string())),
    };
    json!({
        "key_id": told.key_id, "algorithm": told.algorithm, "scope": told.scope,
        "issuer": told.issuer, "verified": is_verified, "why": why,
    })
}

fn text(report: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let field = |name: &str| report.get(name).map(plain).unwrap_or_default();
    let list = |name: &str| {
        let items = report.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .map(plain)
            .collect::<Vec<String>>()
    };
    let rows = |name: &str| {
        report
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut lines = vec![
        format!(
            "{}: a {} of {} bytes",
            field("bundle"),
            field("kind"),
            field("size")
        ),
        format!("revision: {}", field("revision")),
        format!("order: {}", shown(report.get("order"))),
    ];
    if report.get("base").is_some_and(|base| !base.is_null()) {
        lines.push(format!("base: {}", field("base")));
    }
    let roots = list("roots").into_iter();
    let roots: Vec<String> = roots.map(|root| format!("data/{root}")).collect();
    lines.push(format!("roots: {}", roots.join(", ")));
    lines.push(format!("rego version: {}", field("rego_version")));
    lines.push(format!("packages: {}", or_none(list("packages"))));
    lines.push(format!("entrypoints: {}", or_none(list("entrypoints"))));
    lines.push(match report.get("signature") {
        None | Some(Value::Null) => "signature: none".to_owned(),
        Some(signature) => {
            let of = |name: &str| match signature.get(name) {
                None | Some(Value::Null) => "none".to_owned(),
                Some(value) => plain(value),
            };
            let state = match signature.get("verified") {
                Some(Value::Bool(true)) => "verified".to_owned(),
                _ => format!("NOT VERIFIED: {}", of("why")),
            };
            format!(
                "signature: key {}, {}, scope {} ({state})",
                of("key_id"),
                of("algorithm"),
                of("scope")
            )
        }
    });
    lines.push("files:".to_owned());
    for file in rows("files") {
        let of = |name: &str| file.get(name).filter(|it| !it.is_null()).map(plain);
        let hash = of("sha256").unwrap_or_default();
        let (name, size) = (
            of("name").unwrap_or_default(),
            of("size").unwrap_or_default(),
        );
        lines.push(
            format!("  {name}  {size} bytes  {hash}")
                .trim_end()
                .to_owned(),
        );
    }
    for operation in rows("operations") {
        let of = |name: &str| operation.get(name).map(plain).unwrap_or_default();
        lines.push(format!("  {} {}", of("op"), of("path")));
    }
    // What a bundle says may hold what moves a terminal's cursor.
    let lines = lines.iter().map(|line| {
        line.chars()
            .flat_map(|it| match it.is_control() {
                true => it.escape_debug().collect::<Vec<char>>(),
                false => vec![it],
            })
            .collect::<String>()
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn shown(order: Option<&Value>) -> String {
    let member = order
        .and_then(Value::as_object)
        .and_then(|it| it.iter().next());
    match member {
        None => shown_order(None),
        Some((name, Value::String(text))) => format!("{name} {text}"),
        Some((name, value)) => format!("{name} {value}"),
    }
}

fn or_none(items: Vec<String>) -> String {
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(", "),
    }
}
