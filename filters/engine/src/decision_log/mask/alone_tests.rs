//! A mask for one text, held to one for any.

use super::{
    apart::Apart,
    seek::is_masked_alone,
    tests::{TOKEN, mask, mask_for, random},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// What is done for one text alone hides the same of it.
#[test]
fn one_text_is_hidden_as_any_is() {
    let mut random = random(0x9e37_79b9_7f4a_7c15);
    let basic = BASE64_STANDARD.encode("alice:hunter2-hunter3");
    let signature = "000102030405060708090a";
    let pieces = [
        "a",
        "b c",
        "é",
        "%",
        "%2E",
        "%20",
        "=",
        ":",
        "\"",
        "\\",
        "&",
        ";",
        ", ",
        " ",
        "/",
        "?",
        ".",
        "@",
        "\u{0}",
        "token",
        "sid=",
        "Bearer ",
        "Basic ",
        "opaque",
        "OPAQUE",
        "ab12",
        "face",
        "x-secret-x",
        "hunter2-hunter3",
        "hunter2",
        "alice",
        "eyJ",
        "https://",
        "password=",
        "hunter2%2Dhunter3",
        TOKEN,
        &basic,
        signature,
    ];
    const NAMES: [&str; 8] = [
        "authorization",
        "cookie",
        ":path",
        ":authority",
        "x-api-key",
        "x-a",
        "signature-input",
        "x-forwarded-client-cert",
    ];
    let (mut hidden, mut apart) = (0, 0);
    for _ in 0..20_000 {
        let mut text = |most| -> String {
            let length = 1 + random(most);
            (0..length).map(|_| pieces[random(pieces.len())]).collect()
        };
        let (value, other, made) = (text(4), text(3), text(4));
        let headers = [(NAMES[random(8)], &*value), (NAMES[random(8)], &*other)];
        let any = mask(&headers, None).text(&made).into_owned();
        let alone = mask_for(&headers, None, Some(&made))
            .text(&made)
            .into_owned();
        assert_eq!(alone, any, "{headers:?}: {made}");
        hidden += usize::from(any != made);
        apart += usize::from(is_masked_alone(&made) && Apart::of(&made).is_from(&value, true));
    }
    // Else it would say nothing.
    assert!(hidden > 2000 && apart > 2000, "{hidden} {apart}");
}

/// A client may have a policy say as much as it sends: what is kept does not grow with that.
#[test]
fn long_texts_and_encoded_ones_are_no_texts_alone() {
    assert!(is_masked_alone("a clerk may read orders"));
    assert!(is_masked_alone(&"x".repeat(1024)));
    for text in ["x".repeat(1025), "x".repeat(1 << 20), "a%20b".to_owned()] {
        assert!(!is_masked_alone(&text));
        let made = format!("{text} hunter2-hunter3");
        let headers = [("x-api-key", "hunter2-hunter3")];
        let alone = mask_for(&headers, None, Some(&made))
            .text(&made)
            .into_owned();
        assert_eq!(alone, mask(&headers, None).text(&made));
        assert!(!alone.contains("hunter"));
    }
}
