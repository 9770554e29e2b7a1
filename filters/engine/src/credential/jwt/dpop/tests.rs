//! The RFCs' own examples, and what no scenario can say.

use super::*;
use crate::{
    config::jwt::binding::Dpop,
    replay::{Kind, Space},
    words::Reason,
};

/// RFC 9449 section 7.1, figure 12.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const PROOF: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik",
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR",
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE",
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj",
    "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z",
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF",
    "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E",
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
const ISSUED: u64 = 1_562_262_618;

fn target(path: &'static str) -> Target<'static> {
    Target {
        method: "GET",
        scheme: Some("https"),
        authority: Some("resource.example.org"),
        path,
    }
}

/// RFC 9449 section 6.1.
fn bound() -> [u8; 32] {
    let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
}

fn judged(proof: &str, token: &str, target: &Target<'_>, seconds: u64) -> Result<Proof, Fault> {
    let config = Dpop {
        max_age: Duration::from_secs(60),
        nonce: None,
        space: Space::new(Kind::Proof, "corp", 1),
    };
    let leeway = Duration::from_secs(5);
    let terms = Terms {
        config: &config,
        leeway,
        verifier: &Verifier::default(),
    };
    verify(
        &terms,
        proof,
        token,
        &bound(),
        target,
        Duration::from_secs(seconds).as_nanos().try_into().unwrap(),
    )
}

#[test]
fn the_example_of_rfc_9449_verifies() {
    let path = "/protectedresource?x=1";
    judged(PROOF, TOKEN, &target(path), ISSUED).unwrap();
    judged(PROOF, TOKEN, &target(path), ISSUED + 65).unwrap();
    judged(PROOF, TOKEN, &target(path), ISSUED - 5).unwrap();
}

#[test]
fn and_for_nothing_else() {
    let good = target("/protectedresource");
    let shorter = PROOF.strip_suffix("LjA").unwrap();
    let posted = Target {
        method: "POST",
        ..target("/protectedresource")
    };
    let plain = Target {
        scheme: Some("http"),
        ..target("/protectedresource")
    };
    let nowhere = Target {
        authority: None,
        ..target("/protectedresource")
    };
    for (proof, token, target, seconds) in [
        (PROOF, TOKEN, &good, ISSUED + 66),
        (PROOF, TOKEN, &good, ISSUED - 6),
        (PROOF, "another", &good, ISSUED),
        (shorter, TOKEN, &good, ISSUED),
        ("", TOKEN, &good, ISSUED),
        (PROOF, TOKEN, &posted, ISSUED),
        (PROOF, TOKEN, &plain, ISSUED),
        (PROOF, TOKEN, &nowhere, ISSUED),
        (PROOF, TOKEN, &target("/protectedresource/"), ISSUED),
        (PROOF, TOKEN, &target("*"), ISSUED),
    ] {
        let fault = judged(proof, token, target, seconds).unwrap_err();
        assert_eq!(fault.reason, Reason::JwtBinding);
        assert_eq!(
            fault.challenge,
            Some(Challenge::Proof),
            "{:?}",
            fault.detail
        );
    }
}

#[test]
fn a_thumbprint_is_of_the_required_members() {
    // RFC 7638 section 3.1.
    let jwk = serde_json::json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    let print = thumbprint(jwk.as_object().unwrap()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(print),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    // RFC 8037 appendix A.3.
    let jwk = serde_json::json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let print = thumbprint(jwk.as_object().unwrap()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(print),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    for other in [
        serde_json::json!({}),
        serde_json::json!({"kty": "oct", "k": "AA"}),
        serde_json::json!({"kty": "OKP", "crv": "Ed25519"}),
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": 7}),
        serde_json::json!({"kty": "OKP", "crv": "Ed25519\",\"x\":\"", "x": "AA"}),
    ] {
        assert_eq!(thumbprint(other.as_object().unwrap()), None, "{other}");
    }
}

#[test]
fn spellings_of_one_uri_are_the_same() {
    let url = "https://api.example.com/a/b~c%2Fd";
    for same in [
        "https://api.example.com/a/b~c%2Fd",
        "HTTPS://API.example.COM:443/a/b%7Ec%2fd",
        "https://api.example.com:/a/x/../b~c%2Fd?query#fragment",
        "https://api.example.com/%61/./b~c%2Fd#fragment?no-query",
    ] {
        assert!(is_same(same, url), "{same}");
    }
    assert!(is_same(
        "https://api.example.com",
        "https://api.example.com/"
    ));
    assert!(is_same(
        "https://api.example.com:443?q",
        "https://api.example.com/"
    ));
    assert!(is_same("http://[::1]:80/", "http://[::1]/"));
    // Browsers send such a path as it is.
    assert!(is_same(
        "https://api.example.com/a|b",
        "https://api.example.com/a|b"
    ));
    for other in [
        "",
        "/a/b~c%2Fd",
        "http://api.example.com/a/b~c%2Fd",
        "https://api.example.com:80/a/b~c%2Fd",
        "https://user@api.example.com/a/b~c%2Fd",
        "https://api.example.com.evil.test/a/b~c%2Fd",
        "https://api.example.com/a/b~c/d",
        "https://api.example.com/a/b~c%252Fd",
        "https://api.example.com/A/b~c%2Fd",
        "https://api.example.com//a/b~c%2Fd",
        "https://api.example.com/a/b~c%2Fd/",
        "https://api.example.com",
        "https:/api.example.com/a/b~c%2Fd",
        "urn:a",
    ] {
        assert!(!is_same(other, url), "{other}");
    }
}
