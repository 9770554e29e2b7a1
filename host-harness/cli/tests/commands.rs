//! Every command but `serve`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use support::Folder;

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn bad_input_is_one_clear_line_and_exit_2() {
    let folder = Folder::started();
    folder.write("empty.yaml", "");
    folder.write("binary.yaml", [0x7f, b'E', b'L', b'F', 0xff, 0xfe]);
    folder.write("invalid.yaml", "policy: {a: [1, 2}\n");
    folder.write("unknown.yaml", "policy:\n  path: policies\njtw: {}\n");
    folder.write(
        "nowhere.yaml",
        "policy:\n  path: policies\ndecision_log: {}\n",
    );
    folder.write("no-policy.yaml", "jwt: {providers: {}}\n");
    folder.write(
        "bad-rego.yaml",
        "policy:\n  modules:\n    a.rego: |\n      package a\n\n      x if {\n",
    );
    folder.write("wrong.http", "hello\n");
    let config = |file| folder.run(&["render", "--config", file]);
    for (file, error) in [
        (
            "missing.yaml",
            "error: missing.yaml: no such file or folder",
        ),
        (
            "policies",
            "error: policies: this is a folder; a file is needed",
        ),
        ("empty.yaml", "error: empty.yaml: the file is empty"),
        (
            "binary.yaml",
            "error: binary.yaml: this is not text: byte 4 is not UTF-8",
        ),
        ("invalid.yaml", "error: invalid.yaml:1:18: invalid YAML"),
        ("unknown.yaml", "error: unknown.yaml:3:1: jtw: "),
        (
            "nowhere.yaml",
            "error: nowhere.yaml:3:1: decision_log: tells nobody",
        ),
        ("no-policy.yaml", "error: no-policy.yaml:1:1: policy: "),
        ("bad-rego.yaml", "error: bad-rego.yaml:"),
    ] {
        config(file).refused(error);
    }
    let serve = |more: &[&str]| folder.run(&[&["serve"], more].concat());
    let upstream = ["--upstream", "http://127.0.0.1:1"];
    serve(&["--upstream", "ftp://x"]).refused("error: --upstream: found `ftp://x`");
    serve(&["--upstream", "http://x/path"]).refused("error: --upstream: found `http://x/path`");
    serve(&["--upstream", "https://x"]).refused("error: --upstream: found `https://x`");
    serve(&[upstream[0], upstream[1], "--listen", "nowhere"])
        .refused("error: --listen: found `nowhere`");
    serve(&[upstream[0], upstream[1], "--wasm", "no.wasm"]).refused("error: no.wasm: no such file");
    let none = serve(&[
        upstream[0],
        upstream[1],
        "--listen",
        "127.0.0.1:0",
        "--wasm",
        "gate.yaml",
    ]);
    none.refused("error: gate.yaml: it is no wasm module: it does not begin as one");
    assert_eq!(none.stderr.lines().count(), 2, "{}", none.stderr);
    assert!(none.stderr.contains("\nhint: `make build` makes "));
    serve(&[upstream[0], upstream[1], "--config", "unknown.yaml"])
        .refused("error: unknown.yaml:3:1: jtw: ");
    folder
        .run(&["serve"])
        .refused("error: the following required arguments");
    folder
        .run(&["render", "--nope"])
        .refused("error: unexpected argument '--nope'");
    folder.run(&["eval"]).refused("error: there is no query");
    Folder::new()
        .run(&["eval", "--request", "request.http", "input"])
        .refused("error: gate.yaml: no such file or folder");
    folder
        .run(&["eval", "-d", "nowhere", "data"])
        .refused("error: nowhere: no such file");
    folder
        .run(&["eval", "-i", "invalid.yaml", "1"])
        .refused("error: invalid.yaml:1:18:");
    folder
        .run(&["input", "--request", "wrong.http"])
        .refused("error: wrong.http:1: found `hello`");
    folder
        .run(&["input", "--request", "none.http"])
        .refused("error: none.http: ");
    folder
        .run(&["init", "."])
        .refused("error: .: the folder is not empty");
    folder
        .run(&["token", "--key", "gate.yaml"])
        .refused("error: gate.yaml: this is not a key");
    folder
        .run(&["scenario", "run", "nowhere", "--on", "native"])
        .refused("error: ");
}

