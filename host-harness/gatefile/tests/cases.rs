//! Each file of `cases/` is one case in the txtar form: the files of a folder, then what reading its
//! `gate.yaml` (or `gate.json`) gives: `want document` as JSON, `want errors` as lines, or `want
//! refusals`, which are the engine's, with their places.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_gatefile::{Findings, GateFile};
use std::{fs, path::Path};

#[test]
fn every_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names: Vec<_> = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let failures: Vec<String> = names.iter().filter_map(|case| failure(case)).collect();
    assert!(names.len() > 20, "the cases are gone");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

fn failure(case: &Path) -> Option<String> {
    let text = fs::read_to_string(case).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = None;
    for section in text.split("\n-- ").skip(1) {
        let (name, content) = section.split_once(" --\n").unwrap();
        if name.starts_with("want ") {
            wanted = Some((name, content));
        } else if let Some(target) = content.strip_prefix("link to ") {
            std::os::unix::fs::symlink(target.trim(), folder.path().join(name)).unwrap();
        } else {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{content}\n")).unwrap();
        }
    }
    let (kind, wanted) = wanted.unwrap();
    let gate = match folder.path().join("gate.json") {
        json if json.exists() => json,
        _ => folder.path().join("gate.yaml"),
    };
    let told = |findings: Findings| {
        let root = format!("{}/", folder.path().display());
        findings.to_string().replace(&root, "")
    };
    let found = match GateFile::read(&gate) {
        Err(findings) => ("want errors", told(findings)),
        Ok(gate) if kind == "want refusals" => match gate.gate(&|_: &str| None) {
            Ok(_) => ("nothing", String::new()),
            Err(findings) => ("want refusals", told(findings)),
        },
        Ok(gate) => ("want document", gate.document.to_string()),
    };
    let same = match kind {
        "want document" => {
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            json(&found.1) == json(wanted)
        }
        _ => found.1.trim() == wanted.trim(),
    };
    (!same || kind != found.0).then(|| {
        let name = case.file_name().unwrap().display();
        format!("{name}: wanted\n{wanted}\nfound ({})\n{}", found.0, found.1)
    })
}
