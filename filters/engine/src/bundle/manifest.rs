//! `.manifest`: what a bundle says of itself (OPA's `v1/bundle/bundle.go`).

use super::fault::{Fault, shown};
use crate::instant;
use portcullis_rego::{RegoVersion, Value, glob_matches, value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// It is looked through in one go.
pub const MAX_BYTES: usize = 64 * 1024;
const MAX_ROOTS: usize = 1024;
const MAX_REVISION: usize = 255;
/// Files are matched with each of them.
const MAX_GLOBS: usize = 64;

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Empty where it says none.
    pub revision: String,
    /// Below which of `data` its content lies, as `a/b`; none lies in another. One that is empty is
    /// all of `data`.
    pub roots: Vec<String>,
    pub order: Option<Order>,
    /// The revision that a delta is for.
    pub base: Option<String>,
    /// Of modules that `file_rego_versions` does not name.
    pub rego_version: RegoVersion,
    /// `metadata`, as it stands there.
    pub metadata: Map<String, Json>,
    globs: Vec<(String, RegoVersion)>,
    inside: BTreeSet<Vec<String>>,
}

/// Where a bundle stands among those before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `metadata.portcullis.sequence`.
    Sequence(u64),
    /// `metadata.portcullis.time`, in nanoseconds since the Unix epoch.
    Time(u64),
}

const FIELDS: &[&str] = &[
    "revision",
    "roots",
    "rego_version",
    "file_rego_versions",
    "metadata",
    "wasm",
];

/// Of `metadata.portcullis`.
const OWN: &[&str] = &["sequence", "time", "base"];

impl Manifest {
    /// Of a bundle that has none.
    pub(super) fn absent(version: RegoVersion) -> Manifest {
        Manifest {
            revision: String::new(),
            roots: vec![String::new()],
            order: None,
            base: None,
            rego_version: version,
            metadata: Map::new(),
            globs: Vec::new(),
            inside: BTreeSet::from([Vec::new()]),
        }
    }

    pub(super) fn read(document: &Value, version: RegoVersion) -> Result<Manifest, Fault> {
        Manifest::of(document, version)
            .map_err(|wrong| Fault::parse(format!("`.manifest` {wrong}")))
    }

