//! Bundles and signatures that others made.

use super::{super::*, build::*};
use crate::crypto::{Algorithm, Material};
use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use serde_json::json;

/// Of OPA's own tests (`v1/bundle/verify_test.go`): its key signed the token, which names a digest that
/// OPA itself does not take.
#[test]
fn a_token_of_opas_verifies() {
    let key = VerificationKey::from_pem(Algorithm::RS256, OPAS_KEY).unwrap();
    let rules = |scope: &str, key: VerificationKey| Rules {
        verification: Some(Verification {
            keys: BTreeMap::from([("foo".to_owned(), Key { key, scope: None })]),
            key_id: None,
            scope: Some(scope.to_owned()),
            required: true,
            verifier: Verifier::default(),
        }),
        ..super::build::rules()
    };
    let packed = || with(&json!({"signatures": [OPAS_TOKEN.concat()]}).to_string());
    let secret = VerificationKey::new(Algorithm::HS256, &Material::Octets(&[7; 32])).unwrap();
    let again = VerificationKey::from_pem(Algorithm::RS256, OPAS_KEY).unwrap();
    let step = Step::Verify;
    refused(vec![
        (
            "good but for a digest",
            packed(),
            rules("write", key),
            step,
            "`db/uam2/entitlements/data.json` by `sha256`",
        ),
        (
            "another scope",
            packed(),
            rules("read", again),
            step,
            "`scope` is `write`",
        ),
        (
            "another key",
            packed(),
            rules("write", secret),
            step,
            "`alg` is `RS256`",
        ),
    ]);
}

const OPAS_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA9KaakMv1XKKDaSch3PFR
3a27oaHp1GNTTNqvb1ZaHZXp+wuhYDwc/MTE67x9GCifvQBWzEGorgTq7aisiOyl
vKifwz6/wQ+62WHKG/sqKn2Xikp3P63aBIPlZcHbkyyRmL62yeyuzYoGvLEYel+m
z5SiKGBwviSY0Th2L4e5sGJuk2HOut6emxDi+E2Fuuj5zokFJvIT6Urlq8f3h6+l
GeR6HUOXqoYVf7ff126GP7dticTVBgibxkkuJFmpvQSW6xmxruT4k6iwjzbZHY7P
ypZ/TdlnuGC1cOpAVyU7k32IJ9CRbt3nwEf5U54LRXLLQjFixWZHwKdDiMTF4ws0
+wIDAQAB
-----END PUBLIC KEY-----";

const OPAS_TOKEN: &[&str] = &[
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImZvbyJ9.",
    "eyJmaWxlcyI6W3sibmFtZSI6ImRiL3VhbTIvZW50aXRsZW1lbnRzL2RhdGEuanNvbiIsImhhc2giOiJjMjEzMTU0NGM3MTZhMjVh",
    "NWUzMWY1MDQzMDBmNTI0MGU4MjM1Y2FkYjlhNTdmMGJkMWI2ZjRiZDc0YjI2NjEyIiwiYWxnb3JpdGhtIjoic2hhMjU2In0seyJu",
    "YW1lIjoiZGIvdWFtMi9wb2xpY3kvb3BhLXBvbGljeS5yZWdvIiwiaGFzaCI6IjQyY2ZlNjc2OGI1N2JiNWY3NTAzYzE2NWMyOGRk",
    "MDdhYzViODEzNTU0ZWJjODUwZjJjYzM1ODQzZTcxMzdiMWQifV0sImlhdCI6MTU5MjI1MTQwNiwiaXNzIjoiSldUU2VydmljZSIs",
    "InNjb3BlIjoid3JpdGUifQ.",
    "UZcX_Qj29o213nwZ5mysiyNcgAp1AOqCkDLkj1KGZ7Cw3l17TbkF8t3FJd654sf762NGcABA0WQ2zxq-labXl_d5TKQmq23lurO3",
    "qLHI1cKQPyoxPbddGo78sJpMwWsiMyEYcyyKC9FpNUpa8cT81GPo4q9Zui8TAD0wtHh2YxBL7E8QYLJxcLMJTJxVBgrQGLXFT7vY",
    "Rc6hJz9Vu-i0SWuLBGxOCmYoHr4DWFfy0IhAbhiUFyLRpukfBPjCJNYY5LgaZdN6LaYivtIEUms5jUuXubBimLJm7KOT5-bgJMXT",
    "cUsbrbl2Ma7PwG5IOKjjgyEvH8KVfGFZSzNrpuxKmA",
];

/// Made by Python's `tarfile`, `gzip` and `hashlib` and by PyJWT (`make.py`).
#[test]
fn what_another_made_is_taken() {
    let packed = STANDARD.decode(PYTHONS).unwrap();
    let rules = || {
        let key = VerificationKey::from_pem(Algorithm::ES256, PYTHONS_KEY).unwrap();
        let scope = Some("write".to_owned());
        changing(|it| it.keys = BTreeMap::from([("python".to_owned(), Key { key, scope })]))
    };
    let bundle = read(packed, rules()).unwrap();
    assert_eq!(bundle.signer(), Some("python"));
    assert_eq!(bundle.manifest().order, Some(Order::Sequence(1)));
    let data = data(&bundle);
    assert_eq!(data["z"][3].to_string(), "12345678901234567890");
    assert_eq!(data["aé"], "\u{2028} <&> \u{8}\u{c}\u{1} 😀");
    let mut inner = &data["a"]["long"];
    for _ in 0..25 {
        inner = &inner["path"];
    }
    assert_eq!(*inner, json!({"a": 2, "b": 1}));
}

