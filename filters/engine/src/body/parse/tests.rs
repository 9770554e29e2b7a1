//! `cases.json`: bodies and what is read, or why they are refused. Beside them what holds of every body:
//! no panic, bounded size, time in proportion.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and may look at a clock"
)]

use super::{MAX_VALUES, form::MAX_FIELDS, is_plain, multipart::MAX_PARTS, parse, texts};
use crate::document::Object;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_rego::value::{Value, to_json};
use serde::Deserialize;
use serde_json::json;
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(rename = "type")]
    content_type: Option<String>,
    #[serde(default)]
    body: String,
    base64: Option<String>,
    #[serde(default, deserialize_with = "some")]
    is: Option<serde_json::Value>,
    refused: Option<String>,
}

/// Null is an answer, too.
fn some<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(d).map(Some)
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        match &self.base64 {
            Some(text) => BASE64_STANDARD.decode(text).unwrap(),
            None => self.body.clone().into_bytes(),
        }
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

#[test]
fn bodies_read_as_the_cases_say() {
    let mut wrong = String::new();
    for case in cases() {
        let read = parse(case.content_type.as_deref(), None, &case.bytes());
        let good = match (&read, &case.is, &case.refused) {
            (Ok(value), Some(expected), None) => to_json(value) == *expected,
            (Err(malformed), None, Some(why)) => malformed.0 == why,
            _ => false,
        };
        if !good {
            let read = read.map(|value| to_json(&value).to_string());
            writeln!(wrong, "{}: {read:?}", case.about).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_bounds_are_where_they_say() {
    let json = |values: usize| {
        let body = format!("[{}0]", "0,".repeat(values - 2));
        parse(Some("application/json"), None, body.as_bytes())
    };
    assert!(json(MAX_VALUES).is_ok());
    assert_eq!(json(MAX_VALUES + 1).unwrap_err().0, "more values than fit");

    let form = |fields: usize| {
        let body = "a&".repeat(fields);
        parse(
            Some("application/x-www-form-urlencoded"),
            None,
            body.as_bytes(),
        )
    };
    assert!(form(MAX_FIELDS).is_ok());
    assert_eq!(form(MAX_FIELDS + 1).unwrap_err().0, "too many fields");

    let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    let multipart = |parts: usize| {
        let body = part.repeat(parts) + "--b--";
        parse(
            Some("multipart/form-data; boundary=b"),
            None,
            body.as_bytes(),
        )
    };
    assert!(multipart(MAX_PARTS).is_ok());
    assert_eq!(multipart(MAX_PARTS + 1).unwrap_err().0, "too many parts");

    // The values of all parts together.
    let half = format!("[{}0]", "0,".repeat(MAX_VALUES / 2));
    let part = format!(
        "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Type: application/json\r\n\r\n{half}\r\n"
    );
    let body = part.repeat(2) + "--b--";
    let read = parse(
        Some("multipart/form-data; boundary=b"),
        None,
        body.as_bytes(),
    );
    assert_eq!(read.unwrap_err().0, "more values than fit");

    let deep = |levels: usize| {
        let body = "[".repeat(levels) + &"]".repeat(levels);
        parse(Some("application/json"), None, body.as_bytes())
    };
    assert!(deep(127).is_ok());
    assert!(deep(128).is_err());
}

#[test]
fn texts_are_those_that_were_sent() {
    let texts_of = |body: &[u8]| {
        let mut http = Object::whole();
        texts(&mut http, body);
        to_json(&http.into())
    };
    assert_eq!(texts_of(b""), json!({}));
    assert_eq!(texts_of(b"a=1"), json!({"body": "a=1", "rawBody": "YT0x"}));
    assert_eq!(texts_of(b"\xff\xfe"), json!({"rawBody": "//4="}));
}

#[test]
fn only_a_body_without_codings_is_plain() {
    for plain in [None, Some(""), Some("identity"), Some("Identity, identity")] {
        assert!(is_plain(plain), "{plain:?}");
    }
    for coded in [
        "gzip",
        "identity, gzip",
        "deflate,identity",
        "x",
        "identity;q=1",
    ] {
        assert!(!is_plain(Some(coded)), "{coded}");
    }
}

/// What the values take, more or less: each its place and that of its neighbours, beside its text.
fn weight(value: &Value) -> usize {
    const PLACE: usize = 32;
    PLACE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(members) => members.iter().map(|(k, v)| weight(k) + weight(v)).sum(),
            _ => 0,
        }
}

#[test]
fn whatever_is_sent_nothing_panics_and_nothing_grows() {
    // xorshift64: the same bodies on every run.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    const CHUNKS: [&[u8]; 20] = [
        b"\r\n",
        b"--",
        b"--b",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b";",
        b"=",
        b"&",
        b"%",
        b"+",
        b"\xff",
        b"\0",
        b"\r\n\r\n",
        b"1e400",
    ];
    let cases = cases();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let case = &cases[random(cases.len())];
        let other = &cases[random(cases.len())];
        let mut body = case.bytes();
        let mut content_type = case.content_type.clone().unwrap_or_default().into_bytes();
        if random(8) == 0 {
            content_type = other.content_type.clone().unwrap_or_default().into_bytes();
        }
        for _ in 0..random(4) {
            let text = if random(6) == 0 {
                &mut content_type
            } else {
                &mut body
            };
            let at = random(text.len() + 1);
            let chunk = CHUNKS[random(CHUNKS.len())];
            match random(3) {
                0 => drop(text.splice(at..at, chunk.iter().copied())),
                1 => text.truncate(at),
                _ => {
                    let end = (at + random(4)).min(text.len());
                    text.drain(at..end);
                }
            }
        }
        let content_type = String::from_utf8_lossy(&content_type).into_owned();
        match parse(Some(&content_type), None, &body) {
            Ok(value) => {
                read += 1;
                let bound = 100 + 48 * body.len();
                assert!(weight(&value) <= bound, "{content_type}: {body:?}");
            }
            Err(_) => refused += 1,
        }
    }
    // Mutants of both kinds, or it tried nothing.
    assert!(read > 5_000 && refused > 5_000, "{read} {refused}");
}