    fn of(document: &Value, version: RegoVersion) -> Result<Manifest, String> {
        let Json::Object(fields) = value::to_json(document) else {
            return Err("is no object".into());
        };
        // Go takes a field in any case: what OPA would see is not overlooked here.
        for name in fields.keys() {
            let known = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(name));
            if let Some(field) = known.filter(|field| **field != name) {
                return Err(format!("has {}, and `{field}` is meant", shown(name)));
            }
        }
        let mut manifest = Manifest::absent(version);
        match fields.get("revision") {
            None | Some(Json::Null) => {}
            Some(Json::String(revision)) if is_short(revision) => {
                manifest.revision.clone_from(revision);
            }
            Some(Json::String(_)) => {
                return Err(format!(
                    "has a `revision` of more than {MAX_REVISION} bytes, or with control characters"
                ));
            }
            Some(_) => return Err("has a `revision` that is no text".into()),
        }
        match fields.get("roots") {
            None | Some(Json::Null) => {}
            Some(roots) => manifest.take_roots(roots)?,
        }
        if let Some(version) = fields.get("rego_version").filter(|it| !it.is_null()) {
            manifest.rego_version = rego_version(version, "rego_version")?;
        }
        match fields.get("file_rego_versions") {
            None | Some(Json::Null) => {}
            Some(Json::Object(globs)) if globs.len() <= MAX_GLOBS => {
                for (glob, version) in globs {
                    // One that cannot be read is found here, not where a file comes.
                    glob_matches(glob, "").map_err(|_| {
                        let glob = shown(glob);
                        format!("has {glob} in `file_rego_versions`, which is no glob")
                    })?;
                    let version = rego_version(version, "file_rego_versions")?;
                    manifest.globs.push((glob.clone(), version));
                }
            }
            Some(_) => {
                return Err(format!(
                    "has `file_rego_versions` that are no object of at most {MAX_GLOBS} globs"
                ));
            }
        }
        match fields.get("metadata") {
            None | Some(Json::Null) => {}
            Some(Json::Object(metadata)) => manifest.metadata = metadata.clone(),
            Some(_) => return Err("has `metadata` that is no object".into()),
        }
        manifest.take_own()?;
        Ok(manifest)
    }

    fn take_roots(&mut self, roots: &Json) -> Result<(), String> {
        let texts: Option<Vec<&str>> = roots
            .as_array()
            .and_then(|roots| roots.iter().map(Json::as_str).collect());
        let texts = texts.ok_or("has `roots` that are no list of texts")?;
        if texts.len() > MAX_ROOTS {
            return Err(format!("has more than {MAX_ROOTS} `roots`"));
        }
        self.roots.clear();
        self.inside.clear();
        for text in texts {
            let root = text.trim_matches('/');
            let segments = segments(root);
            if segments.iter().any(String::is_empty) {
                return Err(format!("has {} in `roots`, which is no path", shown(text)));
            }
            if !self.inside.insert(segments) {
                return Err(overlap(root, root));
            }
            self.roots.push(root.to_owned());
        }
        // Sorted, what lies in a root stands next to it.
        let mut before: Option<&Vec<String>> = None;
        for root in &self.inside {
            if let Some(before) = before.filter(|before| root.starts_with(before)) {
                return Err(overlap(&before.join("/"), &root.join("/")));
            }
            before = Some(root);
        }
        Ok(())
    }

    /// `metadata.portcullis`.
    fn take_own(&mut self) -> Result<(), String> {
        let own = match self.metadata.get("portcullis") {
            None => return Ok(()),
            Some(Json::Object(own)) => own,
            Some(_) => return Err("has `metadata.portcullis` that is no object".into()),
        };
        let (mut sequence, mut time) = (None, None);
        for (name, value) in own {
            match (&**name, value) {
                ("sequence", value) => {
                    sequence = Some(Order::Sequence(value.as_u64().ok_or(
                        "has a `metadata.portcullis.sequence` that is no whole number from 0 on",
                    )?));
                }
                ("time", value) => {
                    let nanoseconds = value.as_str().and_then(instant::parse);
                    time = Some(Order::Time(nanoseconds.ok_or(
                        "has a `metadata.portcullis.time` that is no time such as \
                         `2027-02-01T00:00:00Z`",
                    )?));
                }
                ("base", Json::String(base)) if is_short(base) => self.base = Some(base.clone()),
                ("base", _) => {
                    return Err("has a `metadata.portcullis.base` that is no text".into());
                }
                // What a later version, or a tool, says there besides.
                (other, _) => {
                    let known = OWN.iter().find(|own| own.eq_ignore_ascii_case(other));
                    if let Some(known) = known {
                        return Err(format!(
                            "has {} in `metadata.portcullis`, and `{known}` is meant",
                            shown(other)
                        ));
                    }
                }
            }
        }
        self.order = sequence.or(time);
        Ok(())
    }

    /// The same, with the roots of another.
    pub fn with_roots_of(self, other: &Manifest) -> Manifest {
        Manifest {
            roots: other.roots.clone(),
            inside: other.inside.clone(),
            ..self
        }
    }

    /// Whether what lies at this path of `data` is the bundle's to bring. Of a module it is the
    /// package's path, which only its parser knows: whoever compiles the modules asks.
    pub fn permits(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|end| {
            path.get(..end)
                .is_some_and(|start| self.inside.contains(start))
        })
    }

    /// Whether some root lies below this path.
    fn leads_on(&self, path: &[String]) -> bool {
        let next = self.inside.range(path.to_vec()..).next();
        next.is_some_and(|root| root.starts_with(path))
    }

    /// That all of this is within the roots; else where it is not. Only what lies above the roots is
    /// looked at.
    pub(super) fn check_data(&self, path: &mut Vec<String>, value: &Value) -> Result<(), Fault> {
        if self.permits(path) {
            return Ok(());
        }
        match value {
            Value::Object(members) if self.leads_on(path) => {
                for (name, value) in members.iter_sorted() {
                    let Value::String(name) = name else { continue };
                    path.push(name.to_string());
                    self.check_data(path, value)?;
                    path.pop();
                }
                Ok(())
            }
            _ => Err(self.outside("data", path)),
        }
    }

    pub(super) fn outside(&self, what: &str, path: &[String]) -> Fault {
        let roots: Vec<String> = self.roots.iter().take(8).map(|root| shown(root)).collect();
        Fault::parse(format!(
            "its {what} at {} is outside its roots ({}{})",
            shown(&path.join("/")),
            roots.join(", "),
            if self.roots.len() > roots.len() {
                ", ..."
            } else {
                ""
            }
        ))
    }

    /// The Rego of a module, by its path from the bundle's root. OPA matches it with a slash before it,
    /// and takes any glob that matches: of those that say different things none is right.
    ///
    /// # Errors
    /// Two globs match, and say different things.
    pub fn version_of(&self, path: &str) -> Result<RegoVersion, Fault> {
        let path = format!("/{path}");
        let mut found: Option<(&str, RegoVersion)> = None;
        for (glob, version) in &self.globs {
            if !glob_matches(glob, &path).unwrap_or(false) {
                continue;
            }
            if let Some((other, _)) = found.filter(|(_, other)| other != version) {
                return Err(Fault::parse(format!(
                    "`.manifest` gives {} two versions of Rego: by {} and by {}",
                    shown(&path),
                    shown(other),
                    shown(glob)
                )));
            }
            found = Some((glob, *version));
        }
        Ok(found.map_or(self.rego_version, |(_, version)| version))
    }
}

/// It stands in every record and in logs.
fn is_short(revision: &str) -> bool {
    revision.len() <= MAX_REVISION && !revision.chars().any(char::is_control)
}

fn segments(path: &str) -> Vec<String> {
    match path {
        "" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

fn overlap(one: &str, other: &str) -> String {
    format!(
        "has `roots` that overlap: {} and {}",
        shown(one),
        shown(other)
    )
}

fn rego_version(value: &Json, field: &str) -> Result<RegoVersion, String> {
    match value.as_u64() {
        Some(0) => Ok(RegoVersion::V0),
        Some(1) => Ok(RegoVersion::V1),
        _ => Err(format!(
            "has a version in `{field}` that is neither 0 nor 1"
        )),
    }
}
