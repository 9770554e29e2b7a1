//! Every gate of the manifests in a real Envoy, as Kubernetes, Istio and Envoy Gateway would start it, and what it answers.

use crate::{
    bootstrap::bootstrap,
    parties::{Parties, digest, signed},
    world::World,
};
use portcullis_runner::{Envoy, Exchange, Exit, Framing, Upstream, send};
use portcullis_tests::{assert_well, envoy};
use std::path::Path;

/// What comes with a request.
enum With {
    Nothing,
    Header(&'static str, &'static str),
    Preflight,
    /// Of these scopes.
    Token(&'static str),
    /// A token, and a body: the one that its digest is of, or another.
    Body(&'static str),
    /// A signature of the service `orders`, and a body.
    Signed(&'static str),
}

use With::{Body, Header, Nothing, Preflight, Signed, Token};

const TRUE: &str = "42 apples";
const CHANGED: &str = "43 apples";

/// A listener, a method, a path, what comes with it, and the status that comes back.
type Ask = (&'static str, &'static str, &'static str, With, u16);

const ASKS: &[Ask] = &[
    ("gate", "GET", "/orders", Nothing, 401),
    ("gate", "GET", "/orders", Token("orders:read"), 200),
    ("gate", "POST", "/orders", Token("orders:read"), 403),
    ("gate", "GET", "/healthz", Nothing, 200),
    ("gate", "GET", "/healthz", Header("x_user", "root"), 400),
    ("gate", "GET", "/orders%2f7", Token("orders:read"), 400),
    ("metrics", "GET", "/stats/prometheus", Nothing, 200),
    ("metrics", "GET", "/ready", Nothing, 200),
    ("metrics", "GET", "/config_dump", Nothing, 404),
    ("metrics", "POST", "/ready", Nothing, 404),
    ("metrics", "POST", "/quitquitquit", Nothing, 404),
    (WEB_TO_ORDERS, "GET", "/orders", Nothing, 200),
    (WEB_TO_ORDERS, "GET", "/payments", Nothing, 403),
    (WEB_TO_ORDERS, "GET", "/orders%2f7", Nothing, 400),
    (
        WEB_TO_ORDERS,
        "GET",
        "/orders",
        Header("x_user", "root"),
        400,
    ),
    (PAYMENTS_TO_ORDERS, "GET", "/orders", Nothing, 403),
    (
        PAYMENTS_TO_ORDERS,
        "GET",
        "/orders",
        Token("orders:read"),
        200,
    ),
    (PAYMENTS_TO_ORDERS, "OPTIONS", "/orders", Preflight, 200),
    (ORDERS_TO_PAYMENTS, "POST", "/payments", Nothing, 401),
    (ORDERS_TO_PAYMENTS, "POST", "/payments", Signed(TRUE), 200),
    // Held until the body was there, or there would be no digest to compare.
    (
        ORDERS_TO_PAYMENTS,
        "POST",
        "/payments",
        Signed(CHANGED),
        400,
    ),
    (WEB_TO_PAYMENTS, "POST", "/payments", Signed(TRUE), 403),
    (EDGE, "GET", "/orders", Nothing, 401),
    (EDGE, "GET", "/orders", Token("orders:read"), 200),
    (EDGE, "POST", "/orders", Body(TRUE), 200),
    (EDGE, "POST", "/orders", Body(CHANGED), 400),
    (EDGE, "OPTIONS", "/orders", Preflight, 200),
];

const EDGE: &str = "EnvoyExtensionPolicy/gate";
const WEB_TO_ORDERS: &str = "WasmPlugin/gate as web";
const PAYMENTS_TO_ORDERS: &str = "WasmPlugin/gate as payments";
const ORDERS_TO_PAYMENTS: &str = "EnvoyFilter/payments-gate as orders";
const WEB_TO_PAYMENTS: &str = "EnvoyFilter/payments-gate as web";

/// Starts one Envoy with all gates of the worlds, and asks each.
pub fn every_gate_decides(worlds: &[World]) {
    let Some(binary) = envoy() else { return };
    let (upstream, parties) = (Upstream::start().unwrap(), Parties::new());
    let folder = tempfile::tempdir().unwrap();
    let envoy = start(&binary, worlds, &upstream, &parties, folder.path());
    let listeners = envoy.listeners().unwrap();
    for (listener, method, path, with, status) in ASKS {
        let answer = send(
            listeners[*listener],
            &exchange(method, path, with, &parties),
        )
        .unwrap();
        assert_eq!(
            answer.status,
            *status,
            "{listener}: {method} {path}\n{}",
            envoy.log()
        );
        let told = upstream.take();
        assert_eq!(
            told.len(),
            usize::from(*status == 200),
            "{listener}: {method} {path}"
        );
        // Whose the request is, and that it was a gate that said so.
        if let (Token(_), Some(got)) = (with, told.first()) {
            assert_eq!(
                got.headers.get("x-user"),
                Some(b"alice".as_slice()),
                "{listener}"
            );
            assert!(got.headers.get("signature").is_some(), "{listener}");
        }
    }
    // One that nothing asked could have any gate, or none.
    for listener in listeners.keys().filter(|name| !name.ends_with(" inside")) {
        assert!(
            ASKS.iter().any(|(asked, ..)| asked == listener),
            "{listener}"
        );
    }
    assert_well(&envoy);
}

fn start(
    binary: &Path,
    worlds: &[World],
    upstream: &Upstream,
    parties: &Parties,
    folder: &Path,
) -> Envoy {
    let callers = [
        WEB_TO_ORDERS,
        PAYMENTS_TO_ORDERS,
        ORDERS_TO_PAYMENTS,
        WEB_TO_PAYMENTS,
    ];
    let (config, environment) = bootstrap(worlds, &callers, upstream.address, parties, folder);
    match Envoy::start(binary, &config, &environment).unwrap() {
        Exit::Serving(envoy) => envoy,
        Exit::Ended { log, .. } => panic!("{log}"),
    }
}

fn exchange(method: &str, path: &str, with: &With, parties: &Parties) -> Exchange {
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let bearer = |scope: &str| header("authorization", &format!("Bearer {}", parties.token(scope)));
    let mut lines = header("host", "shop");
    let mut body = "";
    lines.extend(match with {
        Nothing => Vec::new(),
        Header(name, value) => header(name, value),
        Preflight => [
            header("origin", "https://shop.example.com"),
            header("access-control-request-method", "POST"),
        ]
        .concat(),
        Token(scope) => bearer(scope),
        Body(sent) => {
            body = sent;
            [
                bearer("orders:write"),
                header("content-digest", &digest(TRUE)),
            ]
            .concat()
        }
        Signed(sent) => {
            body = sent;
            signed(method, path, &digest(TRUE))
        }
    });
    lines.extend(header("content-length", &body.len().to_string()));
    Exchange {
        method: method.into(),
        path: path.into(),
        lines: lines
            .into_iter()
            .map(|(name, value)| (name, value.into_bytes()))
            .collect(),
        shown: Vec::new(),
        body: body.into(),
        framing: Framing::default(),
        route: String::new(),
        virtual_host: String::new(),
        route_metadata: Vec::new(),
        tls: None,
    }
}
