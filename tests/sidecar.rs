//! [envoy/sidecar](../envoy/sidecar/README.md) on real Envoys, with real certificates: one beside `invoices`, one beside
//! `orders` that calls it. Who is not of the trust domain is nobody, and certificates are replaced while both run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_runner::{Received, Upstream};
use portcullis_tests::{
    assert_well, envoy,
    example::{Authority, Certificate, Client, Example, Lifetime, Running, trust, until},
};
use std::{net::SocketAddr, path::Path};

const INVOICES: &str = "spiffe://example.org/ns/shop/sa/invoices";
const ORDERS: &str = "spiffe://example.org/ns/shop/sa/orders";
const CART: &str = "spiffe://example.org/ns/shop/sa/cart";
const HOST: &str = "invoices.shop.svc.cluster.local";

/// The Envoy beside `invoices`, which is the upstream.
struct Stage {
    running: Running,
    upstream: Upstream,
    domain: Authority,
    /// The listener's own certificate.
    own: Certificate,
}

/// The files of an identity, with whom it believes, changed as one.
fn put(example: &Example, own: &Certificate, trusted: &[&Authority]) {
    let trusted: String = trusted.iter().map(|authority| authority.pem()).collect();
    let files = [
        ("tls.crt", &*own.pem),
        ("tls.key", &own.key),
        ("ca.crt", &trusted),
    ];
    example.put_together("svid", &files);
}

/// An Envoy beside a service that has this identity.
fn beside(
    binary: &Path,
    service: SocketAddr,
    invoices: SocketAddr,
    own: &Certificate,
    trusted: &Authority,
) -> Running {
    let mut example = Example::read("sidecar");
    put(&example, own, &[trusted]);
    example.point("service", service);
    example.point("invoices", invoices);
    // In place of an hour: a connection that is kept goes on with the certificate that it began with.
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = &mut example.cluster("invoices")["typed_extension_protocol_options"][options];
    assert!(options["common_http_protocol_options"]["max_connection_duration"].is_string());
    options["common_http_protocol_options"]["max_connection_duration"] = "1s".into();
    example.start(binary, &[])
}

impl Stage {
    /// Nothing where there is no Envoy.
    fn start() -> Option<Stage> {
        let binary = envoy()?;
        let domain = Authority::new("example.org");
        // A name beside the ID, for clients that know of no IDs.
        let own = domain.sign(&[INVOICES], &[HOST], Lifetime::Valid);
        let upstream = Upstream::start().unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let running = beside(&binary, upstream.address, nowhere, &own, &domain);
        Some(Stage {
            running,
            upstream,
            domain,
            own,
        })
    }

    fn client(&self, trusted: &[&Authority], shows: Option<&Certificate>) -> Client {
        let address = self.running.address("inbound");
        Client::new(address, HOST, Some(trust(trusted, shows)))
    }

    fn caller(&self, id: &str) -> Client {
        let shown = self.domain.sign(&[id], &[], Lifetime::Valid);
        self.client(&[&self.domain], Some(&shown))
    }

    /// No request of such a client is read, of whatever it asks for.
    fn is_refused(&self, why: &str, shows: Option<&Certificate>) {
        let client = self.client(&[&self.domain], shows);
        for target in ["/invoices/7", "/"] {
            let answer = client.ask("GET", target, &[]);
            assert!(answer.is_err(), "{why}: {answer:?}");
        }
        assert!(self.upstream.take().is_empty(), "{why}");
    }
}

fn header(received: &Received, name: &str) -> String {
    String::from_utf8_lossy(received.headers.get(name).unwrap_or_default()).into_owned()
}

/// Whom Envoy tells the service of, and nobody else.
fn told(received: &Received) -> String {
    let lines = received.headers.values("x-forwarded-client-cert");
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    let lines = lines.join(",");
    let uris = lines
        .split([';', ','])
        .filter_map(|part| part.strip_prefix("URI="));
    let uris: Vec<&str> = uris.collect();
    assert_eq!(uris.len(), 1, "{lines}");
    uris[0].to_owned()
}

#[test]
fn who_calls_is_who_shows_a_certificate_of_the_trust_domain() {
    let Some(stage) = Stage::start() else { return };
    the_policy_says_who_may_call_what(&stage);
    who_is_not_of_the_trust_domain_is_refused(&stage);
    what_is_said_of_certificates_is_not_believed(&stage);
    certificates_are_replaced_without_a_restart(stage);
}

