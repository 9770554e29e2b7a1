//! The canonical form, by digests that others made.

use super::super::{json, settle::Settling, yaml};
use crate::crypto::Hasher;
use portcullis_rego::value;

/// SHA-256, as Python's `hashlib` and `json` have them (members sorted by the bytes of their names,
/// U+2028 and U+2029 escaped); the third and the fourth stand in OPA's own tests too
/// (`internal/bundle/inspect/inspect_test.go`).
const DIGESTS: &[(&str, &str)] = &[
    (
        r#"{"b":[1,{"z":null,"a":true}],"a":"x"}"#,
        "b19526a1396b32e611c90cf39f5438985b37eb7b8a4cd75ddeed70151ef4569f",
    ),
    (
        r#"{"n":[1.0,1e3,-0,123.45678911111111111111111111111111111111111111111111111,12345678901234567890]}"#,
        "b84e7928ce258b57abddcbeee940f5e57fc702be0bfc2d564303e48a264f2cce",
    ),
    (
        "[1, 2,\n3]",
        "a615eeaee21de5179de080de8c3052c8da901138406ba71c38c032845f7d54f4",
    ),
    (
        r#"{"revision": "quickbrownfaux"}"#,
        "507a2c38a1441db58d2cb87982c42aa91a4342ef422a6b542eddebeef6f0412f",
    ),
    (
        r#"{"s":"<foo>&\u2028\u2029\b\f\n\r\t\u0001\u007f\"\\\/\ud83d\ude00\u00e9"}"#,
        "87eb80e388570d3a38d35e8d8a71d90a7d2209ce529084bc4fc5c8e7625237d0",
    ),
    (
        "[]",
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    ),
    (
        " {} ",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    ),
    (
        "\"x\"",
        "ba2df4903a2c14e86dc3bcca58911b44ac1d2514b7227bf6eb08cfb978f55a1b",
    ),
    (
        r#"{"\u00e9":1,"z":2,"Z":3,"a":{}, "\ud83d\ude00":4, "\uffee":5}"#,
        "246a769fd5a01648238ff22efeed7415f8fb836770bf37c76cde581b91d4cdf5",
    ),
];

fn read(text: &str) -> Result<json::Node, String> {
    let mut reading = json::Reading::new(0..text.len(), json::MAX_DEPTH);
    let mut values = 1_000_000;
    loop {
        if let Some(node) = reading.work(text.as_bytes(), &mut values)? {
            return Ok(node);
        }
    }
}

fn settled(node: json::Node) -> (value::Value, String) {
    let mut settling = Settling::new(node, Some(Hasher::sha256()));
    loop {
        if let Some((value, digest)) = settling.work().unwrap() {
            return (value, base16ct::lower::encode_string(&digest.unwrap()));
        }
    }
}

#[test]
fn digests_are_those_of_others() {
    for (text, digest) in DIGESTS {
        let (value, found) = settled(read(text).unwrap());
        assert_eq!(found, *digest, "{text}");
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value, value::from_json(&json).unwrap(), "{text}");
    }
}

/// Enough members that they are sorted as they come, in an order that is none.
#[test]
fn large_objects_are_sorted_too() {
    let members: Vec<String> = (0..5_000_u64)
        .map(|n| {
            format!(
                "\"{:x}\": {{\"b\": {n}, \"a\": [{n}]}}",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
        })
        .collect();
    let text = format!("{{{}}}", members.join(","));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let digest = crate::crypto::sha256(json.to_string().as_bytes());
    let (value, found) = settled(read(&text).unwrap());
    assert_eq!(found, base16ct::lower::encode_string(&digest));
    assert_eq!(value, value::from_json(&json).unwrap());
}

#[test]
fn yaml_has_the_numbers_of_go() {
    for (text, same) in [
        ("foo: 1", r#"{"foo":1}"#),
        (
            "a: [1.0, 0.5, 1e21, 1e-7, 100000000000.0]\nb: yes",
            r#"{"a":[1,0.5,1e+21,1e-7,100000000000],"b":true}"#,
        ),
        (
            "z: &x {b: 1, a: ~}\nc: *x",
            r#"{"c":{"a":null,"b":1},"z":{"a":null,"b":1}}"#,
        ),
    ] {
        let value = yaml::read(text.as_bytes()).unwrap();
        let mut values = 100;
        let (_, digest) = settled(yaml::tree(&value, &mut values).unwrap());
        let expected = crate::crypto::sha256(same.as_bytes());
        assert_eq!(digest, base16ct::lower::encode_string(&expected), "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    let many: Vec<String> = (0..100).map(|n| format!("\"{}\":0", n % 99)).collect();
    let many = format!("{{{}}}", many.join(","));
    for (text, words) in [
        ("", "no JSON"),
        (" ", "no JSON"),
        ("{", "no JSON"),
        ("[1,]", "no JSON"),
        ("{} {}", "no JSON"),
        ("01", "no JSON"),
        ("NaN", "no JSON"),
        ("\"\u{1}\"", "no JSON"),
        (r#""\ud800""#, "no JSON"),
        (r#"{"a":1,"a":1}"#, "`a` twice"),
        (r#"{"a":1,"\u0061":2}"#, "`a` twice"),
        (&many, "`0` twice"),
        (&deep, "deeper than 128"),
    ] {
        match read(text) {
            Ok(_) => panic!("{text}"),
            Err(wrong) => assert!(wrong.contains(words), "{text}: {wrong}"),
        }
    }
    let bytes = b"\"\xff\"";
    let mut reading = json::Reading::new(0..bytes.len(), 1);
    assert!(reading.work(bytes, &mut 10).is_err());
    let mut reading = json::Reading::new(0..7, 9);
    assert!(reading.work(b"[1,1,1]", &mut 3).is_err());
}
