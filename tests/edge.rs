//! [envoy/edge](../envoy/edge/README.md) on a real Envoy, with real certificates and a real OpenID provider: a browser
//! signs in and is somebody to the upstream, and who is nobody gets nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "edge/browser.rs"]
mod browser;
#[path = "edge/stage.rs"]
mod stage;

use browser::{Browser, is_deleted, location, query, set_cookies};
use portcullis_tests::{
    assert_well,
    example::{Authority, Client, KEY, Lifetime},
    issuer::Issuer,
};
use serde_json::json;
use stage::{CALLBACK, IDP, SHOP, Shows, Stage, genuine, header, is_sent_to_sign_in, url};
use std::net::Ipv4Addr;

#[test]
fn who_signs_in_is_known_to_the_upstream_and_nobody_else_is() {
    let Some(mut stage) = Stage::start(genuine) else {
        return;
    };
    a_browser_signs_in(&stage);
    a_login_is_for_the_browser_that_began_it(&stage);
    a_session_cannot_be_made(&stage);
    another_sites_page_changes_nothing(&stage);
    who_signs_out_is_nobody(&stage);
    a_program_brings_its_own_credentials(&mut stage);
    what_is_around_the_gate(&stage);
    nobody_asks_too_often(&stage);
    assert_well(&stage.running.envoy);
}

fn a_browser_signs_in(stage: &Stage) {
    let wanted = url("/orders?id=7");
    let mut browser = stage.browser();
    let first = browser.get(&wanted);
    let to = location(&wanted, &first);
    assert!(is_sent_to_sign_in(&first), "{first:?}");
    assert_eq!(query(&to, "client_id"), "edge");
    assert_eq!(query(&to, "code_challenge_method"), "S256");
    assert_eq!(query(&to, "redirect_uri"), escaped(CALLBACK));

    let mut browser = stage.browser();
    let callback = stage.sign_in(&mut browser, &wanted, "alice");
    assert!(
        callback.starts_with(&format!("{CALLBACK}?code=")),
        "{callback}"
    );
    assert!(stage.seen().is_empty());
    let answer = browser.get(&callback);
    assert_eq!(
        (answer.status, location(&callback, &answer)),
        (302, wanted.clone())
    );
    let cookies = set_cookies(&answer);
    let kept = cookies.iter().filter(|cookie| !is_deleted(cookie));
    let kept: Vec<&String> = kept.collect();
    for name in ["bearer", "refresh", "hmac", "expires"] {
        assert!(
            kept.iter()
                .any(|it| it.starts_with(&format!("__Host-{name}="))),
            "{name}: {kept:?}"
        );
    }
    for cookie in kept {
        let cookie = cookie.to_lowercase().replace("; ", ";");
        for attribute in [";secure", ";httponly", ";samesite=lax", ";path=/"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        assert!(!cookie.contains("domain="), "{cookie}");
        // No token can be read there.
        assert!(!cookie.contains("=eyj"), "{cookie}");
    }

    // What a client says of itself counts for nothing, and what made it known stays here.
    let said = [
        ("x-user", "mallory"),
        ("x-client", "acme"),
        ("authorization", "Basic eA=="),
    ];
    let answer = browser.send("GET", &wanted, &said, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("strict-transport-security"),
        "max-age=31536000"
    );
    let seen = stage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].path, "/orders?id=7");
    assert_eq!(header(&seen[0], "x-user"), Some("alice"));
    for name in ["x-client", "authorization", "cookie"] {
        assert_eq!(header(&seen[0], name), None, "{name}");
    }
    // The scope that she has is to read.
    let (status, line) = stage.logged(|| browser.send("POST", &wanted, &[], "x=1"));
    assert_eq!(
        (status, &line["details"]),
        (403, &json!("portcullis{policy.denied}"))
    );
}

fn escaped(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F")
}

fn a_login_is_for_the_browser_that_began_it(stage: &Stage) {
    // With another state, in another browser, and a second time.
    let mut browser = stage.browser();
    let callback = stage.sign_in(&mut browser, &url("/orders"), "alice");
    let state = query(&callback, "state");
    let other = stage.browser().get(&url("/orders"));
    let others = location(&url("/orders"), &other);
    let (cut, _) = state.split_at(state.len() - 4);
    for wrong in ["", "x", query(&others, "state"), cut] {
        let answer = browser.clone().get(&callback.replace(state, wrong));
        assert_eq!(answer.status, 401, "{wrong}: {answer:?}");
        assert!(
            set_cookies(&answer)
                .iter()
                .all(|it| !it.starts_with("__Host-bearer=") || is_deleted(it))
        );
    }
    let answer = stage.browser().get(&callback);
    assert_eq!(answer.status, 401, "{answer:?}");
    // A code that the IdP never gave.
    let code = query(&callback, "code");
    let answer = browser.clone().get(&callback.replace(code, "made-up"));
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(browser.get(&callback).status, 302);
    assert!(stage.seen().is_empty());
}

