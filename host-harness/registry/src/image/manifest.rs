//! Manifests and indexes, as far as they are read here (image-spec 1.1, manifest.md and image-index.md).

use super::{CONFIGURATION, DOCKER_MANIFEST, INDEX, MANIFEST};
use crate::{Digest, Fault, remote::shown};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What names a blob or a manifest: its type, its digest, its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub manifests: Vec<Descriptor>,
}

impl Descriptor {
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len(),
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl Manifest {
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Of an image in a registry: `media_type` is what the registry says of it.
    ///
    /// # Errors
    /// Where it is none, or a list of several.
    pub fn read(bytes: &[u8], media_type: &str) -> Result<Manifest, Fault> {
        let none = |why| Fault::Refused(format!("its manifest is none: {why}"));
        is_one_thing(&parse(bytes).map_err(none)?)?;
        let manifest: Manifest = parse(bytes).map_err(none)?;
        let own = manifest.media_type.as_deref();
        if let Some(own) = own
            && !media_type.is_empty()
            && own != media_type
        {
            return Err(Fault::Refused(format!(
                "its manifest says that it is `{}`, and the registry `{}`",
                shown(own),
                shown(media_type)
            )));
        }
        match own.unwrap_or(media_type) {
            MANIFEST | DOCKER_MANIFEST if manifest.schema_version == 2 => Ok(manifest),
            INDEX => Err(Fault::Refused(
                "its manifest has the type of an index".into(),
            )),
            other => Err(Fault::Refused(format!(
                "`{}` is no type of an image's manifest",
                shown(other)
            ))),
        }
    }

    /// What it is, as an artifact (image-spec 1.1, "Guidelines for Artifact Usage").
    pub fn kind(&self) -> &str {
        self.artifact_type
            .as_deref()
            .unwrap_or(match &*self.config.media_type {
                CONFIGURATION => "",
                other => other,
            })
    }
}

/// Of a manifest, with those that make it a list, or one of the first version.
const MEMBERS: [&str; 9] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "subject",
    "annotations",
    "manifests",
    "fsLayers",
];
/// Of a descriptor (image-spec 1.1, descriptor.md).
const DESCRIBED: [&str; 6] = [
    "mediaType",
    "digest",
    "size",
    "artifactType",
    "annotations",
    "data",
];

/// What is a manifest and a list at once is read differently by others (CVE-2021-41190); and so is what has
/// a member in two spellings, since Go matches their names without regard to case.
fn is_one_thing(manifest: &Map<String, Value>) -> Result<(), Fault> {
    if manifest.contains_key("manifests") && !manifest.contains_key("config") {
        return Err(Fault::Refused(
            "it is an index of several manifests, and one image is wanted".into(),
        ));
    }
    let two = |what: String| {
        Fault::Refused(format!(
            "its manifest has {what}: others would read another image in it"
        ))
    };
    for other in ["manifests", "fsLayers"] {
        if manifest.contains_key(other) {
            return Err(two(format!("`{other}` as well")));
        }
    }
    let layers = manifest.get("layers").and_then(Value::as_array);
    let single = ["config", "subject"];
    let single = single.iter().filter_map(|name| manifest.get(*name));
    let described = single.chain(layers.into_iter().flatten());
    let described = described.filter_map(Value::as_object);
    spelled(manifest, &MEMBERS).map_err(two)?;
    described
        .map(|descriptor| spelled(descriptor, &DESCRIBED))
        .try_for_each(|spelled| spelled.map_err(two))
}

fn spelled(members: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    // Both ways, since some letters have one of them alone.
    let folded = |name: &str| name.to_uppercase().to_lowercase();
    for name in members.keys() {
        let mut known = known.iter();
        let meant = known.find(|known| folded(known) == folded(name));
        if let Some(meant) = meant.filter(|meant| *meant != name) {
            return Err(format!("`{}` for `{meant}`", shown(name)));
        }
    }
    Ok(())
}

/// JSON with the members of objects in order, so that it is the same each time.
pub fn written(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let sorted = serde_json::to_value(value);
    let bytes = sorted.and_then(|sorted| serde_json::to_vec(&sorted));
    bytes.map_err(|error| Fault::Refused(format!("it cannot be written as JSON: {error}")))
}

/// # Errors
/// Why it is none, and nothing of what it holds.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => shown(&error.to_string()),
        _ => format!("it is no JSON at line {}", error.line()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_one_thing() {
        let layer = |content: &[u8]| Descriptor::of(super::super::LAYER, content);
        let whole = Manifest::new(Descriptor::of(CONFIGURATION, b"{}"), vec![layer(b"a")]);
        let whole = String::from_utf8(written(&whole).unwrap()).unwrap();
        assert!(Manifest::read(whole.as_bytes(), MANIFEST).is_ok());
        let more = whole.replacen('{', r#"{"x-more": {"Layers": []}, "#, 1);
        assert!(Manifest::read(more.as_bytes(), MANIFEST).is_ok());
        for (member, wanted) in [
            ("manifests", "`manifests` as well"),
            ("Manifests", "`Manifests` for `manifests`"),
            ("fsLayers", "`fsLayers` as well"),
            ("fslayers", "`fslayers` for `fsLayers`"),
            ("Layers", "`Layers` for `layers`"),
            ("MediaType", "`MediaType` for `mediaType`"),
            ("\u{17f}ubject", "for `subject`"),
            ("layers", "duplicate field `layers`"),
        ] {
            let layers = json!([layer(b"b")]);
            let two = whole.replacen('{', &format!("{{{}: {layers}, ", json!(member)), 1);
            let why = Manifest::read(two.as_bytes(), MANIFEST).unwrap_err();
            assert!(why.to_string().contains(wanted), "{member}: {why}");
        }
        for member in ["Digest", "MEDIATYPE"] {
            let two = whole.replacen(r#"[{"#, &format!("[{{{}: 1, ", json!(member)), 1);
            let why = Manifest::read(two.as_bytes(), MANIFEST).unwrap_err();
            assert!(why.to_string().contains(member), "{member}: {why}");
        }
        let index = json!({"schemaVersion": 2, "manifests": []}).to_string();
        let why = Manifest::read(index.as_bytes(), "")
            .unwrap_err()
            .to_string();
        assert!(why.contains("an index of several"), "{why}");
    }
}
