//! The README stays true: its commands run, its configuration loads, its tables are complete.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod command;
#[path = "readme/pages.rs"]
mod pages;
#[path = "readme/shell.rs"]
mod shell;

use command::command;
use pages::{anchor, fenced, links, marked, page, pages, rows};
use portcullis_engine::Reason;
use portcullis_tests::{code_spans, root};
use serde_json::Value;
use shell::{Shell, Step, expected_answers, steps};
use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn the_first_ten_minutes_go_as_written() {
    // The blocks begin in the repository, of which they need the build only.
    let answers = walk_through("README.md", "ten-minutes", &["target"]);
    assert!(answers >= 4, "the README shows the status of each request");
}

#[test]
fn the_course_goes_as_written() {
    let answers = walk_through("policies/README.md", "course", &["target", "policies"]);
    assert!(answers >= 8, "the course shows what comes out");
}

/// Runs the marked blocks of a page one after the other, in a folder with some of the repository.
/// What they say must be what the page says; how many answers that were.
fn walk_through(name: &str, marker: &str, needs: &[&str]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    for need in needs {
        std::os::unix::fs::symlink(root().join(need), folder.path().join(need)).unwrap();
    }
    let (gate, upstream) = (free_port(), free_port());
    let mut shell = Shell::start(folder.path());
    let mut answers = Vec::new();
    for step in steps(&page(name), marker) {
        match step {
            Step::Run(block) => {
                answers.extend(expected_answers(&block));
                let block = block.replace("8080", &gate).replace("9000", &upstream);
                shell.run(&block);
            }
            Step::Wait(words) => shell.wait_for(&words),
        }
    }
    assert_eq!(shell.answers(), answers, "{}", shell.said.join("\n"));
    answers.len()
}

#[test]
fn what_it_says_of_a_policy_runs() {
    let folder = tempfile::tempdir().unwrap();
    run(command().args(["init", "my-gate"]).current_dir(&folder));
    let gate = folder.path().join("my-gate");
    for block in marked(&page("README.md"), "shell") {
        let answers = run(bash(&block).current_dir(&gate));
        assert!(answers.contains("\"value\": true"), "{answers}");
    }
    for block in marked(&page("policies/README.md"), "eval") {
        assert_eq!(
            run(bash(&block).current_dir(root())).trim(),
            "true",
            "{block}"
        );
    }
}

#[test]
fn what_it_signs_verifies() {
    let page = page("README.md");
    let gate = fenced(&page, "yaml");
    let gate = gate.iter().find(|it| it.contains("\nsignatures:")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("signed.yaml"), gate).unwrap();
    for block in marked(&page, "signed") {
        let said = run(bash(&block).current_dir(&folder));
        assert!(said.contains("sig1: verified, key `orders`"), "{said}");
    }
}

#[test]
fn its_api_keys_are_made_and_rotated() {
    let page = page("README.md");
    let blocks = fenced(&page, "yaml");
    let gate = blocks
        .iter()
        .find(|it| it.contains("acme-2026-09"))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.yaml");
    fs::write(&file, gate).unwrap();
    for block in marked(&page, "keys") {
        let said = run(bash(&block).current_dir(&folder));
        assert!(said.contains("subject: acme"), "{said}");
    }
    run(command()
        .args(["render", "--config", "keys.yaml"])
        .current_dir(&folder));
    let rotated = fs::read_to_string(file).unwrap();
    assert!(rotated.contains("# the shop of acme\n"), "{rotated}");
    assert_eq!(rotated.matches("expires: ").count(), 2, "{rotated}");
    for key in ["acme.key", "acme-next.key"] {
        let key = fs::read_to_string(folder.path().join(key)).unwrap();
        assert!(key.starts_with("pclkey_"));
    }
}

#[test]
fn its_bundles_are_built_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    run(command().args(["init", "."]).current_dir(&folder));
    for key in ["ci.pem", "ci.pub.pem"] {
        fs::copy(
            root().join("tests/bundles").join(key),
            folder.path().join(key),
        )
        .unwrap();
    }
    for block in marked(&page("README.md"), "bundles") {
        let said = run(bash(&block).current_dir(&folder));
        assert!(said.contains("v7.tar.gz: verified, "), "{said}");
        assert!(said.contains("revision `v6+rollback.8`"), "{said}");
    }
}