fn a_session_cannot_be_made(stage: &Stage) {
    let alice = stage.signed_in("alice");
    let bob = stage.signed_in("bob");
    let named = |name: &str| (SHOP.to_owned(), format!("__Host-{name}"));
    let with = |browser: &Browser, name: &str, value: Option<&str>| {
        let mut browser = browser.clone();
        browser.cookies.remove(&named(name));
        let put = value.map(|value| (named(name), value.to_owned()));
        browser.cookies.extend(put);
        browser
    };
    let get = |mut browser: Browser| browser.get(&url("/orders"));
    // As it was made, it is good without asking the IdP.
    let answer = get(alice.clone());
    assert_eq!((answer.status, set_cookies(&answer).len()), (200, 0));
    assert_eq!(header(&stage.seen()[0], "x-user"), Some("alice"));

    // Each cookie changed, left out, and taken from another session.
    for name in ["bearer", "hmac", "expires"] {
        let value = &alice.cookies[&named(name)];
        let bobs = &bob.cookies[&named(name)];
        for wrong in [Some(&*changed(value)), Some("made-up"), None, Some(bobs)] {
            // The same second may have been that of both.
            if wrong == Some(value) {
                continue;
            }
            let session = with(&alice, name, wrong);
            for refresh in [None, Some("made-up")] {
                let answer = get(with(&session, "refresh", refresh));
                assert!(is_sent_to_sign_in(&answer), "{name} {wrong:?}: {answer:?}");
            }
            assert!(stage.seen().is_empty(), "{name} {wrong:?}");
            // Where there is still the refresh token, the IdP is asked: it says whose that is.
            let answer = get(session);
            let made = set_cookies(&answer);
            let made = made.iter().any(|cookie| cookie.starts_with("__Host-hmac="));
            assert!(answer.status == 200 && made, "{name} {wrong:?}: {answer:?}");
            assert_eq!(header(&stage.seen()[0], "x-user"), Some("alice"));
        }
    }
    let refresh = &alice.cookies[&named("refresh")];
    for wrong in [Some(&*changed(refresh)), Some("made-up"), None] {
        let answer = get(with(&alice, "refresh", wrong));
        assert!(is_sent_to_sign_in(&answer), "{wrong:?}: {answer:?}");
    }
    assert!(stage.seen().is_empty());
    // No cookie was read that is encrypted without authentication, as Envoy makes them by itself.
    let legacy = "http.edge.oauth_legacy_cbc_decrypt";
    assert_eq!(stage.running.envoy.counter(legacy), Some(0));
}

/// With another character in its middle.
fn changed(value: &str) -> String {
    let (start, end) = value.split_at(value.len() / 2);
    let (one, end) = end.split_at(1);
    let other = if one == "1" { "2" } else { "1" };
    format!("{start}{other}{end}")
}

fn another_sites_page_changes_nothing(stage: &Stage) {
    let alice = stage.signed_in("alice");
    for (origin, reason) in [
        (
            "https://evil.example.com",
            "a page of another site sent this",
        ),
        ("null", "a page of another site sent this"),
        // Of the shop itself: then it is the scope.
        ("https://shop.example.com", "no scope allows this"),
    ] {
        let post = || {
            alice
                .clone()
                .send("POST", &url("/orders"), &[("origin", origin)], "x=1")
        };
        let (status, line) = stage.logged(post);
        assert_eq!(status, 403, "{origin}");
        assert!(
            line["decision"].to_string().contains(reason),
            "{origin}: {line}"
        );
    }
    assert!(stage.seen().is_empty());
}

fn who_signs_out_is_nobody(stage: &Stage) {
    let mut alice = stage.signed_in("alice");
    let answer = alice.get(&url("/oauth2/signout"));
    let to = answer.header("location");
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(
        to.starts_with("https://idp.example.com/session/end"),
        "{to}"
    );
    assert!(
        alice
            .cookies
            .keys()
            .all(|(host, name)| host != SHOP || name != "__Host-bearer")
    );
    assert!(is_sent_to_sign_in(&alice.get(&url("/orders"))));
    assert!(stage.seen().is_empty());
}

