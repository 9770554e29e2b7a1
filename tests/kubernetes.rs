//! What envoy/ has for Kubernetes, Istio and Envoy Gateway: each manifest is as its schema says, each gate in them is one
//! that stands beside them and runs in a real Envoy, and what one manifest says of another is so.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "kubernetes/bootstrap.rs"]
mod bootstrap;
mod command;
#[path = "kubernetes/envoys.rs"]
mod envoys;
#[path = "kubernetes/manifests.rs"]
mod manifests;
#[path = "kubernetes/modules.rs"]
mod modules;
#[path = "kubernetes/parties.rs"]
mod parties;
#[path = "kubernetes/python.rs"]
mod python;
#[path = "kubernetes/references.rs"]
mod references;
#[path = "kubernetes/world.rs"]
mod world;

use command::command;
use portcullis_gatefile::read_data;
use portcullis_tests::root;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use world::{World, named};

/// What is applied together. Behind Envoy Gateway are the services of `kubernetes`.
const WORLDS: [&[&str]; 3] = [
    &["kubernetes"],
    &["istio"],
    &["envoy-gateway", "kubernetes"],
];

#[test]
fn what_is_wrong_with_a_manifest_is_told() {
    if let Some(python) = python::with("kubernetes_validate") {
        let said = python.run("cases.py", &[]);
        assert!(said.success, "{}", said.text);
    }
}

#[test]
fn each_manifest_is_as_its_schema_says() {
    let files: Vec<PathBuf> = manifests::FOLDERS
        .iter()
        .flat_map(|folder| manifests::manifest_files(folder))
        .collect();
    assert!(files.len() > 15, "{files:?}");
    if let Some(python) = python::with("kubernetes_validate") {
        let said = python.run("validate.py", &files);
        assert!(said.success, "{}", said.text);
    }
}

#[test]
fn what_one_says_of_another_is_so() {
    for world in worlds() {
        assert_eq!(references::faults(&world), Vec::<String>::new());
    }
}

/// Each rule finds what it is for: one thing is changed at a time, and told.
#[test]
fn what_is_not_so_is_told() {
    let worlds = worlds();
    let cases = read_data(&root().join("tests/kubernetes/references.yaml"))
        .unwrap_or_else(|error| panic!("{error}"));
    for case in cases.as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap();
        let at = WORLDS
            .iter()
            .position(|folders| folders[0] == text("in"))
            .unwrap();
        let mut world = World {
            manifests: worlds[at].manifests.clone(),
            gates: worlds[at].gates.clone(),
        };
        let manifest = world
            .manifests
            .iter_mut()
            .find(|one| named(one) == text("of"))
            .unwrap();
        *manifest
            .value
            .pointer_mut(text("at"))
            .unwrap_or_else(|| panic!("{case}")) = case["put"].clone();
        let faults = references::faults(&world);
        assert!(
            faults.iter().any(|fault| fault == text("says")),
            "{case}\n{faults:#?}"
        );
    }
}

#[test]
fn the_gates_have_nothing_to_warn_of() {
    let gates: Vec<PathBuf> = manifests::FOLDERS
        .iter()
        .flat_map(|folder| manifests::gates(folder))
        .collect();
    assert_eq!(gates.len(), 4, "{gates:?}");
    for gate in gates {
        ran(command().args(["check", "--strict", "--config"]).arg(&gate));
    }
    let policies = ["acl", "paths", "oauth_scopes", "service_to_service"];
    let library = policies.map(|name| root().join("policies/library").join(name));
    ran(command()
        .arg("test")
        .arg(root().join("envoy/kubernetes/policy"))
        .args(library));
}

/// The blocks themselves, as whoever copies the manifest has them, are what the gate takes; and Envoy's own are what
/// `check --envoy` has no word against.
#[test]
fn the_gate_takes_what_stands_in_the_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("block.json");
    let mut blocks = 0;
    for world in worlds() {
        for (_, module) in world.modules() {
            fs::write(&file, module.configuration.to_string()).unwrap();
            ran(command().args(["check", "--strict", "--config"]).arg(&file));
            blocks += 1;
        }
        for envoy in world.manifests.iter().filter_map(modules::bootstrap) {
            fs::write(&file, envoy.to_string()).unwrap();
            ran(command().args(["check", "--strict", "--envoy"]).arg(&file));
        }
    }
    assert_eq!(blocks, 5, "the gate of `kubernetes` is in two worlds");
}

/// Whoever follows the page has applied every file, and no other.
#[test]
fn the_pages_apply_every_manifest() {
    for folder in manifests::FOLDERS {
        let page = fs::read_to_string(root().join("envoy").join(folder).join("README.md")).unwrap();
        let applied: BTreeSet<String> = page
            .lines()
            .filter(|line| line.starts_with("kubectl apply"))
            .flat_map(|line| line.split(" -f ").skip(1))
            .map(str::to_owned)
            .collect();
        let files = manifests::manifest_files(folder).into_iter();
        let files: BTreeSet<String> = files
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(applied, files, "{folder}");
    }
}

#[test]
fn its_metrics_have_labels() {
    let tags = read_data(&root().join("envoy/monitoring/stats-tags.yaml"))
        .unwrap_or_else(|error| panic!("{error}"));
    let world = World::of(WORLDS[0], &rendered);
    let envoy = world.manifests.iter().find_map(modules::bootstrap).unwrap();
    assert_eq!(envoy["stats_config"], tags["stats_config"]);
}

#[test]
fn every_gate_decides_in_a_real_envoy() {
    // Without the last one's second folder, which is the first.
    let worlds: Vec<World> = WORLDS
        .iter()
        .map(|folders| World::of(&folders[..1], &rendered))
        .collect();
    envoys::every_gate_decides(&worlds);
}

/// Keys that begin like this belong into no file, whoever made them.
#[test]
fn no_file_has_a_secret() {
    for folder in manifests::FOLDERS {
        for file in manifests::manifest_files(folder)
            .into_iter()
            .chain(manifests::gates(folder))
        {
            let text = fs::read_to_string(&file).unwrap();
            for mark in [
                "PRIVATE KEY",
                "kind: Secret",
                "stringData",
                "valueFrom: INLINE",
                "key_values",
            ] {
                assert!(!text.contains(mark), "{}: {mark}", file.display());
            }
        }
    }
}

fn worlds() -> Vec<World> {
    WORLDS
        .iter()
        .map(|folders| World::of(folders, &rendered))
        .collect()
}

fn rendered(gate: &Path) -> Value {
    let text = ran(command().args(["render", "--config"]).arg(gate));
    serde_json::from_str(&text).unwrap()
}

/// What a command that must succeed prints.
fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