#[test]
fn time_is_in_proportion() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    const PARTS: &str = "multipart/form-data; boundary=b";
    const DASHES: &str = "multipart/form-data; boundary=------------------------------------";
    let start = "--b\r\nContent-Disposition: form-data; name=a";
    let names = |n: usize| {
        (0..n / 12).fold(String::from("{"), |mut text, i| {
            let _ = write!(text, "\"k{i}\":{i},");
            text
        }) + "\"z\":0}"
    };
    type Make<'m> = &'m dyn Fn(usize) -> String;
    let bodies: [(&str, &str, Make<'_>); 14] = [
        ("empty fields", FORM, &|n| "&".repeat(n)),
        ("equals", FORM, &|n| "=".repeat(n)),
        ("escapes", FORM, &|n| "%41".repeat(n / 3)),
        ("one name", FORM, &|n| {
            "a&".repeat((n / 2).min(9_000)) + &"+".repeat(n)
        }),
        ("open lists", JSON, &|n| "[".repeat(n)),
        ("members", JSON, &names),
        ("backslashes", JSON, &|n| {
            format!("\"{}\"", "\\\\".repeat(n / 2))
        }),
        ("numbers", JSON, &|n| format!("[{}0]", "1.5,".repeat(n / 4))),
        ("a long number", JSON, &|n| format!("0.{}", "1".repeat(n))),
        ("delimiters", PARTS, &|n| "--b\r\n".repeat(n / 5)),
        ("headers", PARTS, &|n| {
            format!("{start}\r\n{}\r\n\r\n--b--", "a:b\r\n".repeat(n / 5))
        }),
        ("parameters", PARTS, &|n| {
            format!("{start}{}\r\n\r\n\r\n--b--", ";a=b".repeat(n / 4))
        }),
        ("semicolons", PARTS, &|n| {
            format!("{start}{}\r\n\r\n\r\n--b--", "; ".repeat(n / 2))
        }),
        ("dashes", DASHES, &|n| "-".repeat(n)),
    ];
    let time = |content_type: &str, body: &str| -> Duration {
        (0..5)
            .map(|_| {
                let start = Instant::now();
                let _ = std::hint::black_box(parse(Some(content_type), None, body.as_bytes()));
                start.elapsed()
            })
            .min()
            .unwrap()
    };
    for (about, content_type, make) in bodies {
        // Sixteen times as much. What is quadratic takes 256 times as long in every try; what is not has
        // tries enough to be left alone by the machine in one.
        let is_in_proportion = (0..20).any(|_| {
            let small = time(content_type, &make(16 << 10));
            let large = time(content_type, &make(256 << 10));
            large < small * 60 + Duration::from_millis(2)
        });
        assert!(is_in_proportion, "{about}");
    }
}