fn the_policy_says_who_may_call_what(stage: &Stage) {
    let stranger = "spiffe://example.org/ns/other/sa/orders";
    for (id, method, target, status) in [
        (ORDERS, "GET", "/invoices", 200),
        (ORDERS, "GET", "/invoices/7", 200),
        (ORDERS, "DELETE", "/invoices/7", 403),
        (ORDERS, "GET", "/invoices-of-others", 403),
        (ORDERS, "GET", "/admin/../invoices", 200),
        (ORDERS, "GET", "/invoices/%2e%2e/admin", 403),
        (ORDERS, "GET", "/invoices%2f..%2fadmin", 400),
        (ORDERS, "POST", "/events", 200),
        (CART, "GET", "/invoices/7", 403),
        (CART, "POST", "/events", 200),
        (stranger, "GET", "/invoices/7", 403),
        (stranger, "POST", "/events", 403),
        ("spiffe://example.org/ns/shop", "POST", "/events", 403),
        (
            "spiffe://example.org/ns/shopping/sa/x",
            "POST",
            "/events",
            403,
        ),
    ] {
        let answer = stage.caller(id).ask(method, target, &[]).unwrap();
        assert_eq!(answer.status, status, "{method} {target} of {id}");
        let seen = stage.upstream.take();
        assert_eq!(
            seen.len(),
            usize::from(status == 200),
            "{method} {target} of {id}"
        );
        for seen in seen {
            assert_eq!(header(&seen, "x-caller"), id);
            assert_eq!(told(&seen), id);
        }
    }
    let answer = stage.caller(CART).get("/invoices/7", &[]);
    let line = stage.running.line(&answer);
    assert_eq!(
        (&line["caller"], &line["details"]),
        (&CART.into(), &"portcullis{policy.denied}".into())
    );
}

fn who_is_not_of_the_trust_domain_is_refused(stage: &Stage) {
    let domain = &stage.domain;
    stage.is_refused("no certificate", None);
    let other = Authority::new("example.org");
    let alike = other.sign(&[ORDERS], &[], Lifetime::Valid);
    stage.is_refused("one of another authority", Some(&alike));
    let expired = domain.sign(&[ORDERS], &[], Lifetime::Expired);
    stage.is_refused("one that has expired", Some(&expired));
    for id in [
        "spiffe://example.com/ns/shop/sa/orders",
        "spiffe://example.org.evil.test/ns/shop/sa/orders",
        "spiffe://example.orgs/ns/shop/sa/orders",
        "https://example.org/ns/shop/sa/orders",
        "x:spiffe://example.org/ns/shop/sa/orders",
    ] {
        let shown = domain.sign(&[id], &[], Lifetime::Valid);
        stage.is_refused(id, Some(&shown));
    }
    let named = domain.sign(&[], &["example.org", HOST], Lifetime::Valid);
    stage.is_refused("no ID", Some(&named));

    // A certificate has one ID (X.509-SVID section 2). Envoy takes one that has two, where either is of the trust
    // domain; the gate goes by the first, and that of another domain is nobody's.
    let two = ["spiffe://example.com/x", ORDERS];
    let shown = domain.sign(&two, &[], Lifetime::Valid);
    let answer = stage
        .client(&[domain], Some(&shown))
        .get("/invoices/7", &[]);
    assert_eq!(answer.status, 403);
    assert!(stage.upstream.take().is_empty());
}

fn what_is_said_of_certificates_is_not_believed(stage: &Stage) {
    let xfcc = format!("By={INVOICES};URI={ORDERS}");
    let said = [
        ("x-forwarded-client-cert", &*xfcc),
        ("x-forwarded-client-cert", &xfcc),
        ("x-caller", ORDERS),
    ];
    let cart = stage.caller(CART);
    assert_eq!(cart.ask("GET", "/invoices/7", &said).unwrap().status, 403);
    assert!(stage.upstream.take().is_empty());
    assert_eq!(cart.ask("POST", "/events", &said).unwrap().status, 200);
    let seen = stage.upstream.take();
    assert_eq!(header(&seen[0], "x-caller"), CART);
    assert_eq!(told(&seen[0]), CART);
}