const PYTHONS_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIH3JnqHVbXQQ1JBycVTRMsreSeta
vXiMrrcIxiRu3ZU/MP0iFqdgow/vRuTTuhTGJqRbVPxzBs3vMdR7MjXs+Q==
-----END PUBLIC KEY-----
";

const PYTHONS: &str = "\
H4sICAAAAAAC/2J1bmRsZS50YXIA7Vhbj5s4FJ7n/oooD/vUZowJmclou9pJuJQoNk0CYcxOtSJAAwYnmVyBav77HqdSb7tSn2Za\
bfmkYDDYPj7n+ziHdC7jcB92+G69ungqIECv2z23gG9bpFzhT+cf+6+uUO+ihS6eAYfdPtzCkhe/Jj606/ZN6y+lo6GXrVfwUxIM\
B6x2td7VdR99Pnv3stUO7w8IJX0Y0b4/YISvW7//9kfrfnH/Xt5ASuv+EF+rMRwThNowYACPfmhXcFwdigI6Sjjdbw/J4+NFg58A\
ncvO5Z9vw/JNEsbJ9un0/x+6/6R5rCpf619BWFEuWmWj/yeHoqmtTbhPX3cuw8tivVpeyqsfdviUjF400nwm/T992L+X/5Gifa1/\
FWF81eT/58n/i/aN8rIdtm9wk5J/yfwvwlX2Ptntf1j9D+X+v+p/eCU0+n8W/W+TY7bL1itZ1G8qWbSLZB/KRHyu3Tfr7T6C2j3b\
nS93ycMhWUUJXCiPTRH/f8j/h31aX24622S5/kH6V7Vv639VQ43+nwObMMrDZdI6s+DFi7Ao1qfWzevzN3pTg/8S+X+XLVfh/rBN\
dk/0N+B39I81FX2jfwWrTf3/TPn/c/jlH4HtpBqlCyvKnGxkerWt0Mze2WK/CYZ2z14NtNhKjwvZt5pqkezLN3fz4ajfgYEi9Msi\
quyer+6yhTD3wQweENM0toxDuKIfB4o0jfASFrC7VC9y6hON6Ckn2FAJJgrRPY3qRh340zTQbezoQUH0AXf8Uc74tCDWlNP6VmF8\
nrN6qREewbldOf6kJsI7sXpSEkxFwD2NWMaJYa/ruBPNceep46ZFIGgGd1Mq7JLUA070qAwsOTfYUZs5OY+3EXXlGkY30POTM5N2\
m7sA96vwbrpeyH0V1J7MkEJcO3s/K69soaUL35OOS8e4PC5EdIwsE4XD/onBmLE6AD8sf8a+HPrSsdjUC9zNxsPRmt3Rtc3XWeCT\
CmJQsToQzJ+ojJuZ45sp803BXOjlMfiRVOBjzNygYDzC4C+N8oIHepxCPFQZM4hP1/GZSmt2YsKuAk4qiokKcYV4sC7F3inQGQ4s\
W3Ug/oQDL7CBWV0U1PcqUlMOsSyZMErHonI+iGtQOHrMAz7izI2k3UDc+BiJAoUWknFwZ4axp65R2Su0A34emK8Ucl9joaQLUYjg\
jiI7O2WhZdahJDOH+X3Jwdua6nPgkI1p7anEvS2JbwLvgE/1NA/cCSLY0xjYGOhmBnwFGw1M9TRn/hxsMpCjL2vmetDeSutLVttd\
AnYTbqaOnsPz08xxTUGxCZwGHwD/qDBF4I7AtzCHL/kJYy0QIaac8qUiee3owN86FtJu5perhTragCj3cl8eSgdj1ytJNuqP33yp\
QVOBZ3pj9fYQiflqUX2pQ/AfnuZgE8RH6muCYE851SfVWScWKYmeg+1B5ugy7h4iNYHrJXIsgsBHJ6oTiHMO8QIucK8r9SP9SPkA\
9moogcVUwkcF+AjaCXBqLhxYR2racWFNzhCBloppEegTqaka3ge15B5wA3a/VGGOyhl+R4dzBC8myhfq4Bzn+OwbT3Jjw+4mmcMN\
1XEhnnWEgXv9zt/DOPVGFcq6g1F1vNtOncNInwVpjE+z09uFf2TMKZTsQWjG0hzMlOHRv439615/1C+1V2k2m8UPvkcqvh0arwLj\
IUB2X5za75oPowYNGjRo0KBBgwYNGvx0+AeIybMbACgAAA==\
";
