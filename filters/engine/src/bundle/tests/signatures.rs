//! Who signed what, and for whom.

use super::{super::*, build::*};
use serde_json::{Value as Json, json};

fn headed(header: &Json) -> Vec<u8> {
    with(&json!({"signatures": [token(header, &claims(FILES))]}).to_string())
}

#[test]
fn a_signed_bundle_is_taken() {
    let bundle = read(signed(FILES), verifying()).unwrap();
    assert_eq!(bundle.signer(), Some("ci"));
    assert_eq!(bundle.manifest().revision, "7");
    assert_eq!(bundle.manifest().order, Some(Order::Sequence(7)));
    assert_eq!(data(&bundle), json!({"a": [2], "b": 1}));
    // White space and order are not signed, and they may differ.
    let mut spaced = FILES.to_vec();
    spaced[0].1 = "{ \"a\":[2],\n\"b\":1.0 }";
    let signature = signature(&claims(FILES));
    spaced.push((".signatures.json", &signature));
    read(super::build::bundle(&spaced), verifying()).unwrap();
}

#[test]
fn its_owner_says_whether_it_must_be_signed() {
    let optional = || changing(|it| it.required = false);
    assert_eq!(read(bundle(FILES), rules()).unwrap().signer(), None);
    assert_eq!(read(bundle(FILES), optional()).unwrap().signer(), None);
    assert_eq!(
        read(signed(FILES), optional()).unwrap().signer(),
        Some("ci")
    );
    // Who only looks at it asks for none.
    let looking = Rules {
        looks_only: true,
        ..rules()
    };
    assert_eq!(read(with("nonsense"), looking).unwrap().signer(), None);
    refused(vec![
        (
            "a key was forgotten",
            signed(FILES),
            rules(),
            Step::Verify,
            "there is no key to verify it with",
        ),
        (
            "required",
            bundle(FILES),
            verifying(),
            Step::Verify,
            "it is not signed",
        ),
        (
            "a bad one is no absent one",
            with("{}"),
            optional(),
            Step::Verify,
            "no list `signatures`",
        ),
    ]);
}

#[test]
fn keys_and_scopes_are_found_as_opa_finds_them() {
    let header = |kid: Option<&str>| match kid {
        Some(kid) => json!({"alg": "HS256", "kid": kid}),
        None => json!({"alg": "HS256"}),
    };
    let claimed = |header: &Json, change: &dyn Fn(&mut Json)| {
        let mut claims = claims(FILES);
        change(&mut claims);
        with(&json!({"signatures": [token(header, &claims)]}).to_string())
    };
    let keyed = |claims: &mut Json| claims["keyid"] = "ci".into();
    let scoped = |claims: &mut Json| claims["scope"] = "write".into();
    let none = |_: &mut Json| {};
    let key_scope = |scope: &str| {
        let scope = scope.to_owned();
        changing(move |it| it.keys.get_mut("ci").unwrap().scope = Some(scope))
    };
    let good = [
        (
            "the configured one",
            claimed(&header(Some("other")), &none),
            changing(|it| it.key_id = Some("ci".into())),
        ),
        (
            "the header's",
            claimed(&header(Some("ci")), &|claims| {
                claims["keyid"] = "other".into()
            }),
            verifying(),
        ),
        ("the claim's", claimed(&header(None), &keyed), verifying()),
        (
            "an empty id is none",
            claimed(&header(Some("")), &keyed),
            verifying(),
        ),
        (
            "the configured scope",
            claimed(&header(Some("ci")), &scoped),
            changing(|it| it.scope = Some("write".into())),
        ),
        (
            "the key's scope",
            claimed(&header(Some("ci")), &scoped),
            key_scope("write"),
        ),
        (
            "the configured scope first",
            claimed(&header(Some("ci")), &scoped),
            {
                let mut rules = key_scope("read");
                rules.verification.as_mut().unwrap().scope = Some("write".into());
                rules
            },
        ),
    ];
    for (name, packed, rules) in good {
        match read(packed, rules) {
            Ok(bundle) => assert_eq!(bundle.signer(), Some("ci"), "{name}"),
            Err(fault) => panic!("{name}: {fault}"),
        }
    }
    let step = Step::Verify;
    refused(vec![
        (
            "no key's id",
            claimed(&header(None), &none),
            verifying(),
            step,
            "names no key",
        ),
        (
            "another id",
            claimed(&header(Some("other")), &none),
            verifying(),
            step,
            "with the key `other`, and the keys here are `ci`",
        ),
        (
            "an id that is configured and not there",
            headed(&header(Some("ci"))),
            changing(|it| it.key_id = Some("x".into())),
            step,
            "the key `x`",
        ),
        (
            "a scope that nobody wants",
            claimed(&header(Some("ci")), &scoped),
            verifying(),
            step,
            "`scope` is `write`, and `` is wanted",
        ),
        (
            "no scope",
            claimed(&header(Some("ci")), &none),
            key_scope("write"),
            step,
            "`scope` is ``, and `write` is wanted",
        ),
        (
            "another scope",
            claimed(&header(Some("ci")), &scoped),
            key_scope("read"),
            step,
            "and `read` is wanted",
        ),
        (
            "a scope that is no text",
            claiming(|claims| claims["scope"] = 1.into()),
            verifying(),
            step,
            "`scope` is no text",
        ),
    ]);
}

