//! What `image emit` tells of a folder, of a registry and of whom a configuration trusts.

use crate::support::Folder;
use crate::{ISTIO, MODULE, PLUGIN, SECRET, digest, emit, emit_from, folder};
use serde_json::{Map, Value, json};

/// Whatever comes after whatever: a folder that is applied as a whole puts the gate in twice.
#[test]
fn what_an_earlier_one_wrote_besides_is_told() {
    let folder = folder(&Map::new());
    let whole = [ISTIO.as_slice(), &["--own-vm"]].concat();
    let gateway = ["--for", "envoy-gateway", "--gateway", "edge", "-o", "out"];
    let (filter, policy) = (
        "`out/portcullis.envoyfilter.yaml`",
        "`out/portcullis.envoyextensionpolicy.yaml`",
    );
    let plugin = format!("`{PLUGIN}`");
    folder.write("out/mine.yaml", "kind: ConfigMap\n");
    for (arguments, left) in [
        (whole.as_slice(), None),
        (&ISTIO, Some(filter.to_owned())),
        (&whole, Some(plugin.clone())),
        (&gateway, Some(format!("{filter}, {plugin}"))),
        (&ISTIO, Some(format!("{policy}, {filter}"))),
    ] {
        let ran = emit(&folder, arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let told = left.map(|left| format!("warning: {left}: an earlier `emit` wrote it"));
        let line = ran
            .stderr
            .lines()
            .find(|it| it.contains("an earlier `emit` wrote"));
        assert_eq!(line.is_some(), told.is_some(), "{}", ran.stderr);
        let told = told.unwrap_or_default();
        assert!(line.unwrap_or_default().starts_with(&told), "{line:?}");
    }
    // Changed since, it is applied all the same; and a program is told, too.
    folder.edit(
        "out/portcullis.envoyfilter.yaml",
        "FAIL_RELOAD",
        "FAIL_OPEN",
    );
    let ran = emit(&folder, &[ISTIO.as_slice(), &["--format", "json"]].concat());
    let warnings = ran.json()["warnings"].to_string();
    assert!(warnings.contains(filter) && !warnings.contains("mine.yaml"));
    assert!(!folder.read(PLUGIN).contains("earlier `emit` wrote"));
}

#[test]
fn a_file_is_no_folder() {
    let folder = folder(&Map::new());
    folder.write("afile", "mine\n");
    for output in ["afile", "afile/out"] {
        let ran = emit(&folder, &["--for", "istio", "--gateway", "g", "-o", output]);
        ran.refused(&format!("error: {output}: is no folder"));
        assert!(
            ran.stderr.contains("hint: --output takes the folder"),
            "{}",
            ran.stderr
        );
    }
}

/// What there is to say, of whatever target.
const SELECTED: [&str; 4] = ["--for", "istio", "--selector", "app=orders"];

fn warnings(folder: &Folder, arguments: &[&str]) -> String {
    let ran = emit(
        folder,
        &[SELECTED.as_slice(), arguments, &["--format", "json"]].concat(),
    );
    assert!(!ran.stdout.contains(SECRET));
    ran.json()["warnings"].to_string()
}

/// Of what answers there depends what whoever is on the way can do.
#[test]
fn a_cluster_without_tls_is_told_by_what_it_is_to_the_gate() {
    const KEYS: &str =
        "`c` is asked without TLS: whoever is on the way there can answer in its place, with keys";
    const TOKENS: &str = "`c` is asked without TLS: whoever is on the way there reads the tokens";
    const REPLACED: &str = "`c` is asked for the policy without TLS, and nobody signs that: whoever is on the way there replaces";
    const SIGNED: &str =
        "`c` is asked for the policy without TLS: whoever is on the way there reads it";
    const TOLD: &str = "`c` is told without TLS: whoever is on the way there reads the events, and the bearer token";
    const UNSIGNED: &str =
        "`policy.bundle`: the gate takes any bundle that it is sent: `verification: {keys:";
    const OPTIONAL: &str =
        "`policy.bundle.verification.required`: the gate takes a bundle without a signature";
    const ALL: [&str; 7] = [KEYS, TOKENS, REPLACED, SIGNED, TOLD, UNSIGNED, OPTIONAL];

    let own = json!({"modules": {"authz.rego": MODULE}});
    let provider = |more: Value| {
        let mut provider = json!({"issuer": "https://idp.example.com", "audiences": ["orders"]});
        for (name, value) in more.as_object().unwrap() {
            provider[name] = value.clone();
        }
        json!({"policy": own, "jwt": {"providers": {"corp": provider}}})
    };
    let bundle = |more: Value| {
        let mut bundle =
            json!({"cluster": "c", "authority": "bundles.internal", "path": "/authz.tar.gz"});
        for (name, value) in more.as_object().unwrap() {
            bundle[name] = value.clone();
        }
        json!({"policy": {"bundle": bundle}})
    };
    let keys = json!({"ci": {"algorithm": "HS256", "secret": {"env": "PEPPER"}}});
    let place = json!({"cluster": "c", "authority": "idp.example.com", "path": "/a"});
    let mut asked = place.clone();
    asked["client_id"] = "gate".into();
    asked["client_secret"] = json!({"env": "PEPPER"});
    for (gate, url, wanted) in [
        (
            json!({"policy": own, "decision_log": {"cluster": "c", "authority": "l"}}),
            "http://logs.internal",
            vec![TOLD],
        ),
        (
            json!({"policy": own, "decision_log": {"cluster": "c", "authority": "l"}}),
            "https://logs.internal",
            vec![],
        ),
        (
            provider(json!({"jwks": place})),
            "http://idp.internal",
            vec![KEYS],
        ),
        (
            provider(json!({"introspection": asked})),
            "http://idp.internal",
            vec![TOKENS],
        ),
        (
            bundle(json!({})),
            "http://bundles.internal",
            vec![REPLACED, UNSIGNED],
        ),
        (
            bundle(json!({})),
            "https://bundles.internal",
            vec![UNSIGNED],
        ),
        (
            bundle(json!({"verification": {"keys": keys}})),
            "http://bundles.internal",
            vec![SIGNED],
        ),
        (
            bundle(json!({"verification": {"keys": keys, "required": false}})),
            "http://bundles.internal",
            vec![REPLACED, OPTIONAL],
        ),
        (
            bundle(
                json!({"status": {"cluster": "c", "authority": "bundles.internal"}, "verification": {"keys": keys}}),
            ),
            "http://bundles.internal",
            vec![SIGNED, TOLD],
        ),
    ] {
        let folder = Folder::new();
        folder.write("gate.yaml", gate.to_string());
        let warned = warnings(&folder, &["--cluster", &format!("c={url}")]);
        for words in ALL {
            assert_eq!(
                warned.contains(words),
                wanted.contains(&words),
                "{gate} {url}: {words}: {warned}"
            );
        }
    }
}

/// What `init` made is for trying things out.
#[test]
fn a_development_key_is_told() {
    let started = Folder::started();
    let warned = warnings(&started, &[]);
    assert!(
        warned.contains("`jwt.providers.dev` trusts `dev-"),
        "{warned}"
    );
    let file: Value = serde_json::from_str(&started.read("dev-key.json")).unwrap();
    assert!(!warned.contains(file["d"].as_str().unwrap()));
    // A key of somebody's own that is called alike.
    let id = file["kid"].as_str().unwrap();
    started.edit("gate.yaml", id, "dev-orders");
    let warned = warnings(&started, &[]);
    assert!(!warned.contains("a development key"), "{warned}");
}

/// In a cluster the name is another machine's.
#[test]
fn a_registry_on_this_machine_is_told() {
    let folder = folder(&Map::new());
    let gateway = ["--for", "envoy-gateway", "--gateway", "edge"];
    let own = ["--for", "envoy", "--wasm-path", "portcullis.wasm"];
    for (host, arguments, is_told) in [
        ("localhost:5000", &SELECTED, true),
        ("127.0.0.1:5000", &gateway, true),
        // Pulled by whoever reads the instructions, and not by the proxy.
        ("localhost:5000", &own, false),
        ("registry.example.com", &SELECTED, false),
    ] {
        let reference = format!("{host}/gates/portcullis@sha256:{}", digest());
        let ran = emit_from(&reference, &folder, arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let words =
            format!("warning: `{host}` is this machine, and in a cluster it is whoever pulls");
        assert_eq!(ran.stderr.contains(&words), is_told, "{}", ran.stderr);
    }
}
