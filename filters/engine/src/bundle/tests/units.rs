//! How much a reader does before it looks whether there is time for more.

use super::{super::*, build::*};

/// Empty blocks are a way to have much read for nothing: a unit has its share of them.
#[test]
fn a_unit_reads_no_more_than_its_slice() {
    let mut packed = gzip(b"")[..10].to_vec();
    for _ in 0..200_000 {
        packed.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
    }
    let size = packed.len();
    let mut reader = Reader::new(packed, Arc::new(rules()));
    let mut units = 0;
    let read = reader.work(&mut || {
        units += 1;
        true
    });
    assert_eq!(read.unwrap().unwrap_err().step, Step::Unpack);
    assert!(units > size / 32 / 1024, "{units} units");
}

#[test]
fn it_stops_when_it_is_told_and_ends_once() {
    let mut reader = Reader::new(bundle(&[("/data.json", r#"{"a": 1}"#)]), Arc::new(rules()));
    assert!(reader.work(&mut || false).is_none());
    let mut units = 0;
    let read = loop {
        let mut once = true;
        if let Some(read) = reader.work(&mut || std::mem::take(&mut once)) {
            break read;
        }
        units += 1;
    };
    assert!(units > 8, "{units} units");
    assert_eq!(data(&read.unwrap()), serde_json::json!({"a": 1}));
    let again = reader.work(&mut || true).unwrap().unwrap_err();
    assert!(again.what.contains("already"), "{again}");
}

/// Of large data no unit is more than a small part: not of what is inflated, read, hashed, turned into
/// values or merged.
#[test]
fn large_data_is_read_in_small_units() {
    let records: Vec<String> = (0..20_000_u64)
        .map(|n| {
            let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!(r#""{id:016x}":{{"name":"client {n}","scopes":["read"],"quota":{n}}}"#)
        })
        .collect();
    let text = format!("{{{}}}", records.join(","));
    let files = [
        ("keys/data.json", &*text),
        ("keys/other/data.json", "{}"),
        ("keys.rego", "package keys"),
    ];
    let mut reader = Reader::new(signed(&files), Arc::new(verifying()));
    let mut units = std::collections::BTreeMap::new();
    let read = loop {
        let stage = match &reader.stage {
            Stage::Packed(_) | Stage::Inflate(_) => "inflate",
            Stage::List { .. } => "list",
            Stage::Verify(_) => "verify",
            Stage::Parse(_) => "parse",
            Stage::Over => "over",
        };
        *units.entry(stage).or_insert(0) += 1;
        let mut once = true;
        if let Some(read) = reader.work(&mut || std::mem::take(&mut once)) {
            break read;
        }
    };
    let data = data(&read.unwrap());
    assert_eq!(data["keys"].as_object().unwrap().len(), 20_001);
    // A record has more than eight events, and a unit reads 256.
    assert!(units["inflate"] > text.len() / (32 * 1024), "{units:?}");
    assert!(units["verify"] > 20_000 * 8 / 256, "{units:?}");
}

/// What is not signed may not hold a worker up before its digest is compared.
#[test]
fn no_unit_is_long_of_what_nobody_signed() {
    let texts = [
        (
            "a long text",
            "/data.json",
            format!(r#"{{"a": "{}"}}"#, "a".repeat(300_000)),
        ),
        (
            "a long number",
            "/data.json",
            format!(r#"{{"a": {}}}"#, "1".repeat(300_000)),
        ),
        (
            "aliases in one list",
            "/data.yaml",
            format!(
                "a: &a [{}]\nb: [{}]\n",
                "1,".repeat(1000),
                "*a,".repeat(1000)
            ),
        ),
        (
            "aliases in one another",
            "/data.yaml",
            format!(
                "a: &a [1,1,1,1]\n{}",
                ('b'..='k')
                    .map(|name| {
                        let before = char::from(u8::try_from(name).unwrap() - 1);
                        format!(
                            "{name}: &{name} [{}]\n",
                            vec![format!("*{before}"); 9].join(",")
                        )
                    })
                    .collect::<String>()
            ),
        ),
    ];
    for (what, name, text) in texts {
        let fault = read(bundle(&[(name, &text)]), rules()).unwrap_err();
        let said = fault.what;
        assert!(
            said.contains("a text of more than")
                || said.contains("YAML")
                || said.contains("values"),
            "{what}: {said}"
        );
    }
}
