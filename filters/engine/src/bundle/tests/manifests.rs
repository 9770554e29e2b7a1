//! What a manifest says, and what of it cannot be.

use super::{super::*, build::*};

fn manifest(text: &str) -> Result<Manifest, Fault> {
    read(bundle(&[(".manifest", text)]), rules()).map(|bundle| bundle.manifest().clone())
}

fn versions(bundle: Bundle) -> Vec<(String, RegoVersion)> {
    let (manifest, content) = bundle.into_content();
    match content {
        Content::Snapshot { modules, .. } => modules
            .iter()
            .map(|module| {
                let version = manifest.version_of(&module.path).unwrap();
                (module.path.clone(), version)
            })
            .collect(),
        Content::Delta(_) => panic!("a delta"),
    }
}

#[test]
fn a_manifest_says_what_it_says() {
    let absent = read(bundle(&[]), rules()).unwrap();
    assert_eq!(absent.manifest().roots, [""]);
    assert_eq!(absent.manifest().revision, "");
    assert_eq!(absent.manifest().rego_version, RegoVersion::V1);
    let said = manifest(
        r#"{"revision": "r", "roots": ["/a/b/", "c"], "rego_version": 0, "wasm": [],
            "metadata": {"portcullis": {"time": "2026-11-27T00:00:00.5Z", "base": "q"}, "x": 1.0}}"#,
    )
    .unwrap();
    assert_eq!(said.revision, "r");
    assert_eq!(said.roots, ["a/b", "c"]);
    assert_eq!(said.rego_version, RegoVersion::V0);
    assert_eq!(said.order, Some(Order::Time(1_795_737_600_500_000_000)));
    assert_eq!(said.base.as_deref(), Some("q"));
    let path = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    for (at, permitted) in [
        ("a/b", true),
        ("a/b/x", true),
        ("c", true),
        ("a", false),
        ("a/bc", false),
        ("d", false),
    ] {
        assert_eq!(said.permits(&path(at)), permitted, "{at}");
    }
    // What tools say there besides is theirs.
    let more = r#"{"metadata": {"portcullis": {"sequence": 3, "promoted": "r6"}}}"#;
    assert_eq!(manifest(more).unwrap().order, Some(Order::Sequence(3)));
    // A sequence says more than a time, by which two may be made at once.
    let both = r#"{"metadata": {"portcullis": {"sequence": 3, "time": "2026-11-27T00:00:00Z"}}}"#;
    assert_eq!(manifest(both).unwrap().order, Some(Order::Sequence(3)));
    assert_eq!(
        manifest(r#"{"roots": [], "metadata": null}"#)
            .unwrap()
            .roots,
        [""; 0]
    );
    assert!(manifest(r#"{"roots": [""]}"#).unwrap().permits(&path("x")));
}

#[test]
fn a_manifest_that_is_none_is_refused() {
    let own = |member: &str| format!(r#"{{"metadata": {{"portcullis": {member}}}}}"#);
    let many: Vec<String> = (0..1025).map(|n| format!("\"r{n}\"")).collect();
    let many = format!(r#"{{"roots": [{}]}}"#, many.join(","));
    let long = format!(r#"{{"revision": "{}"}}"#, "x".repeat(70_000));
    let cases = [
        ("[]", "is no object"),
        ("{", "no JSON"),
        (r#"{"revision": 7}"#, "`revision` that is no text"),
        (r#"{"revision": "7", "revision": "8"}"#, "`revision` twice"),
        (r#"{"Roots": ["a"]}"#, "has `Roots`, and `roots` is meant"),
        (r#"{"roots": "a"}"#, "no list of texts"),
        (r#"{"roots": [1]}"#, "no list of texts"),
        (r#"{"roots": ["a//b"]}"#, "which is no path"),
        (r#"{"roots": ["a", "/a/"]}"#, "overlap: `a` and `a`"),
        (r#"{"roots": ["a/b", "c", "a"]}"#, "overlap: `a` and `a/b`"),
        (r#"{"roots": ["x", ""]}"#, "overlap: `` and `x`"),
        (r#"{"rego_version": 2}"#, "neither 0 nor 1"),
        (r#"{"rego_version": "1"}"#, "neither 0 nor 1"),
        (
            r#"{"file_rego_versions": {"/a.rego": 3}}"#,
            "neither 0 nor 1",
        ),
        (r#"{"file_rego_versions": {"[a": 1}}"#, "which is no glob"),
        (r#"{"file_rego_versions": []}"#, "no object of at most"),
        (r#"{"metadata": []}"#, "`metadata` that is no object"),
        (&own("1"), "`metadata.portcullis` that is no object"),
        (&own(r#"{"sequence": -1}"#), "no whole number"),
        (&own(r#"{"sequence": "1"}"#), "no whole number"),
        (&own(r#"{"sequence": 1.5}"#), "no whole number"),
        (&own(r#"{"time": "yesterday"}"#), "no time such as"),
        (
            &own(r#"{"time": "1969-12-31T23:59:59Z"}"#),
            "no time such as",
        ),
        (
            &own(r#"{"base": 1}"#),
            "`metadata.portcullis.base` that is no text",
        ),
        (
            &own(r#"{"Sequence": 1}"#),
            "has `Sequence` in `metadata.portcullis`, and `sequence` is meant",
        ),
        (&many, "more than 1024 `roots`"),
        (&long, "of more than 65536 bytes"),
    ];
    for (text, words) in cases {
        let fault = manifest(text).unwrap_err();
        assert_eq!(fault.step, Step::Parse, "{text}");
        assert!(fault.what.contains(words), "{text}: {fault}");
    }
}

#[test]
fn each_module_has_its_rego() {
    let files = |globs: &str| {
        let manifest = format!(r#"{{"rego_version": 1, "file_rego_versions": {globs}}}"#);
        read(
            bundle(&[
                (".manifest", &*manifest),
                ("/old/a.rego", "package a"),
                ("old/b/c.rego", "package b"),
                ("n.rego", "package n"),
            ]),
            rules(),
        )
    };
    let versions = |globs: &str| -> Vec<bool> {
        let versions = versions(files(globs).unwrap());
        versions
            .iter()
            .map(|(_, version)| *version == RegoVersion::V0)
            .collect()
    };
    // `n.rego`, `old/a.rego`, `old/b/c.rego`.
    assert_eq!(versions("{}"), [false, false, false]);
    assert_eq!(versions(r#"{"/old/*": 0}"#), [false, true, true]);
    assert_eq!(versions(r#"{"/old/a.rego": 0}"#), [false, true, false]);
    assert_eq!(
        versions(r#"{"/{n,x}.rego": 0, "/?.rego": 0}"#),
        [true, false, false]
    );
    assert_eq!(versions(r#"{"old/*": 0}"#), [false, false, false]);
    let fault = files(r#"{"/old/*": 0, "/old/a.rego": 1}"#).unwrap_err();
    assert!(
        fault.what.contains("`/old/a.rego` two versions of Rego"),
        "{fault}"
    );
}
