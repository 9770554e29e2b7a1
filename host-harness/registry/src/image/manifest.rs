//! Manifests and indexes, as far as they are read here (image-spec 1.1, manifest.md and image-index.md).

use super::{CONFIGURATION, DOCKER_MANIFEST, INDEX, MANIFEST};
use crate::{Digest, Fault};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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
        let manifest = match parse::<Manifest>(bytes) {
            Ok(manifest) => manifest,
            Err(_) if parse::<Index>(bytes).is_ok() => {
                return Err(Fault::Refused(
                    "it is an index of several manifests, and one image is wanted".into(),
                ));
            }
            Err(why) => return Err(Fault::Refused(format!("its manifest is none: {why}"))),
        };
        let own = manifest.media_type.as_deref();
        // A manifest that is two things at once is read differently by others (CVE-2021-41190).
        if let Some(own) = own
            && !media_type.is_empty()
            && own != media_type
        {
            return Err(Fault::Refused(format!(
                "its manifest says that it is `{}`, and the registry `{}`",
                crate::remote::shown(own),
                crate::remote::shown(media_type)
            )));
        }
        match own.unwrap_or(media_type) {
            MANIFEST | DOCKER_MANIFEST if manifest.schema_version == 2 => Ok(manifest),
            INDEX => Err(Fault::Refused(
                "its manifest has the type of an index".into(),
            )),
            other => Err(Fault::Refused(format!(
                "`{}` is no type of an image's manifest",
                crate::remote::shown(other)
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
        serde_json::error::Category::Data => crate::remote::shown(&error.to_string()),
        _ => format!("it is no JSON at line {}", error.line()),
    })
}