/// Past `oauth2`, and not past the gate.
fn a_program_brings_its_own_credentials(stage: &mut Stage) {
    let token = stage.issuer.mint(1, "jwt").remove(0);
    let (body, _) = token.rsplit_once('.').unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    // Of a key that is the stranger's, and the issuer's with another signature.
    let mut stranger = Issuer::start_as(json!({"issuer": format!("https://{IDP}")})).unwrap();
    let strangers = stranger.mint(1, "jwt").remove(0);
    let forged = format!("{body}.{}", "A".repeat(86));
    for (name, value, status, details) in [
        ("authorization", bearer(&token), 200, "via_upstream"),
        (
            "authorization",
            bearer(&token).replace("Bearer", "bearer"),
            200,
            "via_upstream",
        ),
        (
            "authorization",
            bearer(&strangers),
            401,
            "portcullis{jwt.key_unknown}",
        ),
        (
            "authorization",
            bearer(&forged),
            401,
            "portcullis{jwt.signature}",
        ),
        (
            "authorization",
            bearer("opaque"),
            401,
            "portcullis{jwt.malformed}",
        ),
        ("x-api-key", KEY.to_owned(), 200, "via_upstream"),
        (
            "x-api-key",
            "a key of nobody's".to_owned(),
            401,
            "portcullis{api_key.unknown}",
        ),
    ] {
        let ask = || {
            stage
                .shop
                .get("/orders", &[(name, &value), ("x-user", "eve")])
        };
        let (found, line) = stage.logged(ask);
        assert_eq!(
            (found, line["details"].as_str()),
            (status, Some(details)),
            "{value}: {line}"
        );
        let seen = stage.seen();
        assert_eq!(seen.len(), usize::from(status == 200), "{value}");
        for seen in seen {
            let who = [header(&seen, "x-user"), header(&seen, "x-client")];
            let wanted = match name {
                "x-api-key" => [None, Some("acme")],
                _ => [Some("gate"), None],
            };
            assert_eq!(who, wanted);
            assert_eq!(header(&seen, name), None);
        }
    }
    // A stranger's credentials are not made good by somebody's session.
    let alice = stage.signed_in("alice");
    let lines = [("authorization", &*bearer(&strangers))];
    let ask = || alice.clone().send("GET", &url("/orders"), &lines, "");
    assert_eq!(stage.logged(ask).0, 401);
    // Nor is another scheme let by.
    for (name, value) in [("authorization", "Basic eA=="), ("authorization", "Bearer")] {
        assert!(
            is_sent_to_sign_in(&stage.shop.get("/orders", &[(name, value)])),
            "{value}"
        );
    }
    assert!(stage.seen().is_empty());
}

fn what_is_around_the_gate(stage: &Stage) {
    let shop = &stage.shop;
    // A script is told, in place of being sent to a page that it cannot show.
    assert_eq!(
        shop.get("/orders", &[("sec-fetch-mode", "cors")]).status,
        401
    );
    assert_eq!(shop.get("/healthz", &[]).status, 200);
    assert!(is_sent_to_sign_in(&shop.get("/healthz/x", &[])));
    // No code is sent to where `Host` says.
    let answer = shop.get("/orders", &[("host", "evil.example.com")]);
    let to = answer.header("location");
    assert_eq!(query(&to, "redirect_uri"), escaped(CALLBACK));
    let own = [("x-api-key", KEY)];
    assert_eq!(
        shop.get("/orders", &[own[0], ("host", "other.example.com")])
            .status,
        404
    );
    for odd in ["/orders%2f..%2fadmin", "/a%5cb"] {
        assert_eq!(shop.get(odd, &own).status, 400, "{odd}");
    }
    assert_eq!(
        shop.get("/orders", &[own[0], ("x_user", "eve")]).status,
        400
    );
    assert!(stage.seen().is_empty());

    let plain = Client::new(stage.running.address("redirect"), "evil.example.com", None);
    let answer = plain.get("/orders?id=7", &[own[0]]);
    let to = "https://shop.example.com:443/orders?id=7";
    assert_eq!((answer.status, &*answer.header("location")), (301, to));
    assert!(stage.seen().is_empty());
}

/// A client's requests are counted by its address, and another's do not suffer for it.
fn nobody_asks_too_often(stage: &Stage) {
    let mut eager = stage.shop.clone();
    eager.from = Ipv4Addr::new(127, 0, 0, 2);
    let mut connection = eager.connect().unwrap();
    let wrong = [("x-api-key", "guessed")];
    let mut ask = || connection.ask("GET", "/orders", &wrong, "").unwrap().status;
    let found: Vec<u16> = (0..1000)
        .map(|_| ask())
        .take_while(|it| *it == 401)
        .collect();
    assert!((100..1000).contains(&found.len()), "{}", found.len());
    assert_eq!(stage.shop.get("/orders", &wrong).status, 401);
}

#[test]
fn an_idp_of_another_authority_is_none() {
    nobody_is_known(|_| genuine(&Authority::new("an authority of nobody's")));
}

#[test]
fn a_server_of_another_name_is_no_idp() {
    nobody_is_known(|authority| authority.sign(&[], &["other.example.com"], Lifetime::Valid));
}

/// No code is exchanged and no key is fetched: neither a browser nor a token of that IdP gets in.
fn nobody_is_known(shows: Shows) {
    let Some(mut stage) = Stage::start(shows) else {
        return;
    };
    let mut browser = stage.browser();
    let callback = stage.sign_in(&mut browser, &url("/orders"), "alice");
    let answer = browser.get(&callback);
    assert!([401, 500, 503].contains(&answer.status), "{answer:?}");
    assert!(
        !browser
            .cookies
            .contains_key(&(SHOP.to_owned(), "__Host-bearer".to_owned()))
    );
    let token = format!("Bearer {}", stage.issuer.mint(1, "jwt").remove(0));
    let ask = || stage.shop.get("/orders", &[("authorization", &token)]);
    let (status, line) = stage.logged(ask);
    assert_eq!(
        (status, &line["details"]),
        (503, &json!("portcullis{jwks.unavailable}"))
    );
    assert_eq!(stage.issuer.asked("/token"), 0);
    assert!(stage.seen().is_empty());
    assert_well(&stage.running.envoy);
}