#[test]
fn help_has_examples() {
    let folder = Folder::new();
    for command in [
        "init", "serve", "check", "eval", "explain", "test", "input", "render", "token", "schema",
    ] {
        let ran = folder.run(&[command, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("Examples:"), "{command}");
    }
    assert!(
        folder
            .run(&["--version"])
            .stdout
            .starts_with("portcullis 0.")
    );
}

#[test]
fn init_works_as_it_is() {
    let folder = Folder::started();
    let key = folder.path().join("dev-key.json").metadata().unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert!(!folder.read("gate.yaml").contains("\"d\""));
    let own = folder.run(&[
        "eval",
        "--request",
        "request.http",
        "input.parsed_path",
        "-f",
        "pretty",
    ]);
    assert_eq!(own.json(), json!(["health"]), "gate.yaml is the default");

    let tests = folder
        .run(&[
            "eval",
            "-d",
            "policies",
            "data.envoy.authz_test",
            "-f",
            "pretty",
        ])
        .json();
    let tests = tests.as_object().unwrap();
    assert!(
        tests.len() > 3 && tests.values().all(|passed| *passed == true),
        "{tests:?}"
    );

    let allow = |request: &str| {
        folder.write("try.http", request);
        folder.run(&[
            "eval",
            "--config",
            "gate.yaml",
            "--request",
            "try.http",
            "-f",
            "pretty",
        ])
    };
    assert_eq!(allow("GET /health HTTP/1.1\nhost: a\n").json(), json!(true));
    assert_eq!(
        allow("GET /orders HTTP/1.1\nhost: a\n").json(),
        json!(false)
    );
    let reader = folder.token(&["--claim", "roles=[\"reader\"]"]);
    let with = |method: &str, token: &str| {
        allow(&format!(
            "{method} /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\nbody"
        ))
    };
    assert_eq!(with("GET", &reader).json(), json!(true));
    assert_eq!(with("POST", &reader).json(), json!(false));
    let expired = with("GET", &folder.token(&["--expires", "-1h"]));
    assert_eq!((expired.code, expired.stdout.as_str()), (1, ""));
    assert!(
        expired
            .stderr
            .starts_with("refused before the policy: jwt.expired"),
        "{}",
        expired.stderr
    );
}

#[test]
fn input_shows_what_was_proven() {
    let folder = Folder::started();
    let token = folder.token(&["--claim", "n=12345678901234567890123"]);
    let request =
        format!("GET /a/b?x=1 HTTP/1.1\nhost: a\nX-A: 1\nx-a: 2\nauthorization: Bearer {token}\n");
    folder.write("try.http", request);
    let input = folder.run(&["input", "--request", "try.http"]).json();
    assert_eq!(input["parsed_path"], json!(["a", "b"]));
    assert_eq!(
        input["attributes"]["request"]["http"]["headers"]["x-a"],
        "1,2"
    );
    let claims = &input["verified"]["jwt"]["claims"];
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["n"].to_string(), "12345678901234567890123");
}

