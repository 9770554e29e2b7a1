//! `sign` and `verify`, as a user runs them; and what `sign` prints, sent by a real curl to the gate.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::process::Command;
use support::{Folder, Ran};

const POLICY: &str = r#"policy:
  modules:
    authz.rego: |
      package envoy.authz

      default allow := false

      allow if input.verified.signature.subject == "svc-orders"
"#;
const SECRET: &str = "a shared secret of more than thirty-two bytes";

/// A gate that takes signatures of a shared secret, and of a development key's public half.
fn folder() -> Folder {
    let folder = Folder::new();
    let gate = format!(
        "{POLICY}signatures:\n  keys: [{{id: orders, algorithm: hmac-sha256, secret: {{env: ORDERS_HMAC}}, \
         subject: svc-orders}}]\n  components: [\"@method\", \"@path\", x-amount]\n  tag: orders\n"
    );
    folder.write("gate.yaml", gate);
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, ("ORDERS_HMAC", SECRET))
}

fn run_with(folder: &Folder, arguments: &[&str], (name, secret): (&str, &str)) -> Ran {
    let output = folder
        .command(arguments)
        .env(name, secret)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const SIGN: [&str; 5] = ["sign", "--config", "gate.yaml", "--key-id", "orders"];
const URL: &str = "https://api.example.com/orders?id=7";

#[test]
fn what_sign_prints_verifies() {
    let folder = folder();
    let signed = run(
        &folder,
        &[&SIGN[..], &["-X", "POST", "-H", "X-Amount: 7", URL]].concat(),
    );
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    assert!(
        signed.stdout.starts_with("curl -X POST "),
        "{}",
        signed.stdout
    );

    let verified = run(&folder, &["verify", &signed.stdout]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert!(
        verified
            .stdout
            .starts_with("sig1: verified, key `orders`, subject `svc-orders`\n"),
        "{}",
        verified.stdout
    );
    assert!(
        verified.stdout.contains("\"@path\": /orders\n"),
        "{}",
        verified.stdout
    );

    // What was covered, changed; and what was not.
    let broken = run(
        &folder,
        &["verify", &signed.stdout.replace("Amount: 7", "Amount: 8")],
    );
    assert_eq!(broken.code, 1);
    assert!(
        broken.stdout.starts_with("sig1: signature.invalid"),
        "{}",
        broken.stdout
    );
    let other = run(&folder, &["verify", &signed.stdout.replace("id=7", "id=8")]);
    assert_eq!(other.code, 0, "{}", other.stdout);
}

#[test]
fn a_signed_request_can_be_kept_in_a_file() {
    let folder = folder();
    let more = [
        "--format",
        "http",
        "--data",
        "a=1",
        "-H",
        "x-amount: 7",
        URL,
    ];
    let signed = run(&folder, &[&SIGN[..], &more].concat());
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    folder.write("signed.http", &signed.stdout);
    let verified = run(
        &folder,
        &["verify", "--request", "signed.http", "--format", "json"],
    );
    let signature = &verified.json()["signatures"][0];
    assert_eq!(signature["verified"], true);
    assert_eq!(signature["components"][2], "x-amount");
    // And the policy allows it.
    let asked = run(
        &folder,
        &[
            "eval",
            "--config",
            "gate.yaml",
            "--request",
            "signed.http",
            "-f",
            "pretty",
        ],
    );
    assert_eq!(asked.stdout, "true\n", "{}", asked.stderr);
}

#[test]
fn every_key_of_a_development_key_signs() {
    for (algorithm, name) in [
        ("ES256", "ecdsa-p256-sha256"),
        ("ES384", "ecdsa-p384-sha384"),
        ("EdDSA", "ed25519"),
        ("RS256", "rsa-v1_5-sha256"),
        ("PS512", "rsa-pss-sha512"),
        ("HS256", "hmac-sha256"),
    ] {
        let folder = Folder::new();
        let made = folder.run(&["token", "--key", "key.json", "--algorithm", algorithm]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let signed = folder.run(&[
            "sign",
            "--key",
            "key.json",
            "--algorithm",
            name,
            "--show-base",
            URL,
        ]);
        assert_eq!(signed.code, 0, "{algorithm}: {}", signed.stderr);
        assert!(
            signed.stderr.contains("\"@authority\": api.example.com\n"),
            "{}",
            signed.stderr
        );
        assert!(signed.stdout.contains("keyid=\"dev-"), "{}", signed.stdout);
    }
}

#[test]
fn a_webhook_is_signed_as_its_provider_does() {
    let folder = Folder::new();
    let hooks: Vec<String> = [
        "profile: github, id: github",
        "profile: stripe, id: stripe",
        "profile: slack, id: slack",
        "profile: shopify, id: shopify",
        "profile: standard-webhooks, id: standard",
        "profile: twilio, id: twilio",
    ]
    .iter()
    .map(|hook| format!("    - {{{hook}, secrets: [{{env: HOOK}}], subject: svc-orders}}\n"))
    .collect();
    let gate = format!("{POLICY}signatures:\n  webhooks:\n{}", hooks.concat());
    folder.write("gate.yaml", gate);
    let run = |arguments: &[&str]| run_with(&folder, arguments, ("HOOK", "whsec_YSBzZWNyZXQ="));
    for id in ["github", "stripe", "slack", "shopify", "standard"] {
        let more = [
            "--config",
            "gate.yaml",
            "--key-id",
            id,
            "-d",
            "{}",
            "-H",
            "webhook-id: msg_1",
            URL,
        ];
        let signed = run(&[&["sign"], &more[..]].concat());
        assert_eq!(signed.code, 0, "{id}: {}", signed.stderr);
        let verified = run(&["verify", "--config", "gate.yaml", signed.stdout.trim()]);
        assert_eq!(verified.code, 0, "{}{}", signed.stdout, verified.stderr);
        assert_eq!(
            verified.stdout.lines().next(),
            Some(&*format!(
                "{id}: verified, key `{id}`, subject `svc-orders`"
            ))
        );
        assert!(!signed.stdout.contains("YSBzZWNyZXQ"), "{}", signed.stdout);
        let other = signed.stdout.trim().replace("'{}'", "'[]'");
        assert_ne!(other, signed.stdout.trim());
        assert_eq!(run(&["verify", "--config", "gate.yaml", &other]).code, 1);
    }
    let sign = |id: &str, more: &[&str]| {
        let known = ["sign", "--config", "gate.yaml", "--key-id", id, "-d", "{}"];
        run(&[&known[..], more, &[URL]].concat())
    };
    sign("standard", &[])
        .refused("error: `standard` is over a header that the request does not have");
    sign("github", &["--nonce", "n"]).refused("error: --nonce: `github` is a webhook");
    sign("twilio", &[]).refused("error: `twilio` is of a scheme that this does not sign");
    sign("other", &[]).refused("error: gate.yaml: has no key `other`");
    // Another run's, which has no secret.
    let known = ["sign", "--config", "gate.yaml", "--key-id", "github", URL];
    folder
        .run(&known)
        .refused("error: the environment has no `HOOK`");
}

#[test]
fn what_cannot_be_signed_is_said() {
    let folder = folder();
    folder.write("no.yaml", POLICY);
    folder.write("key.pem", "hello");
    let sign = |more: &[&str]| run(&folder, &[&["sign"], more, &[URL]].concat());
    sign(&[]).refused("error: there is no key to sign with");
    sign(&["--config", "no.yaml"]).refused("error: no.yaml: has no `signatures`");
    sign(&["--config", "gate.yaml", "--key-id", "nobody"])
        .refused("error: gate.yaml: has no key `nobody`");
    sign(&["--secret-env", "NOT_SET_ANYWHERE"]).refused("error: the environment has no");
    sign(&["--secret-env", "ORDERS_HMAC"]).refused("error: there is no --key-id");
    sign(&["--key", "key.pem"]).refused("error: there is no --algorithm");
    sign(&["--key", "key.pem", "--algorithm", "ed25519"])
        .refused("error: key.pem: the key is no Ed25519 private key");
    sign(&["--key", "key.pem", "--algorithm", "EdDSA"])
        .refused("error: --algorithm EdDSA: not known");
    let id = ["--secret-env", "ORDERS_HMAC", "--key-id", "a"];
    sign(&[&id[..], &["--component", "@status"]].concat())
        .refused("error: --component '@status': it is of responses");
    sign(&[&id[..], &["--component", "x-absent"]].concat())
        .refused("error: \"x-absent\" is not in the request");
    sign(&[&id[..], &["--tag", "é"]].concat()).refused("error: the tag holds what");
    sign(&[&id[..], &["-H", "no colon"]].concat()).refused("error: -H 'no colon'");
}

#[test]
fn what_cannot_be_verified_is_said() {
    let folder = folder();
    let verify = |more: &[&str]| run(&folder, &[&["verify"], more].concat());
    verify(&["--", "curl", "--proxy", "x", URL])
        .refused("error: the curl command: unexpected argument");
    verify(&["curl 'x"]).refused("error: the command has a quote that is not closed");
    verify(&[]).refused("error: the following required arguments");
    let none = verify(&["--", "curl", "-s", URL]);
    assert_eq!(
        (none.code, &*none.stderr),
        (1, "the request has no signature\n")
    );
    let odd = verify(&["--", "curl", "-H", "signature: a", URL]);
    assert_eq!(odd.code, 1);
    assert!(odd.stderr.starts_with("cannot be read: "), "{}", odd.stderr);
    folder.write("no.yaml", POLICY);
    verify(&["--config", "no.yaml", "--", "curl", URL])
        .refused("error: no.yaml: has no `signatures`");
    // The secret is not there, and nothing of it is shown.
    folder
        .run(&["verify", "--", "curl", URL])
        .refused("error: gate.yaml:10:");
}

#[test]
fn words_of_a_shell_stay_words() {
    let folder = folder();
    let header = "x-amount: it's $HOME `x` \"y\" \\";
    let signed = run(&folder, &[&SIGN[..], &["-H", header, URL]].concat());
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let script = signed.stdout.replacen("curl", "printf '%s\\n'", 1);
    let said = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.lines().any(|line| line == header), "{said}");
}

#[test]
fn what_curl_would_send_otherwise_is_not_signed() {
    let folder = folder();
    let id = ["sign", "--secret-env", "ORDERS_HMAC", "--key-id", "a"];
    let sign = |more: &[&str]| run(&folder, &[&id[..], more].concat());
    for (more, error) in [
        (
            ["https://a.test/a/../b"].as_slice(),
            "https://a.test/a/../b: curl takes dot segments out",
        ),
        (
            &["https://a.test/{1,2}"],
            "https://a.test/{1,2}: curl reads braces",
        ),
        (
            &["https://me@a.test/"],
            "https://me@a.test/: curl makes a header",
        ),
        (&["a.test/"], "a.test/: a URL starts with"),
        (&["-H", "x-a:", URL], "-H 'x-a:': curl sends no header"),
        (&["-d", "@gate.yaml", URL], "-d: curl reads a file"),
        (&["--json", "@gate.yaml", URL], "--json: curl reads a file"),
    ] {
        sign(more).refused(&format!("error: {error}"));
    }
    let base = |more: &[&str]| {
        let signed = sign(&[&["--show-base"], more].concat());
        assert_eq!(signed.code, 0, "{}", signed.stderr);
        signed.stderr
    };
    let bare = base(&["--component", "@target-uri", "https://a.test?x=1#part"]);
    assert!(
        bare.starts_with("\"@target-uri\": https://a.test/?x=1\n"),
        "{bare}"
    );
    let host = base(&["-H", "Host: other.test", "https://a.test"]);
    assert!(host.contains("\"@authority\": other.test\n"), "{host}");
    let json = base(&["--component", "content-type", "--json", "{}", URL]);
    assert!(
        json.starts_with("\"content-type\": application/json\n"),
        "{json}"
    );
    let raw = base(&["--component", "content-length", "--data-raw", "@a", URL]);
    assert!(raw.starts_with("\"content-length\": 2\n"), "{raw}");
}

#[test]
fn a_route_says_what_to_cover() {
    let folder = folder();
    folder.edit(
        "gate.yaml",
        "  tag: orders\n",
        "  tag: orders\nroutes: [{match: {path: /pay}, signatures: {components: [\"@method\"]}}]\n",
    );
    let signed = run(&folder, &[&SIGN[..], &["https://a.test/pay"]].concat());
    assert!(
        signed.stdout.contains("sig1=(\"@method\");"),
        "{}",
        signed.stdout
    );
    assert_eq!(run(&folder, &["verify", &signed.stdout]).code, 0);
}

#[test]
fn a_secret_is_looked_for_where_it_is_said_to_be() {
    let folder = folder();
    let more = ["--secret-env", "OTHER", "-H", "x-amount: 7", URL];
    let signed = folder
        .command(&[&SIGN[..], &more].concat())
        .env("OTHER", SECRET)
        .output()
        .unwrap();
    assert!(signed.status.success());
    let signed = String::from_utf8(signed.stdout).unwrap();
    assert_eq!(run(&folder, &["verify", &signed]).code, 0);
    let id = ["sign", "--secret-env", "ORDERS_HMAC", "--key-id", "a"];
    run(
        &folder,
        &[&id[..], &["--algorithm", "ed25519", URL]].concat(),
    )
    .refused("error: a shared secret does not sign ed25519");
}

#[test]
fn strangers_do_no_harm_beside_a_good_one() {
    let folder = folder();
    let signed = run(&folder, &[&SIGN[..], &["-H", "x-amount: 7", URL]].concat());
    let both = signed
        .stdout
        .replace(
            "signature-input: ",
            "signature-input: cdn=();created=1;keyid=\"cdn\", ",
        )
        .replace("signature: ", "signature: cdn=:AA==:, ");
    assert_eq!(run(&folder, &["verify", &both]).code, 0, "{both}");
}

#[test]
fn a_body_keeps_its_lines() {
    let folder = folder();
    let more = [
        "-H",
        "x-amount: 7",
        "--component",
        "content-length",
        "-d",
        "a\\\nb",
        URL,
    ];
    let id = ["sign", "--secret-env", "ORDERS_HMAC", "--key-id", "orders"];
    let signed = run(&folder, &[&id[..], &more].concat());
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let verified = run(&folder, &["verify", "--format", "json", &signed.stdout]);
    let base = verified.stdout;
    assert!(base.contains("\\\"content-length\\\": 4"), "{base}");
}

#[test]
fn what_the_gate_will_refuse_is_said() {
    let folder = folder();
    let too_little = run(
        &folder,
        &[&SIGN[..], &["--component", "@method", URL]].concat(),
    );
    assert_eq!(too_little.code, 0);
    let warning = "warning: the gate will refuse this, signature.component_missing: \
                   `sig1` of key `orders` does not cover \"@path\", \"x-amount\"";
    assert!(
        too_little.stderr.starts_with(warning),
        "{}",
        too_little.stderr
    );
    folder.write("key.pem", "hello");
    run(&folder, &[&SIGN[..], &["--key", "key.pem", URL]].concat())
        .refused("error: hmac-sha256 takes a shared secret");
}

/// A gate that takes nothing twice needs a nonce, where two requests may be alike; one that remembers
/// nothing needs none, and is sent none.
#[test]
fn a_gate_that_remembers_gets_a_nonce() {
    for (rule, is_new) in [
        ("", true),
        ("  nonce: if_present\n", true),
        ("  nonce: required\n", true),
        ("  nonce: \"off\"\n", false),
    ] {
        let folder = folder();
        folder.edit("gate.yaml", "  tag: orders\n", rule);
        let nonce = |more: &[&str]| {
            let more = [more, &["-H", "x-amount: 7", "--format", "headers", URL]].concat();
            let signed = run(&folder, &[&SIGN[..], &more].concat());
            assert_eq!((signed.code, &*signed.stderr), (0, ""), "{rule}");
            let (_, nonce) = signed.stdout.split_once(";nonce=\"")?;
            nonce.split('"').next().map(str::to_owned)
        };
        let (one, another) = (nonce(&[]), nonce(&[]));
        // 128 bits in base64url, and others each time.
        let length = is_new.then_some(22);
        assert_eq!(one.as_ref().map(String::len), length, "{rule}");
        assert_eq!(another.as_ref().map(String::len), length, "{rule}");
        assert_eq!(one != another, is_new, "{rule}");
        assert_eq!(nonce(&["--nonce", "n-1"]).as_deref(), Some("n-1"), "{rule}");
    }
}

#[test]
fn what_is_signed_for_a_gate_that_requires_a_nonce_verifies() {
    let folder = folder();
    folder.edit("gate.yaml", "  tag: orders\n", "  nonce: required\n");
    let sign = |more: &[&str]| {
        let more = [more, &["-H", "x-amount: 7", URL]].concat();
        run(&folder, &[&SIGN[..], &more].concat())
    };
    let signed = sign(&[]);
    assert_eq!((signed.code, &*signed.stderr), (0, ""));
    let verified = run(&folder, &["verify", &signed.stdout]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    // An empty one was asked for, and is none.
    let empty = sign(&["--nonce", ""]);
    let warning = "warning: the gate will refuse this, signature.nonce_missing: ";
    assert!(empty.stderr.starts_with(warning), "{}", empty.stderr);
    // Without the configuration nobody knows, and what is not asked for is not there.
    let id = ["sign", "--secret-env", "ORDERS_HMAC", "--key-id", "orders"];
    let alone = run(&folder, &[&id[..], &[URL]].concat());
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    assert!(!alone.stdout.contains("nonce"), "{}", alone.stdout);
}
