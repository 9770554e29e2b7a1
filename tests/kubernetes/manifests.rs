//! The manifests under envoy/, found in their folders, so that none is forgotten.

use portcullis_gatefile::Document;
use portcullis_tests::root;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folders of envoy/ that are for clusters.
pub const FOLDERS: [&str; 3] = ["kubernetes", "istio", "envoy-gateway"];

#[derive(Clone)]
pub struct Manifest {
    pub file: PathBuf,
    pub value: Value,
}

impl Manifest {
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap()
    }

    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap()
    }

    pub fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"].as_str()
    }

    pub fn spec(&self) -> &Value {
        &self.value["spec"]
    }
}

/// What the gates in a folder are made of.
pub fn gates(folder: &str) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|file| is_gate(file))
        .collect()
}

/// Everything else that is YAML there.
pub fn manifest_files(folder: &str) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|file| !is_gate(file))
        .collect()
}

pub fn manifests(folder: &str) -> Vec<Manifest> {
    manifest_files(folder)
        .into_iter()
        .flat_map(documents)
        .collect()
}

fn is_gate(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name == "gate.yaml" || name.ends_with(".gate.yaml")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("envoy").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path
                .extension()
                .is_some_and(|end| end == "yaml" || end == "yml")
            {
                true => found.push(path),
                false if path.is_dir() => folders.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn documents(file: PathBuf) -> Vec<Manifest> {
    let text = fs::read_to_string(&file).unwrap();
    let mut parts = vec![String::new()];
    for line in text.lines() {
        match line {
            "---" => parts.push(String::new()),
            line => parts.last_mut().unwrap().extend([line, "\n"]),
        }
    }
    let is_content = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    parts
        .into_iter()
        .filter(|part| part.lines().any(is_content))
        .map(|part| Manifest {
            value: parsed(&file, part),
            file: file.clone(),
        })
        .collect()
}

/// A YAML text, such as one that stands in a ConfigMap.
pub fn parsed(file: &Path, text: String) -> Value {
    Document::parse(file, text)
        .unwrap_or_else(|error| panic!("{error}"))
        .value
}
