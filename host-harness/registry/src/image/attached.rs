//! What is attached to an image: an SBOM (CycloneDX) and a provenance (an in-toto statement with SLSA's
//! predicate), each a manifest of its own whose `subject` is the image's (image-spec 1.1, "Guidelines for
//! Artifact Usage").

use super::{
    EMPTY, MOST_JSON, Manifest, PLUGIN,
    manifest::{Descriptor, parse, written},
};
use crate::{Digest, Fault, remote::shown};
use serde_json::{Map, Value, json};

/// What is known of the kinds that this command attaches and verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    Sbom,
    Provenance,
}

/// What follows the type of an empty configuration.
const NOTHING: &[u8] = b"{}";
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";
/// in-toto Attestation Framework, `spec/v1/statement.md`, and what was before it.
const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];
/// SLSA 1.0, "Provenance".
const SLSA: &str = "https://slsa.dev/provenance/v1";
/// How this command makes an image: from a module that is built already.
const BUILD_TYPE: &str = "urn:portcullis:image-build:v1";

impl Attached {
    pub const ALL: [Attached; 2] = [Attached::Sbom, Attached::Provenance];

    pub const fn name(self) -> &'static str {
        match self {
            Attached::Sbom => "SBOM",
            Attached::Provenance => "provenance",
        }
    }

    /// `artifactType`, and the type of the layer.
    pub const fn media_type(self) -> &'static str {
        match self {
            Attached::Sbom => CYCLONEDX,
            Attached::Provenance => IN_TOTO,
        }
    }

    pub fn of_type(artifact_type: &str) -> Option<Attached> {
        let mut all = Attached::ALL.into_iter();
        all.find(|kind| kind.media_type() == artifact_type)
    }

    pub fn is_known(artifact_type: &str) -> bool {
        Attached::of_type(artifact_type).is_some()
    }

    /// Whether a document is one of its kind, and about this module.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, document: &[u8], module: &Digest) -> Result<(), String> {
        if document.len() > MOST_JSON {
            return Err(format!("it is longer than {MOST_JSON} bytes"));
        }
        let document: Map<String, Value> = parse(document)?;
        let text = |name: &str| {
            document
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match self {
            Attached::Sbom => {
                if text("bomFormat") != "CycloneDX" {
                    return Err("its `bomFormat` is not `CycloneDX`".into());
                }
                let version = text("specVersion").strip_prefix("1.");
                match version.is_some_and(|minor| minor.parse::<u8>().is_ok()) {
                    true => Ok(()),
                    false => Err("its `specVersion` is none of CycloneDX 1".into()),
                }
            }
            Attached::Provenance => {
                if !STATEMENTS.contains(&text("_type")) {
                    return Err(format!("its `_type` is not `{}`", STATEMENTS[0]));
                }
                if text("predicateType").is_empty() || !document.contains_key("predicate") {
                    return Err("it has no `predicate`, or none with a `predicateType`".into());
                }
                let subjects = document.get("subject").and_then(Value::as_array);
                let subjects = subjects.map(Vec::as_slice).unwrap_or_default();
                let digests = subjects
                    .iter()
                    .filter_map(|subject| subject.get("digest")?.get("sha256")?.as_str());
                match digests.clone().any(|digest| digest == module.hex()) {
                    true => Ok(()),
                    false => Err(match digests.clone().next() {
                        Some(other) => format!(
                            "its subject is sha256:{}, and the module is {module}",
                            shown(other)
                        ),
                        None => "its `subject` has no `digest.sha256`".into(),
                    }),
                }
            }
        }
    }

    /// The same, as who hands the document over is told.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn hold(self, document: &[u8], module: &Digest) -> Result<(), Fault> {
        let hint = match self {
            Attached::Sbom => "a CycloneDX document in JSON is taken",
            Attached::Provenance => "an in-toto statement in JSON about this very module is taken",
        };
        self.check(document, module)
            .map_err(|why| Fault::input(format!("the {}: {why}", self.name()), hint))
    }

    /// A manifest that attaches a document to an image.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn manifest(self, document: &[u8], image: Descriptor) -> Result<Vec<u8>, Fault> {
        let layer = Descriptor::of(self.media_type(), document);
        let mut manifest = Manifest::new(Descriptor::of(EMPTY, NOTHING), vec![layer]);
        manifest.artifact_type = Some(self.media_type().to_owned());
        manifest.subject = Some(image);
        written(&manifest)
    }

    /// The blob that the manifest's configuration names.
    pub const fn configuration() -> &'static [u8] {
        NOTHING
    }
}

/// What is known of how a module was made.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// A URL of the source.
    pub source: Option<String>,
    /// The commit.
    pub revision: Option<String>,
    pub version: Option<String>,
    /// A URI of who built it.
    pub builder: String,
    /// RFC 3339.
    pub finished: Option<String>,
}

