//! The example's Envoy between a browser, an OpenID provider and an upstream.

use crate::browser::{Browser, location, parts};
use portcullis_runner::{Received, Upstream, find_envoy};
use portcullis_tests::{
    example::{
        Answer, Authority, Certificate, Client, Example, Lifetime, PEPPER, Running, trust, with_key,
    },
    issuer::Issuer,
    needed, root,
};
use serde_json::{Value, json};

pub const SHOP: &str = "shop.example.com";
pub const IDP: &str = "idp.example.com";
pub const CALLBACK: &str = "https://shop.example.com/oauth2/callback";
const SECRET: &str = "what-the-client-shows-to-the-token-endpoint";

/// The example's Envoy, and what stands around it.
pub struct Stage {
    pub running: Running,
    pub issuer: Issuer,
    upstream: Upstream,
    /// A client with no cookies and no credentials.
    pub shop: Client,
    idp: Client,
}

/// What the IdP shows, which the one that the example's authority signed for its name is not always.
pub type Shows = fn(&Authority) -> Certificate;

pub fn genuine(authority: &Authority) -> Certificate {
    authority.sign(&[], &[IDP], Lifetime::Valid)
}

impl Stage {
    /// Nothing where there is no Envoy, or no Node.
    pub fn start(shows: Shows) -> Option<Stage> {
        let authority = Authority::new("an authority that this machine believes");
        let shown = shows(&authority);
        let issuer = Issuer::start_as(json!({
            "issuer": format!("https://{IDP}"),
            "tls": {"cert": shown.pem, "key": shown.key},
            "browser": {"id": "edge", "secret": SECRET, "callback": CALLBACK},
        }));
        let there = find_envoy(&root()).and_then(|envoy| issuer.map(|issuer| (envoy, issuer)));
        let (envoy, issuer) = needed(there)?;
        let upstream = Upstream::start().unwrap();
        let mut example = Example::read("edge");
        let own = authority.sign(&[], &[SHOP], Lifetime::Valid);
        example.put_together("tls", &[("tls.crt", &own.pem), ("tls.key", &own.key)]);
        example.put("secrets/client-secret", SECRET);
        example.put(
            "secrets/hmac-secret",
            "32 random bytes, which a test need not",
        );
        example.put_certificates(&authority.pem());
        example.point("upstream", upstream.address);
        example.point("idp", issuer.tls.unwrap());
        let gate = &mut example.filter("edge", "portcullis")["typed_config"]["config"];
        let document = gate["configuration"]["value"].as_str().unwrap();
        gate["configuration"]["value"] = json!(with_key(document));
        let running = example.start(&envoy, &[("PORTCULLIS_PEPPER", PEPPER)]);
        let trusted = trust(&[&authority], None);
        Some(Stage {
            shop: Client::new(running.address("edge"), SHOP, Some(trusted.clone())),
            // Who looks at it here is the browser: whom Envoy takes for the IdP is Envoy's to say.
            idp: Client::new(issuer.address, IDP, None),
            running,
            issuer,
            upstream,
        })
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&[self.shop.clone(), self.idp.clone()])
    }

    /// Signs in at the IdP, up to where that sends the browser with a code.
    pub fn sign_in(&self, browser: &mut Browser, url: &str, user: &str) -> String {
        let answer = browser.get(url);
        assert_eq!(answer.status, 302);
        let (at, answer) = browser.follow(url, &answer);
        let (_, form) = browser.follow(&at, &answer);
        let login = format!("prompt=login&login={user}&password=any");
        let (at, answer) = browser.submit(&form, &login);
        let (at, answer) = browser.follow(&at, &answer);
        let (_, form) = browser.follow(&at, &answer);
        let (at, answer) = browser.submit(&form, "prompt=consent");
        let (at, answer) = browser.follow(&at, &answer);
        location(&at, &answer)
    }

    /// A browser that has signed in.
    pub fn signed_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        let callback = self.sign_in(&mut browser, &url("/"), user);
        assert_eq!(browser.get(&callback).status, 302);
        browser
    }

    /// What the upstream has seen since the last time.
    pub fn seen(&self) -> Vec<Received> {
        self.upstream.take()
    }

    /// The answer, and what the access log says of it.
    pub fn logged(&self, ask: impl FnOnce() -> Answer) -> (u16, Value) {
        let answer = ask();
        (answer.status, self.running.line(&answer))
    }
}

pub fn url(target: &str) -> String {
    format!("https://{SHOP}{target}")
}

pub fn header<'r>(received: &'r Received, name: &str) -> Option<&'r str> {
    let value = received.headers.get(name)?;
    Some(std::str::from_utf8(value).unwrap())
}

/// Sent to the IdP, and nowhere else.
pub fn is_sent_to_sign_in(answer: &Answer) -> bool {
    answer.status == 302 && parts(&answer.header("location")).0 == IDP
}
