//! What people come from runs here as well: the filters of before in a real Envoy, Istio's resources
//! translated into them, and an OPA's policy in another Rego. Each is asked what the scenario of after
//! asks, and answers the same, but where the page says that it does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "migration/before.rs"]
mod before;
#[path = "migration/istio.rs"]
mod istio;
#[path = "migration/opa.rs"]
mod opa;

use before::{Before, Difference};
use portcullis_gatefile::{GateFile, read_data};
use portcullis_runner::{Prepared, Scenario};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::PathBuf};

#[test]
fn jwt_authn_answers_as_the_gate_does() {
    let Some(envoy) = before::envoy() else { return };
    let differences = [
        Difference {
            case: "an expired one",
            before: Before::Tells("Jwt is expired"),
            page: "`jwt_authn` says `Jwt is expired` in its body",
        },
        Difference {
            case: "one for somebody else",
            before: Before::Refuses(403),
            page: "**Another audience is a 401**, `jwt.audience`, and was a 403.",
        },
        Difference {
            case: "one that never ends",
            before: Before::Allows,
            page: "**A token without `exp`** is refused",
        },
        Difference {
            case: "one with something critical",
            before: Before::Allows,
            page: "**`crit`** is refused",
        },
        Difference {
            case: "one with bits in its signature that no byte takes",
            before: Before::Allows,
            page: "a signature whose base64 has bits that no byte takes",
        },
        Difference {
            case: "a header that some read as another",
            before: Before::LetsThrough("x_user", "root"),
            page: "is removed with it; `jwt_authn` let it through.",
        },
        Difference {
            case: "two slashes",
            before: Before::Allows,
            page: "merges slashes and",
        },
        Difference {
            case: "an escaped slash",
            before: Before::Refuses(400),
            page: "refuses escaped ones",
        },
        Difference {
            case: "up and down again",
            before: Before::Allows,
            page: "resolves dot segments",
        },
    ];
    with("jwt_authn", |prepared| {
        let configuration = |upstream: SocketAddr| {
            let mut before = read_data(&policies("jwt-authn/before.yaml")).unwrap();
            let listener = "/static_resources/listeners/0/address/socket_address/port_value";
            put(&mut before, listener, &json!(8080), json!(0));
            let endpoint = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
            put(&mut before, endpoint, &json!(9000), json!(upstream.port()));
            let keys = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/providers/corp/local_jwks/inline_string";
            let shown = before.pointer(keys).unwrap().clone();
            same_keys(&shown, "jwt-authn");
            put(&mut before, keys, &shown, json!(before::key_set(prepared)));
            before
        };
        let page = "policies/from-jwt-authn.md";
        before::hold(&envoy, page, prepared, configuration, &differences);
    });
}

#[test]
fn istio_answers_as_the_gate_does() {
    let Some(envoy) = before::envoy() else { return };
    let slashes = "`/orders//x` and escaped slashes";
    let differences = [
        Difference {
            case: "a token for somebody else",
            before: Before::Refuses(403),
            page: "one for another audience, a 403 in Istio",
        },
        Difference {
            case: "a token that never ends",
            before: Before::Allows,
            page: "**A token without `exp`** is refused",
        },
        Difference {
            case: "a token with something critical",
            before: Before::Allows,
            page: "`crit` and `x_user` are as",
        },
        Difference {
            case: "a header that some read as another",
            before: Before::LetsThrough("x_user", "root"),
            page: "`crit` and `x_user` are as",
        },
        Difference {
            case: "a namespace of that name in another trust domain",
            before: Before::Allows,
            page: "**A namespace has a trust domain.**",
        },
        Difference {
            case: "two slashes",
            before: Before::Allows,
            page: slashes,
        },
        Difference {
            case: "an escaped slash",
            before: Before::Allows,
            page: slashes,
        },
        Difference {
            case: "up and down again",
            before: Before::Allows,
            page: "Istio resolves dot segments",
        },
    ];
    with("istio_authorizationpolicy", |prepared| {
        let resources = istio::read(&policies("istio-authorizationpolicy/before.yaml"));
        let mut translated = istio::translate(&resources);
        for keys in &mut translated.key_sets {
            same_keys(keys, "istio-authorizationpolicy");
            *keys = json!(before::key_set(prepared));
        }
        let configuration = |upstream| istio::bootstrap(prepared, upstream, &translated);
        let page = "policies/from-istio-authorizationpolicy.md";
        before::hold(&envoy, page, prepared, configuration, &differences);
    });
}

#[test]
fn a_field_of_istios_that_is_not_known_is_refused() {
    let file = policies("istio-authorizationpolicy/before.yaml");
    let known = istio::read(&file);
    for (resource, pointer) in [
        (0, "/spec"),
        (0, "/spec/jwtRules/0"),
        (2, "/spec/rules/1"),
        (2, "/spec/rules/1/to/0/operation"),
    ] {
        let mut resources = known.clone();
        resources[resource].pointer_mut(pointer).unwrap()["notYet"] = json!(["x"]);
        let translated = std::panic::catch_unwind(|| istio::translate(&resources));
        assert!(translated.is_err(), "{pointer}");
    }
}

#[test]
fn the_opa_policy_answers_alike_in_another_rego() {
    let here = scenario_folder("opa_sidecar_before").join("migration/before.rego");
    let shown = policies("opa-sidecar/before.rego");
    let [ran, shown] = [here, shown].map(|file| fs::canonicalize(file).unwrap());
    assert_eq!(ran, shown, "the policy stands once");
    with("opa_sidecar_before", |prepared| opa::hold(&shown, prepared));
}

#[test]
fn with_the_token_verified_by_the_gate_the_statuses_stay() {
    let page = fs::read_to_string(portcullis_tests::root().join("policies/from-opa-sidecar.md"));
    let stricter = ["one that never ends"];
    assert!(
        page.unwrap()
            .contains("`decode_verify` took a token without `exp`.")
    );
    let [before, after] = ["opa_sidecar_before", "opa_sidecar"].map(|name| {
        let folder = scenario_folder(name);
        Scenario::read(&folder, &folder).unwrap().file.cases
    });
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.name, after.name);
        let requests = [before, after].map(|case| format!("{:?}", case.request));
        assert_eq!(requests[0], requests[1], "{}", before.name);
        let (was, is) = (before.expect.status, after.expect.status);
        match stricter.contains(&&*before.name) {
            true => assert_eq!((was, is), (200, 401), "{}", before.name),
            false => assert_eq!(was, is, "{}", before.name),
        }
    }
}

/// What `gate.yaml` and before show is the same key set.
fn same_keys(shown: &Value, migration: &str) {
    let gate = GateFile::read(&policies(migration).join("gate.yaml")).unwrap();
    let keys = gate.document.pointer("/jwt/providers/corp/jwks/inline");
    let shown: Value = serde_json::from_str(shown.as_str().unwrap()).unwrap();
    assert_eq!(keys.unwrap(), &shown);
}

fn put(document: &mut Value, pointer: &str, shown: &Value, value: Value) {
    let place = document.pointer_mut(pointer).unwrap();
    assert_eq!(place, shown, "{pointer}");
    *place = value;
}

fn with(scenario: &str, test: impl FnOnce(&Prepared<'_>)) {
    let folder = scenario_folder(scenario);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    test(&runner.prepare(&scenario).unwrap());
}

fn scenario_folder(name: &str) -> PathBuf {
    portcullis_tests::root()
        .join("tests/scenarios/migration")
        .join(name)
}

fn policies(path: &str) -> PathBuf {
    portcullis_tests::root()
        .join("policies/migration")
        .join(path)
}
