//! Nothing under `envoy/` is decoration: each file is named by a test that loads it, and stands in the map of the folder.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_tests::root;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is below `envoy/` with the test that loads it: a source, which counts with the folder of its name. A file; an
/// example's folder, whose files name each other; or, with a slash at its end, a folder that the test walks.
const LOADED: &[(&str, &str)] = &[
    ("envoy.yaml", "tests/examples.rs"),
    ("gate.yaml", "tests/examples.rs"),
    ("ecds", "tests/ecds.rs"),
    ("edge", "tests/edge.rs"),
    ("sidecar", "tests/sidecar.rs"),
    ("kubernetes/", "tests/kubernetes.rs"),
    ("istio/", "tests/kubernetes.rs"),
    ("envoy-gateway/", "tests/kubernetes.rs"),
    ("monitoring/alerts.yaml", "tests/monitoring.rs"),
    ("monitoring/alerts_test.yaml", "tests/system/prometheus.py"),
    ("monitoring/elastic-pipeline.json", "tests/monitoring.rs"),
    ("monitoring/grafana.json", "tests/monitoring.rs"),
    ("monitoring/prometheus.yaml", "tests/system/prometheus.py"),
    ("monitoring/splunk/eventtypes.conf", "tests/monitoring.rs"),
    ("monitoring/splunk/props.conf", "tests/monitoring.rs"),
    ("monitoring/splunk/tags.conf", "tests/monitoring.rs"),
    ("monitoring/stats-tags.yaml", "tests/monitoring.rs"),
    ("upstream/verify.mjs", "tests/upstream.rs"),
    // By the name that Python imports it by.
    ("upstream/verify", "tests/upstream/serve.py"),
    ("upstream/verify.rs", "tests/upstream.rs"),
];

/// What no test runs, as the page beside it says.
const NOT_RUN: &[&str] = &["upstream/verify.go", "upstream/Verify.java"];

#[test]
fn each_file_is_loaded_by_a_test_that_names_it() {
    let files = files();
    for file in &files {
        let is_page = file.ends_with(".md");
        let is_loaded = LOADED.iter().any(|(loaded, _)| covers(loaded, file));
        let is_not_run = NOT_RUN.contains(&&**file);
        assert!(
            is_page || is_loaded || is_not_run,
            "envoy/{file}: say here which test loads it"
        );
        assert!(!(is_loaded && is_not_run), "envoy/{file} is run");
    }
    for (loaded, test) in LOADED {
        assert!(
            files.iter().any(|file| covers(loaded, file)),
            "envoy/{loaded} is gone"
        );
        let name = loaded.trim_end_matches('/').rsplit('/').next().unwrap();
        let sources = sources(test);
        let names = [format!("{name}\""), format!("import {name}")];
        assert!(
            names.iter().any(|name| sources.contains(name)),
            "{test} does not name envoy/{loaded}"
        );
    }
}

/// What an example does not need is no part of it.
#[test]
fn each_file_of_an_example_is_named_by_another() {
    for (folder, _) in LOADED {
        let folder = root().join("envoy").join(folder);
        let mut files = Vec::new();
        if folder.is_dir() && folder.join("envoy.yaml").is_file() {
            walk(&folder, &mut files);
        }
        let is_start = |file: &&PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap();
            ["README.md", "envoy.yaml"].contains(&name)
        };
        for file in files.iter().filter(|file| !is_start(file)) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let others = files.iter().filter(|other| *other != file);
            let mut others = others.filter(|other| other.extension().is_none_or(|it| it != "md"));
            assert!(
                others.any(|other| fs::read_to_string(other).unwrap().contains(name)),
                "{}: nothing beside it names it",
                file.display()
            );
        }
    }
}

#[test]
fn each_test_is_run() {
    let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let upstream = sources("tests/upstream.rs");
    for (_, test) in LOADED {
        let is_cargos = test.strip_prefix("tests/").unwrap();
        let is_cargos = manifest.contains(&format!("path = \"{is_cargos}\""));
        assert!(
            is_cargos || makefile.contains(test) || upstream.contains(test),
            "{test}"
        );
    }
}

/// Pages are read by tests/readme.rs: their links, and the files that they show.
#[test]
fn each_page_is_read() {
    assert!(sources("tests/readme.rs").contains("pages_below(Path::new(\"envoy\")"));
}

#[test]
fn what_is_not_run_is_said_to_be() {
    let page = fs::read_to_string(root().join("envoy/upstream/README.md")).unwrap();
    for file in NOT_RUN {
        let name = file.rsplit('/').next().unwrap();
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| [{name}]({name})")));
        assert!(row.unwrap().ends_with("| no |"), "{file}");
    }
}

#[test]
fn each_file_stands_in_the_map() {
    let map = fs::read_to_string(root().join("envoy/README.md")).unwrap();
    for file in files().iter().filter(|file| *file != "README.md") {
        // Or a folder that it is in, with a slash at its end.
        let folders = file
            .match_indices('/')
            .map(|(end, _)| file.split_at(end + 1).0);
        let mut names = folders.chain([&**file]);
        assert!(
            names.any(|name| map.contains(&format!("]({name})"))),
            "envoy/README.md has no {file}"
        );
    }
}

/// `upstream/verify` is `upstream/verify.py` too, which Python imports.
fn covers(entry: &str, file: &str) -> bool {
    file.strip_prefix(entry.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".py")
}

/// All files below `envoy/`, by their paths from there.
fn files() -> Vec<String> {
    let folder = root().join("envoy");
    let mut found = Vec::new();
    walk(&folder, &mut found);
    let below = |file: &PathBuf| {
        file.strip_prefix(&folder)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    found.iter().map(below).collect()
}

/// A source and all in the folder of its name.
fn sources(test: &str) -> String {
    let file = root().join(test);
    let mut files = vec![file.clone()];
    if file.with_extension("").is_dir() {
        walk(&file.with_extension(""), &mut files);
    }
    let texts = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap_or_default());
    texts.collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}