/// First the identity, then the authority, as they are replaced: new beside old, then new alone.
fn certificates_are_replaced_without_a_restart(stage: Stage) {
    let old = &stage.domain;
    let orders = old.sign(&[ORDERS], &[], Lifetime::Valid);
    let caller = stage.client(&[old], Some(&orders));
    // What it shows to a new connection.
    let shown = |client: &Client| {
        let mut connection = client.connect().unwrap();
        let answer = connection.ask("GET", "/invoices/7", &[], "");
        answer
            .is_ok_and(|answer| answer.status == 200)
            .then(|| connection.certificate())
    };
    let mut kept = caller.connect().unwrap();
    let status =
        |answer: std::io::Result<portcullis_tests::example::Answer>| answer.unwrap().status;
    assert_eq!(status(kept.ask("GET", "/invoices/7", &[], "")), 200);
    assert_eq!(shown(&caller), Some(Some(stage.own.der.clone())));

    let next = old.sign(&[INVOICES], &[HOST], Lifetime::Valid);
    put(&stage.running.example, &next, &[old]);
    until("the new identity is shown", || {
        shown(&caller) == Some(Some(next.der.clone()))
    });

    // Whom the new authority signed for is let in once it is believed, and not before.
    let new = Authority::new("example.org, the next");
    let theirs = new.sign(&[ORDERS], &[], Lifetime::Valid);
    stage.upstream.take();
    stage.is_refused("an authority that is not believed yet", Some(&theirs));
    put(&stage.running.example, &next, &[old, &new]);
    let newcomer = stage.client(&[old, &new], Some(&theirs));
    until("the new authority is believed", || {
        shown(&newcomer).is_some()
    });
    assert!(shown(&caller).is_some());

    let last = new.sign(&[INVOICES], &[HOST], Lifetime::Valid);
    put(&stage.running.example, &last, &[&new]);
    until("the old authority is believed no more", || {
        shown(&newcomer) == Some(Some(last.der.clone()))
            && stage
                .client(&[old, &new], Some(&orders))
                .ask("GET", "/invoices/7", &[])
                .is_err()
    });
    // A connection that was there before lives on, until `max_connection_duration`.
    assert_eq!(status(kept.ask("GET", "/invoices/7", &[], "")), 200);
    assert_well(&stage.running.envoy);
}

#[test]
fn a_service_calls_with_its_own_certificate_and_only_whom_it_means() {
    let Some(stage) = Stage::start() else { return };
    let binary = envoy().unwrap();
    let domain = &stage.domain;
    let invoices = stage.running.address("inbound");
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let ours = |id| domain.sign(&[id], &[], Lifetime::Valid);
    let orders = beside(&binary, nowhere, invoices, &ours(ORDERS), domain);
    let local = Client::new(orders.address("outbound"), HOST, None);
    let said = [(
        "x-forwarded-client-cert",
        format!("By={INVOICES};URI={CART}"),
    )];
    let said = said.each_ref().map(|(name, value)| (*name, &**value));
    let answer = local.get("/invoices/7", &said);
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = stage.upstream.take();
    assert_eq!(header(&seen[0], "x-caller"), ORDERS);
    assert_eq!(told(&seen[0]), ORDERS);
    let lines: [(&str, &str); 1] = [("host", "elsewhere.example.com")];
    assert_eq!(local.get("/invoices/7", &lines).status, 404);

    // Its new identity is what it then shows: `cart` may not.
    put(&orders.example, &ours(CART), &[domain]);
    until("the new identity is shown", || {
        local.get("/invoices/7", &[]).status == 403
    });
    stage.upstream.take();

    // Whoever else answers there is not `invoices`, though of the trust domain, or in its name of another authority.
    let stranger = Authority::new("example.org");
    for (own, trusted) in [
        (ours(CART), domain),
        (stranger.sign(&[INVOICES], &[HOST], Lifetime::Valid), domain),
    ] {
        put(&stage.running.example, &own, &[trusted]);
        let checks = beside(&binary, nowhere, invoices, &ours(ORDERS), domain);
        let local = Client::new(checks.address("outbound"), HOST, None);
        let nobody =
            || stage.upstream.take().is_empty() && local.get("/invoices/7", &[]).status == 503;
        until("it is no longer taken for `invoices`", nobody);
        assert!(stage.upstream.take().is_empty());
        assert_well(&checks.envoy);
    }
    assert_well(&orders.envoy);
}