impl Provenance {
    /// A statement about the module. What is not known is not in it.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn statement(&self, module: &Digest) -> Result<Vec<u8>, Fault> {
        let mut parameters = Map::new();
        for (name, value) in [
            ("source", &self.source),
            ("revision", &self.revision),
            ("version", &self.version),
        ] {
            if let Some(value) = value {
                parameters.insert(name.to_owned(), value.as_str().into());
            }
        }
        let mut definition = json!({
            "buildType": BUILD_TYPE, "externalParameters": parameters,
        });
        if let (Some(source), Some(definition)) = (&self.source, definition.as_object_mut()) {
            let mut material = json!({"uri": source});
            if let (Some(revision), Some(material)) = (&self.revision, material.as_object_mut()) {
                material.insert("digest".to_owned(), json!({"gitCommit": revision}));
            }
            definition.insert("resolvedDependencies".to_owned(), json!([material]));
        }
        let mut details = json!({"builder": {"id": self.builder}});
        if let (Some(finished), Some(details)) = (&self.finished, details.as_object_mut()) {
            details.insert("metadata".to_owned(), json!({"finishedOn": finished}));
        }
        written(&json!({
            "_type": STATEMENTS[0],
            "subject": [{"name": PLUGIN, "digest": {"sha256": module.hex()}}],
            "predicateType": SLSA,
            "predicate": {"buildDefinition": definition, "runDetails": details},
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_has_its_shape_and_is_about_the_module() {
        let module = Digest::of(b"module");
        let hex = module.hex();
        let other = Digest::of(b"other").hex().to_owned();
        let statement = |kind: &str, sha256: &str| {
            json!({
                "_type": kind, "predicateType": SLSA, "predicate": {},
                "subject": [{"digest": {"sha512": "0"}}, {"digest": {"sha256": sha256}}],
            })
        };
        let cases = [
            (
                Attached::Sbom,
                json!({"bomFormat": "CycloneDX", "specVersion": "1.6"}),
                "",
            ),
            (
                Attached::Sbom,
                json!({"bomFormat": "CycloneDX", "specVersion": "2.0"}),
                "specVersion",
            ),
            (
                Attached::Sbom,
                json!({"bomFormat": "CycloneDX", "specVersion": "1.x"}),
                "specVersion",
            ),
            (
                Attached::Sbom,
                json!({"bomFormat": "SPDX", "specVersion": "1.6"}),
                "bomFormat",
            ),
            (Attached::Sbom, json!(["CycloneDX"]), "invalid type"),
            (Attached::Provenance, statement(STATEMENTS[0], hex), ""),
            (Attached::Provenance, statement(STATEMENTS[1], hex), ""),
            (
                Attached::Provenance,
                statement("https://in-toto.io/Link/v1", hex),
                "_type",
            ),
            (
                Attached::Provenance,
                statement(STATEMENTS[0], &other),
                "and the module is",
            ),
            (
                Attached::Provenance,
                json!({"_type": STATEMENTS[0], "predicateType": SLSA, "predicate": {}}),
                "no `digest.sha256`",
            ),
            (
                Attached::Provenance,
                json!({"_type": STATEMENTS[0], "subject": [{"digest": {"sha256": hex}}]}),
                "no `predicate`",
            ),
        ];
        for (kind, document, wanted) in cases {
            let found = kind.check(document.to_string().as_bytes(), &module);
            match found {
                Ok(()) => assert_eq!(wanted, "", "{document}"),
                Err(why) => assert!(!wanted.is_empty() && why.contains(wanted), "{why}"),
            }
        }
        assert!(Attached::Sbom.check(b"{\"bomFormat\"", &module).is_err());
    }

    #[test]
    fn a_statement_says_what_is_known_and_nothing_else() {
        let module = Digest::of(b"module");
        let known = Provenance {
            source: Some("https://git.example.com/gate".into()),
            revision: Some("0123abc".into()),
            version: None,
            builder: "urn:x".into(),
            finished: None,
        };
        let statement = known.statement(&module).unwrap();
        assert_eq!(statement, known.statement(&module).unwrap());
        Attached::Provenance.check(&statement, &module).unwrap();
        let statement: Value = serde_json::from_slice(&statement).unwrap();
        assert_eq!(
            statement["predicate"],
            json!({
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "source": "https://git.example.com/gate", "revision": "0123abc",
                    },
                    "resolvedDependencies": [{
                        "uri": "https://git.example.com/gate", "digest": {"gitCommit": "0123abc"},
                    }],
                },
                "runDetails": {"builder": {"id": "urn:x"}},
            })
        );
        let nothing = Provenance {
            builder: "urn:x".into(),
            ..Provenance::default()
        };
        let statement = nothing.statement(&module).unwrap();
        let statement: Value = serde_json::from_slice(&statement).unwrap();
        let definition = &statement["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"], json!({}));
        assert_eq!(definition.get("resolvedDependencies"), None);
    }
}
