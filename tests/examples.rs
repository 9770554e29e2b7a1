//! The examples work as they stand: the policies' own tests pass, and the gate goes through its
//! demonstration on both hosts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::command;
use portcullis_tests::{root, strict};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

#[test]
fn the_tests_of_the_policies_pass() {
    let folder = root().join("policies/rbac");
    let tests = fs::read_to_string(folder.join("authz_test.rego")).unwrap();
    let names: Vec<&str> = tests
        .lines()
        .filter(|line| line.starts_with("test_"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.len() > 10);
    for name in names {
        let query = format!("data.envoy.authz_test.{name}");
        let output = run(command()
            .arg("eval")
            .arg("-d")
            .arg(&folder)
            .args(["--format", "pretty", &query]));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.trim() == "true",
            "{name}: {said}{}",
            err(&output)
        );
    }
}

#[test]
fn the_tests_of_the_library_pass() {
    let policies = root().join("policies");
    let output = run(command()
        .arg("test")
        .args([policies.join("library"), policies.join("example")]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", err(&output));
}

#[test]
fn what_others_come_to_loads() {
    let folders = fs::read_dir(root().join("policies/migration")).unwrap();
    for folder in folders {
        let gate = folder.unwrap().path().join("gate.yaml");
        let output = run(command().arg("render").arg("--config").arg(&gate));
        assert!(
            output.status.success(),
            "{}: {}",
            gate.display(),
            err(&output)
        );
    }
}

#[test]
fn the_envoy_configurations_hold_what_render_prints() {
    for (gate, envoy) in [
        ("envoy/gate.yaml", "envoy/envoy.yaml"),
        ("envoy/ecds/gate.yaml", "envoy/ecds/live/portcullis.yaml"),
        ("envoy/edge/gate.yaml", "envoy/edge/envoy.yaml"),
        ("envoy/sidecar/gate.yaml", "envoy/sidecar/envoy.yaml"),
    ] {
        let output = run(command()
            .arg("render")
            .arg("--config")
            .arg(root().join(gate)));
        assert!(output.status.success(), "{}", err(&output));
        let rendered = String::from_utf8(output.stdout).unwrap();
        let text = fs::read_to_string(root().join(envoy)).unwrap();
        let found: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('{'))
            .collect();
        assert_eq!(
            found,
            [rendered.trim()],
            "put what `portcullis render --config {gate}` prints into {envoy}"
        );
    }
}

#[test]
fn the_envoy_configurations_are_valid_as_they_stand() {
    let Some(envoy) = portcullis_tests::envoy() else {
        return;
    };
    for name in [
        "envoy.yaml",
        "ecds/envoy.yaml",
        "edge/envoy.yaml",
        "sidecar/envoy.yaml",
    ] {
        let secret = "what has 32 bytes or some more of them";
        let output = run(Command::new(&envoy)
            .args(["--mode", "validate", "--config-path"])
            .arg(Path::new("envoy").join(name))
            .envs([
                ("PORTCULLIS_PEPPER", secret),
                ("PORTCULLIS_BILLING_KEY", secret),
            ])
            .current_dir(root()));
        assert!(output.status.success(), "{name}: {}", err(&output));
    }
}

#[test]
fn the_demonstration_on_wasmtime_goes_as_the_readme_shows() {
    let output = demo(Path::new("python3"), "wasmtime");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", err(&output));
    let table = said.find("request ").map(|at| said.split_at(at).1).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(table), "README.md should show:\n{table}");
}

#[test]
fn the_demonstration_goes_as_it_should_on_envoy() {
    let python = root().join(".venv/bin/python");
    let has_envoy = python.is_file()
        && run(Command::new(&python).args(["-c", "import envoy"]))
            .status
            .success();
    if !has_envoy && !strict() {
        eprintln!("skipped: there is no Envoy in .venv, which tests/setup.py puts there");
        return;
    }
    let output = demo(&python, "envoy");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        err(&output)
    );
}

fn demo(python: &Path, on: &str) -> Output {
    run(Command::new(python)
        .arg(root().join("tests/demo.py"))
        .args(["--on", on]))
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