#[test]
fn what_is_no_good_signature_is_refused() {
    let token = token(&json!({"alg": "HS256", "kid": "ci"}), &claims(FILES));
    let listed = |tokens: &[&str]| with(&json!({"signatures": tokens}).to_string());
    let other = token.replace("ci", "ic");
    let (start, _) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{start}.");
    let forged = format!("{start}.{}", "A".repeat(43));
    let step = Step::Verify;
    let es = headed(&json!({"alg": "ES256", "kid": "ci"}));
    refused(vec![
        ("no JSON", with("{"), verifying(), step, "no JSON"),
        (
            "no object",
            with("[]"),
            verifying(),
            step,
            "no list `signatures`",
        ),
        ("none", listed(&[]), verifying(), step, "has 0 signatures"),
        (
            "two",
            listed(&[&token, &token]),
            verifying(),
            step,
            "has 2 signatures",
        ),
        (
            "two lists",
            with(r#"{"signatures": [], "signatures": []}"#),
            verifying(),
            step,
            "`signatures` twice",
        ),
        (
            "no text",
            with(r#"{"signatures": [1]}"#),
            verifying(),
            step,
            "no text",
        ),
        (
            "a plugin",
            with(&json!({"plugin": "kms", "signatures": [token]}).to_string()),
            verifying(),
            step,
            "`plugin`",
        ),
        ("no JWT", listed(&["a.b"]), verifying(), step, "no JWT"),
        ("empty", listed(&[""]), verifying(), step, "no JWT"),
        (
            "not signed",
            listed(&[&unsigned]),
            verifying(),
            step,
            "not the key `ci`'s",
        ),
        (
            "forged",
            listed(&[&forged]),
            verifying(),
            step,
            "not the key `ci`'s",
        ),
        (
            "no algorithm",
            headed(&json!({"kid": "ci"})),
            verifying(),
            step,
            "`alg` is absent",
        ),
        (
            "none as the algorithm",
            headed(&json!({"alg": "none", "kid": "ci"})),
            verifying(),
            step,
            "`alg` is `none`",
        ),
        (
            "another algorithm than the key's",
            es,
            verifying(),
            step,
            "`alg` is `ES256`, and the key's is `HS256`",
        ),
        (
            "an extension",
            headed(&json!({"alg": "HS256", "kid": "ci", "crit": ["x"]})),
            verifying(),
            step,
            "no JWT",
        ),
        (
            "no files",
            claiming(|claims| drop(claims.as_object_mut().unwrap().remove("files"))),
            verifying(),
            step,
            "no list `files`",
        ),
        (
            "one file",
            claiming(|claims| claims["files"] = claims["files"][0].clone()),
            verifying(),
            step,
            "no list `files`",
        ),
    ]);
    assert_ne!(other, token);
    // Longer than a signature of so many files can be.
    let mut rules = verifying();
    rules.limits.entries = 5;
    let long = with(&format!("{{\"signatures\": [\"{}\"]}}", "x".repeat(10_000)));
    refused(vec![(
        "long",
        long,
        rules,
        step,
        "`.signatures.json` is of more than",
    )]);
}