#[test]
fn eval_answers_as_opa_does() {
    let folder = Folder::new();
    folder.write(
        "p/a.rego",
        "package a\n\nb := data.users[input.name].age + 1\n\nc contains x if some x in [2, 1]\n",
    );
    folder.write("p/users/data.json", r#"{"alice": {"age": 41}}"#);
    folder.write("input.json", r#"{"name": "alice"}"#);
    let ask = |more: &[&str]| folder.run(&[&["eval", "-d", "p"], more].concat());
    assert_eq!(
        ask(&["-i", "input.json", "data.a.b"]).json(),
        json!({"result": [{"expressions": [
            {"value": 42, "text": "data.a.b", "location": {"row": 1, "col": 1}}
        ]}]})
    );
    assert_eq!(ask(&["data.a.b"]).json(), json!({}));
    assert_eq!(ask(&["data.a.b", "-f", "pretty"]).stdout, "undefined\n");
    assert_eq!(ask(&["data.a.c", "-f", "values"]).json(), json!([[1, 2]]));
    let stdin = folder.run_with(
        &["eval", "-d", "p", "-I", "data.a.b", "-f", "pretty"],
        r#"{"name": "alice"}"#,
    );
    assert_eq!(stdin.stdout, "42\n");
    folder.write("v0.rego", "package v\nallow { input.x == 1 }\n");
    let v0 = [
        "eval",
        "-d",
        "v0.rego",
        "-I",
        "data.v.allow",
        "-f",
        "pretty",
    ];
    assert_eq!(
        folder
            .run_with(&[&v0[..], &["--v0-compatible"]].concat(), r#"{"x": 1}"#)
            .stdout,
        "true\n"
    );
    folder.run_with(&v0, "{}").refused("error: v0.rego:2:");
}

#[test]
fn render_gives_what_the_filter_takes() {
    let folder = Folder::started();
    folder.edit(
        "gate.yaml",
        "jwt:",
        &format!(
            "api_keys:\n  keys: [{{id: a, subject: a, hash: 'hmac-sha256:{}'}}]\n  pepper: {{env: NOT_SET_HERE}}\njwt:",
            "0".repeat(64)
        ),
    );
    let document = folder.run(&["render"]).json();
    let policy = document["policy"].as_object().unwrap();
    assert_eq!(policy.keys().collect::<Vec<_>>(), ["data", "modules"]);
    assert_eq!(document["policy"]["modules"].as_object().unwrap().len(), 1);
    assert_eq!(folder.run(&["render", "--output", "gate.json"]).code, 0);
    folder
        .run(&["render", "--output", "gate.json"])
        .refused("error: gate.json: ");
    assert_eq!(
        folder
            .run(&["render", "--output", "gate.json", "--force"])
            .code,
        0
    );
    // What was rendered is a configuration itself.
    assert_eq!(
        folder.run(&["render", "--config", "gate.json"]).json(),
        document
    );
}

#[test]
fn tokens_say_what_was_asked() {
    let folder = Folder::new();
    for algorithm in ["ES256", "ES384", "EdDSA", "RS256", "PS384", "HS256"] {
        let key = format!("{algorithm}.json");
        let make = |more: &[&str]| {
            folder.run(&[&["token", "--key", &key, "--algorithm", algorithm], more].concat())
        };
        let token = make(&[
            "--audience",
            "a",
            "--audience",
            "b",
            "--claim",
            "x=y",
            "--claim",
            "n=1.50",
        ]);
        assert_eq!(token.code, 0, "{}", token.stderr);
        let made = format!("note: {key} was not there, and is a new key: ");
        assert!(token.stderr.starts_with(&made), "{}", token.stderr);
        assert_eq!(make(&[]).stderr, "", "it is there now");
        let (header, claims) = (part(&token.stdout, 0), part(&token.stdout, 1));
        assert_eq!(header["alg"], algorithm);
        assert_eq!(claims["aud"], json!(["a", "b"]));
        assert_eq!(claims["x"], "y");
        assert_eq!(claims["n"].to_string(), "1.50");
        let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(lifetime, 3600);
        let jwks = make(&["--jwks"]).json();
        assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
        assert!(jwks["keys"][0].get("d").is_none());
        let never = make(&[
            "--expires",
            "never",
            "--header",
            "kid=other",
            "--header",
            "typ=at+jwt",
        ]);
        assert_eq!(part(&never.stdout, 0)["kid"], "other");
        assert_eq!(part(&never.stdout, 0)["typ"], "at+jwt");
        assert!(part(&never.stdout, 1).get("exp").is_none());
    }
    folder
        .run(&["token", "--key", "ES256.json", "--algorithm", "RS256"])
        .refused("error: ES256.json: this is a key for ES256");
    folder
        .run(&["token", "--key", "ES256.json", "--header", "crit=x"])
        .refused("error: --header crit");
}

/// A name that was mistyped, too: what `token` and `serve` write there is in no commit.
#[test]
fn init_keeps_keys_and_logs_out_of_version_control() {
    let folder = Folder::started();
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        let output = git
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    folder.run(&["token", "--key", "dev-kye.json"]);
    folder.run(&["token", "--key", "other-key.json"]);
    folder.write("decisions.jsonl", "{}\n");
    git(&["init", "-q"]);
    let seen = git(&["status", "--porcelain", "-uall"]);
    let mut seen: Vec<&str> = seen
        .lines()
        .map(|line| line.trim_start_matches("?? "))
        .collect();
    seen.sort();
    let wanted = [
        ".gitignore",
        "gate.yaml",
        "policies/authz.rego",
        "policies/authz_test.rego",
        "policies/roles/data.json",
        "request.http",
    ];
    assert_eq!(seen, wanted);
}

/// The schema is written by hand: it must know the keys that the engine knows.
#[test]
fn the_schema_knows_every_key() {
    let folder = Folder::new();
    let schema = folder.run(&["schema"]).json().to_string();
    let raw = include_str!("../../../filters/engine/src/config/raw.rs");
    let mut keys = 0;
    let mut renamed = None;
    for line in raw.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[serde(rename = \"") {
            renamed = name.split('"').next();
        } else if let Some((field, _)) = line
            .strip_prefix("pub ")
            .and_then(|rest| rest.split_once(": "))
        {
            let key = renamed.take().unwrap_or(field);
            // A JWK's members are RFC 7517's.
            let jwk = [
                "kid", "alg", "use", "key_ops", "crv", "n", "e", "x", "y", "k", "d",
            ];
            assert!(
                jwk.contains(&key) || schema.contains(&format!("\"{key}\"")),
                "schema/config.json does not know `{key}`"
            );
            keys += 1;
        }
    }
    assert!(keys > 60, "raw.rs is read wrongly: {keys} keys");
    assert!(folder.run(&["schema", "input"]).json()["properties"]["verified"].is_object());
}
