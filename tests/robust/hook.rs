//! Webhooks of pieces that mostly fit, so that more than their headers is reached.

use proptest::prelude::*;

type Hook = (String, String, Vec<(String, Vec<u8>)>, Vec<u8>);

/// A time that is good for the whole run.
pub fn now() -> impl Strategy<Value = u64> {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    Just(now.as_secs())
}

/// Method, path, headers and body.
pub fn hook() -> impl Strategy<Value = Hook> {
    let method = prop::sample::select(vec!["GET", "POST", "POST", "PUT", "A"]);
    let path = prop::sample::select(vec![
        "/",
        "/lenient/a",
        "/a?b=c&&d=%2B",
        "/a//b/../c",
        "/%2f%ff?%",
        "/?bodySHA256=00",
        "/?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]);
    let body = prop_oneof![
        Just(Vec::new()),
        Just(b"a=b&a=c&=&%2B=%".to_vec()),
        prop::collection::vec(any::<u8>(), 0..64),
    ];
    let scheme = prop::sample::select(SCHEMES.to_vec());
    let pieces = (mac(), time(), twist());
    (method, path, scheme, pieces, body).prop_map(|(method, path, scheme, pieces, body)| {
        let (mac, time, twist) = pieces;
        let lines = scheme.iter().enumerate().map(|(index, (name, value))| {
            let value = value.replace("{mac}", &mac).replace("{time}", &time);
            match twist {
                (at, Twist::Drop) if at == index => None,
                (at, Twist::Cut(length)) if at == index => {
                    let cut = value.chars().take(length).collect::<String>();
                    Some((*name, cut))
                }
                (at, Twist::Spell) if at == index => Some((SPELLED, value)),
                _ => Some((*name, value)),
            }
        });
        let mut lines: Vec<_> = lines.flatten().collect();
        if let (at, Twist::Twice) = twist
            && let Some(line) = lines.get(at).cloned()
        {
            lines.push(line);
        }
        let lines = lines.into_iter();
        let lines = lines.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        (method.to_owned(), path.to_owned(), lines.collect(), body)
    })
}

/// What a scheme's headers look like.
const SCHEMES: [&[(&str, &str)]; 10] = [
    &[
        ("webhook-signature", "v1,{mac} v1,AAAA"),
        ("webhook-timestamp", "{time}"),
        ("webhook-id", "msg_1"),
    ],
    &[("x-hub-signature-256", "sha256={mac}")],
    &[("stripe-signature", "t={time},v1={mac},v1={mac},v0=00")],
    &[
        ("x-slack-signature", "v0={mac}"),
        ("x-slack-request-timestamp", "{time}"),
    ],
    &[("x-shopify-hmac-sha256", "{mac}")],
    &[
        ("x-twilio-signature", "{mac}"),
        ("content-type", "application/x-www-form-urlencoded"),
    ],
    &[
        (
            "authorization",
            "hmac username=\"alice\", algorithm=\"hmac-sha256\", headers=\"x-date @request-target request-line digest\", signature=\"{mac}\"",
        ),
        ("x-date", "{time}"),
        ("digest", "SHA-256={mac}"),
    ],
    &[
        (
            "authorization",
            "Signature keyId=\"alice\",algorithm=\"hmac-sha512\",headers=\"@request-target x-date\",signature=\"{mac}\"",
        ),
        ("x-date", "{time}"),
    ],
    &[
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={mac}",
        ),
        ("x-amz-date", "{time}"),
        ("x-amz-content-sha256", "{mac}"),
    ],
    &[("x-signature", "t={time}000;s={mac}"), ("x-id", "7")],
];

/// Another spelling of a name that is covered.
const SPELLED: &str = "webhook_id";

/// As hexadecimal and as base64, of the right length and of others.
fn mac() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".repeat(64)),
        Just(format!("{}=", "A".repeat(43))),
        Just(format!("{}=", "A".repeat(27))),
        Just(format!("{}==", "A".repeat(86))),
        "[0-9a-fA-F+/=,; ]{0,70}",
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => now().prop_map(|now| now.to_string()),
        2 => now().prop_map(|now| {
            let since = std::time::Duration::from_secs(now);
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
        }),
        1 => Just("20150830T123600Z".to_owned()),
        1 => "[0-9TZ:-]{0,24}",
    ]
}

/// What is wrong with one of the lines.
#[derive(Clone, Copy, Debug)]
enum Twist {
    None,
    Drop,
    Cut(usize),
    Twice,
    Spell,
}

fn twist() -> impl Strategy<Value = (usize, Twist)> {
    let twist = prop_oneof![
        4 => Just(Twist::None),
        1 => Just(Twist::Drop),
        1 => (0..80_usize).prop_map(Twist::Cut),
        1 => Just(Twist::Twice),
        1 => Just(Twist::Spell),
    ];
    (0..3_usize, twist)
}
