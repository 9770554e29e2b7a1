//! Trailers, which Envoy passes on over HTTP/2 only: what goes from them is asked here, without it.

use portcullis_engine::{Gate, HeaderEdit};

#[test]
fn what_clients_may_not_send_goes_from_trailers_too() {
    let document = serde_json::json!({
        "policy": {"modules": {"a.rego": "package envoy.authz\n\nallow := false"}},
        "jwt": {"providers": {"corp": {
            "issuer": "https://idp.test",
            "audiences": "any",
            "algorithms": ["HS256"],
            "jwks": {"inline": {"keys": [{"kty": "oct", "k": {"env": "SECRET"}}]}},
            "claim_headers": {"x-user": "sub"},
            "payload_header": "x-claims",
            "bind": ["dpop"],
        }}},
        "headers": {"remove": ["x-internal-*"]},
    });
    let secrets = |name: &str| (name == "SECRET").then(|| "0123456789".repeat(4));
    let gate = Gate::load(document.to_string().as_bytes(), &secrets).unwrap();
    let sent = [
        "grpc-status",
        "x-user",
        "x_user",
        "x-internal-a",
        "authorization",
        "dpop",
        "x-claims",
        "x-users",
    ];
    let gone = [
        "x-user",
        "x_user",
        "x-internal-a",
        "authorization",
        "dpop",
        "x-claims",
    ];
    assert_eq!(
        gate.trailers(sent),
        gone.map(|name| HeaderEdit::Remove(name.to_owned()))
    );
}