#[test]
fn its_log_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let data = root().join("host-harness/cli/tests/replay");
    for file in ["decisions.jsonl", "policy"] {
        std::os::unix::fs::symlink(data.join(file), folder.path().join(file)).unwrap();
    }
    let page = page("README.md");
    for block in marked(&page, "replay") {
        let said = run(bash(&block).current_dir(&folder));
        let shown = fenced(&page, "text");
        assert!(shown.contains(&said), "{said}");
    }
    for file in ["flips.html", "flips.json"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn the_policies_it_shows_load() {
    let blocks = fenced(&page("policies/README.md"), "rego");
    assert!(!blocks.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for block in blocks {
        fs::write(folder.path().join("authz.rego"), &block).unwrap();
        run(command()
            .args(["eval", "-d", "authz.rego", "data.envoy.authz.allow"])
            .current_dir(&folder));
    }
}

#[test]
fn files_are_shown_as_they_are() {
    let mut shown = 0;
    for name in pages() {
        for part in page(&name).split("<!-- test: file ").skip(1) {
            let (file, rest) = part.split_once(" -->\n```").unwrap();
            let (_language, rest) = rest.split_once('\n').unwrap();
            let (text, _rest) = rest.split_once("```\n").unwrap();
            assert_eq!(text, page(file), "{name} shows {file}");
            shown += 1;
        }
    }
    assert!(shown > 20);
}

#[test]
fn its_make_targets_exist() {
    let makefile = page("Makefile");
    for block in marked(&page("README.md"), "make") {
        for line in block.lines() {
            let target = line.split_whitespace().nth(1).unwrap();
            assert!(
                makefile
                    .lines()
                    .any(|rule| rule.starts_with(&format!("{target}:"))),
                "{line}"
            );
        }
    }
}

#[test]
fn every_shell_block_is_run() {
    let known = [
        "make",
        "ten-minutes",
        "shell",
        "keys",
        "signed",
        "bundles",
        "replay",
        "eval",
        "course",
        // By tests/system/prometheus.py, which has what it takes.
        "monitoring",
        // By tests/system/emit.py.
        "images",
        // By tests/system/policy_ci.py.
        "policy-ci",
        // By tests/release.rs.
        "release",
    ]
    .map(|name| format!("<!-- test: {name} -->"));
    for name in pages() {
        let page = page(&name);
        let lines: Vec<&str> = page.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1] == "```sh") {
            assert!(
                known.iter().any(|marker| marker == pair[0]),
                "{name}: a block follows `{}`",
                pair[0]
            );
        }
    }
}

#[test]
fn every_configuration_loads() {
    let blocks = fenced(&page("README.md"), "yaml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        run(command().args(["init", "gate"]).current_dir(&folder));
        fs::write(gate.join("gate.yaml"), &block).unwrap();
        run(command()
            .args(["render", "--config", "gate.yaml"])
            .current_dir(&gate));
    }
}

#[test]
fn the_reason_table_is_the_vocabulary() {
    let rows: Vec<(String, String)> = rows(&page("README.md"), "## Reason codes")
        .into_iter()
        .map(|cells| (code_spans(&cells[0]).concat(), cells[1].clone()))
        .collect();
    let reasons: Vec<(String, String)> = Reason::ALL
        .iter()
        .map(|it| (it.code().to_owned(), it.status().to_string()))
        .collect();
    assert_eq!(rows, reasons);
}

#[test]
fn the_configuration_table_is_the_schema() {
    let schema: Value = serde_json::from_str(&run(command().arg("schema"))).unwrap();
    let mut keys = BTreeSet::new();
    collect_keys(&schema, &schema, String::new(), &mut keys);
    let table: BTreeSet<String> = rows(&page("README.md"), "## Configuration")
        .iter()
        .flat_map(|cells| code_spans(&cells[0]))
        .collect();
    assert_eq!(table, keys);
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for name in pages() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for link in links(&page(&name)) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = folder.join(file);
            assert!(target.exists(), "{name} links to {link}");
            let is_there = |text: String| {
                text.lines()
                    .any(|line| anchor(line).as_deref() == Some(heading))
            };
            assert!(
                heading.is_empty() || is_there(fs::read_to_string(target).unwrap()),
                "{name} links to {link}"
            );
        }
    }
}

/// Every key that holds a value, with the path to it: `a.*.b` below names of one's own, `a[].b` in
/// lists. What is refused has no schema that anything fits.
fn collect_keys(schema: &Value, root: &Value, path: String, keys: &mut BTreeSet<String>) {
    const LEAVES: [&str; 4] = ["source", "secret", "duration", "algorithm"];
    if schema.get("not").is_some() {
        return;
    }
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|it| it.strip_prefix("#/$defs/"))
    {
        if LEAVES.contains(&name) {
            keys.insert(path);
            return;
        }
        // It has all the keys that the policy's own has.
        if name == "bundle" && path.ends_with("candidate.bundle") {
            keys.insert(path);
            return;
        }
        return collect_keys(&root["$defs"][name], root, path, keys);
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, below) in properties {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            collect_keys(below, root, path, keys);
        }
        return;
    }
    let below = &schema["additionalProperties"];
    if below.get("$ref").is_some() || below.get("properties").is_some() {
        return collect_keys(below, root, format!("{path}.*"), keys);
    }
    let items = &schema["items"];
    let is_list_of_objects = items.get("properties").is_some()
        || items["$ref"]
            .as_str()
            .is_some_and(|it| !LEAVES.iter().any(|leaf| it.ends_with(leaf)));
    if is_list_of_objects {
        return collect_keys(items, root, format!("{path}[]"), keys);
    }
    keys.insert(path);
}

fn bash(script: &str) -> Command {
    let command = command();
    let folder = Path::new(command.get_program()).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-euc", script]).env("PATH", path);
    bash
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out.into_owned()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string()
}
