//! What of a log is shown, and how: no secret, and nothing that runs.

use crate::{event, folder, own, replay};
use quick_xml::{Reader, events::Event};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Wherever a client, a policy or an operator may have put one into somebody's log.
fn planted() -> (Value, Vec<String>) {
    let secrets: Vec<String> = (0..18)
        .map(|index| format!("S3cr3t{index:02}zzQ"))
        .collect();
    let s = |index: usize| secrets[index].clone();
    let event = json!({
        "labels": {"token": s(0)}, "decision_id": "d-1", "timestamp": "2026-11-27T07:00:00Z",
        "path": "envoy/authz/allow", "msg": "Decision Log", "requested_by": s(1),
        "input": {
            "attributes": {
                "source": {"certificate": s(2)},
                "request": {"http": {
                    "method": "PUT",
                    "path": format!("/reset/{}/x?access_token={}#{}", s(3), s(4), s(5)),
                    "host": "shop.example.com",
                    "headers": {
                        "authorization": format!("Bearer {}", s(3)), "cookie": format!("a=1; session={}", s(6)),
                        "x-api-key": s(7), "referer": format!("https://x/?sig={}", s(8)),
                        "x-forwarded-access-token": s(9),
                    },
                    "body": format!("{{\"password\": \"{}\"}}", s(10)),
                }},
            },
            "parsed_body": {"password": s(10)}, "parsed_query": {"access_token": [s(4)]},
            "parsed_path": ["reset", s(3), "x"],
            // An access token that somebody takes for a subject.
            "verified": {"jwt": {"claims": {"sub": format!("of {}", s(6)), "jti": s(11)}}},
        },
        "result": {"allowed": true, "headers": {"x-upstream-key": s(12)}, "reason": s(13)},
        "reason": s(14), "detail": s(15), "error": {"message": s(16)}, "nd_builtin_cache": {"http.send": {"x": s(17)}},
    });
    (event, secrets)
}

#[test]
fn secrets_of_a_log_are_shown_nowhere() {
    let folder = folder();
    let (event, secrets) = planted();
    let allowed = "package envoy.authz\n\nallow := {\"allowed\": false, \"reason\": http.headers.authorization, \
                   \"headers\": {\"x\": http.headers.cookie}}\n\nhttp := input.attributes.request.http\n";
    folder.write("told/authz.rego", allowed);
    folder.write(
        "failing/authz.rego",
        allowed.replace("false", "1 / http.headers.cookie"),
    );
    let broken = event
        .to_string()
        .replace("\"decision_id\"", "\"decision_id\": oh, \"x\"");
    folder.write(
        "log",
        format!("{event}\n{broken}\n{}", event.to_string().split_at(900).0),
    );
    for policy in ["policy", "told", "failing"] {
        for format in ["text", "json", "html"] {
            let ran = folder.run(&["replay", "log", "--policy", policy, "--format", format]);
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            let shown = format!("{}{}", ran.stdout, ran.stderr);
            assert!(shown.contains("/reset/***"), "{shown}");
            for secret in &secrets {
                assert!(
                    !shown.contains(secret.as_str()),
                    "{policy}, {format}: {secret} in {shown}"
                );
            }
        }
    }
}

/// The tags of a page that is well-formed, with their attributes.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let mut tags = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    (text(attribute.key.as_ref()), text(&attribute.value))
                });
                tags.push((text(tag.name().as_ref()), attributes.collect()));
            }
            Event::Eof => return tags,
            _ => {}
        }
    }
}

#[test]
fn a_page_is_one_file_that_runs_nothing_whatever_the_log_says() {
    let folder = folder();
    let nasty = "<script>alert(1)</script>\"'&\u{202e}\u{1b}[31m";
    let input = json!({"attributes": {"request": {"http": {
        "method": nasty, "path": format!("/{nasty}/x"), "host": nasty,
    }}}});
    let event =
        event(&json!({"input": input, "subject": nasty, "decision_id": nasty, "reason": nasty}));
    folder.write("log", format!("{event}\n{}", own("decisions.jsonl")));
    let ran = replay(&folder, &["log", "--format", "html", "-o", "page.html"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let page = folder.read("page.html");
    let found = tags(&page);
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "script", "link", "img", "iframe", "object", "form", "base", "a", "image", "use",
    ] {
        assert!(!names.contains(name), "{name}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    for (name, attributes) in &found {
        for (key, value) in attributes {
            assert!(
                !key.starts_with("on") && key != "style" && key != "src" && key != "href",
                "{name} {key}"
            );
            assert!(
                !value.contains("://") || key == "xmlns",
                "{name} {key}={value}"
            );
        }
    }
    let policy = found
        .iter()
        .find(|(name, it)| {
            name == "meta"
                && it
                    .iter()
                    .any(|(_, value)| value == "Content-Security-Policy")
        })
        .unwrap();
    let policy = &policy.1.iter().find(|(key, _)| key == "content").unwrap().1;
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(names.contains("svg") && names.contains("details") && names.contains("summary"));
    // Read to those who do not see it.
    for (name, attributes) in found.iter().filter(|(name, _)| name == "svg") {
        let value = |key: &str| attributes.iter().find(|(found, _)| found == key);
        assert!(
            value("role").is_some() && value("aria-labelledby").is_some(),
            "{name}"
        );
    }
    // And nothing steers a terminal.
    let text = replay(&folder, &["log"]).stdout;
    assert!(
        !text.contains('\u{202e}') && !text.contains('\u{1b}'),
        "{text}"
    );
    let again = replay(
        &folder,
        &["log", "--format", "html", "-o", "page.html", "--force"],
    );
    assert_eq!(again.code, 1, "{}", again.stderr);
}
