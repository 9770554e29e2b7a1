//! OPA's protocols on Envoy: long polling, the bearer token, and status updates.

use portcullis_engine::words::counter;
use portcullis_runner::{Asked, Reply};
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    load::Client,
    stage::{PATH, Stage, reply},
};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// By this a server says that it holds answers back (`v1/download/download.go`).
const HOLDS_BACK: &str = "application/vnd.openpolicyagent.bundles";
const STATUS: &str = "/status";

fn header(asked: &Asked, name: &str) -> String {
    let value = asked.headers.get(name).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// Of all that was asked for.
fn headers(asked: &[Asked], name: &str) -> Vec<String> {
    asked.iter().map(|asked| header(asked, name)).collect()
}

fn long(seconds: u64) -> impl Fn(&mut Value) {
    move |document| {
        document["policy"]["bundle"]["poll"]["long"] = json!(format!("{seconds}s"));
        document["policy"]["bundle"]["token"] = json!("token-of-the-gates");
    }
}

fn held_back(mut reply: Reply) -> Reply {
    reply
        .headers
        .push(("content-type".to_owned(), HOLDS_BACK.to_owned()));
    reply.waits = true;
    reply
}

/// The server has the answer wait until there is something new: nobody asks again meanwhile, and what is
/// published is enforced without another question.
#[test]
fn a_server_may_hold_its_answer_back() {
    let Some(stage) = Stage::start(2, &[&long(50)]) else {
        return;
    };
    let instances = stage.instances();
    let mut bundles = (1..=3).map(|number| {
        let name = format!("r{number}");
        let bundle = stage
            .publisher
            .bundle(revision(&name, number, &name, Rule::Everybody));
        held_back(reply(bundle, &name))
    });
    let [first, second, third] = [(); 3].map(|()| bundles.next().unwrap());
    assert!(
        stage
            .server
            .wait_asked(PATH, instances, Duration::from_secs(60))
    );
    let asked = stage.server.latest(PATH);
    // It is not known yet whether the server can.
    let prefers = vec!["modes=snapshot,delta;wait=50".to_owned(); asked.len()];
    assert_eq!(headers(&asked, "prefer"), prefers);
    assert_eq!(headers(&asked, "if-none-match"), vec![""; asked.len()]);
    let token = vec!["Bearer token-of-the-gates"; asked.len()];
    assert_eq!(headers(&asked, "authorization"), token);
    assert!(header(&asked[0], "accept").contains(HOLDS_BACK));
    stage.server.set(PATH, first);
    stage.until_counted(counter::BUNDLE_ACTIVATIONS, instances);
    assert!(
        stage
            .server
            .wait_asked(PATH, instances, Duration::from_secs(60))
    );
    let asked = stage.server.latest(PATH);
    assert_eq!(headers(&asked, "prefer"), prefers);
    assert_eq!(
        headers(&asked, "if-none-match"),
        vec!["\"r1\""; asked.len()]
    );
    let mut client = Client::connect(stage.address(0)).unwrap();
    for (number, reply) in [(2, second), (3, third)] {
        let published = Instant::now();
        stage.server.set(PATH, reply);
        stage.until_counted(counter::BUNDLE_ACTIVATIONS, number * instances);
        println!(
            "r{number}: enforced everywhere {:?} after it was published",
            published.elapsed()
        );
        assert_eq!(client.ask("").unwrap().literal, format!("r{number}"));
        assert!(
            stage
                .server
                .wait_asked(PATH, instances, Duration::from_secs(60))
        );
    }
    // Once for each, and once for what comes next; nobody had to be told that there is nothing new.
    assert_eq!(stage.metric(counter::BUNDLE_FETCHES), 4 * instances);
    assert_eq!(stage.metric(counter::BUNDLE_UNCHANGED), 0);
    portcullis_tests::assert_well(&stage.envoy);
}

/// Where nothing comes in the time that the gate gives it, the server says so, and is asked again.
#[test]
fn a_server_that_has_nothing_new_says_so_in_time() {
    let Some(stage) = Stage::start(1, &[&long(1)]) else {
        return;
    };
    let bundle = stage
        .publisher
        .bundle(revision("r1", 1, "r1", Rule::Everybody));
    stage
        .server
        .set(PATH, held_back(reply(bundle.clone(), "r1")));
    stage.until_counted(counter::BUNDLE_UNCHANGED, 2 * stage.instances());
    assert_eq!(stage.metric(counter::BUNDLE_ACTIVATIONS), stage.instances());
    // One that cannot hold it back is asked as if nobody could, and not all the time.
    stage.server.set(PATH, reply(bundle, "r1 again"));
    assert!(
        stage
            .server
            .wait_asked(PATH, 4 * stage.instances(), Duration::from_secs(60))
    );
    let asked = stage.server.latest(PATH);
    assert_eq!(
        headers(&asked[asked.len() - 1..], "prefer"),
        ["modes=snapshot,delta"]
    );
}

/// One that says that it holds answers back, and does not, is not asked all the time.
#[test]
fn a_server_that_does_not_wait_is_asked_now_and_then() {
    let poll = |document: &mut Value| {
        long(50)(document);
        document["policy"]["bundle"]["poll"]["min"] = json!("1s");
        document["policy"]["bundle"]["poll"]["max"] = json!("1s");
    };
    let Some(stage) = Stage::start(1, &[&poll]) else {
        return;
    };
    let bundle = stage
        .publisher
        .bundle(revision("r1", 1, "r1", Rule::Everybody));
    let at_once = |etag: Option<&str>| {
        let mut reply = held_back(reply(bundle.clone(), etag.unwrap_or_default()));
        reply.waits = false;
        if etag.is_none() {
            reply.headers.remove(0);
        }
        reply
    };
    // With a tag it says that nothing is new, and without one it sends the same again and again.
    for etag in [Some("r1"), None] {
        stage.server.set(PATH, at_once(etag));
        stage.until_counted(counter::BUNDLE_ACTIVATIONS, stage.instances());
        std::thread::sleep(Duration::from_secs(2));
        let asked = stage.server.asked(PATH);
        // Else it would be hundreds.
        assert!(asked <= 10 * stage.instances(), "{asked}");
    }
}

#[test]
fn what_became_of_bundles_is_reported_as_opa_does() {
    let reports = |document: &mut Value| {
        document["policy"]["bundle"]["name"] = json!("authz");
        document["policy"]["bundle"]["status"] = json!({
            "cluster": "bundles/bundles",
            "authority": "status.test",
            "token": "token-for-reports",
        });
    };
    let Some(stage) = Stage::start(1, &[&reports]) else {
        return;
    };
    let server = &stage.server;
    server.set(
        STATUS,
        Reply {
            status: 204,
            ..Reply::default()
        },
    );
    // The latest that is so of each gate, by its id.
    let reported =
        |what: &str, is: &dyn Fn(&Map<String, Value>) -> bool| -> Vec<Map<String, Value>> {
            let mut found = Vec::new();
            stage.until(what, || {
                let mut latest = Map::new();
                for asked in server.latest(STATUS) {
                    let (id, bundle) = held_to_opas_shape(&asked);
                    latest.insert(id, bundle.into());
                }
                found = latest
                    .values()
                    .filter_map(Value::as_object)
                    .cloned()
                    .collect();
                found.len() as u64 == stage.instances() && found.iter().all(is)
            });
            found
        };

    stage.activate(revision("r1", 1, "r1", Rule::Everybody));
    let active = |name: &'static str| {
        move |bundle: &Map<String, Value>| {
            bundle.get("active_revision") == Some(&json!(name)) && !bundle.contains_key("code")
        }
    };
    for bundle in reported("`r1` is reported", &active("r1")) {
        assert_eq!(bundle["type"], "snapshot");
        assert!(bundle["size"].as_u64() > Some(1_000));
        assert_ne!(bundle["last_successful_activation"], ZERO);
    }

    let mut spec = revision("r2", 2, "r2", Rule::Everybody);
    spec["signed"] = Value::Null;
    let body = stage.publisher.bundle(spec);
    server.set(
        PATH,
        Reply {
            body,
            ..Reply::default()
        },
    );
    let failed = |said: &'static str| {
        move |bundle: &Map<String, Value>| {
            let message = bundle.get("message").and_then(Value::as_str);
            message.is_some_and(|message| message.contains(said))
        }
    };
    for bundle in reported("the refusal is reported", &failed("not signed")) {
        assert_eq!(bundle["code"], "bundle_error");
        assert_eq!(bundle["active_revision"], "r1");
        assert!(!bundle.contains_key("http_code"));
    }
    server.set(
        PATH,
        Reply {
            status: 403,
            ..Reply::default()
        },
    );
    for bundle in reported("the server's refusal is reported", &failed("status 403")) {
        assert_eq!(bundle["code"], "bundle_error");
        assert_eq!(bundle["http_code"], 403);
        assert_eq!(bundle["active_revision"], "r1");
    }
    stage.activate(revision("r2", 2, "r2", Rule::Everybody));
    reported("`r2` is reported", &active("r2"));

    // A receiver that refuses takes nothing from anybody.
    server.set(
        STATUS,
        Reply {
            status: 500,
            ..Reply::default()
        },
    );
    stage.activate(revision("r3", 3, "r3", Rule::Everybody));
    stage.until_counted(counter::BUNDLE_STATUS_FAILURES, stage.instances());
    let log = stage.envoy.log();
    assert!(log.contains("policy.bundle.status: "), "{log}");
    assert!(!log.contains("token-for-reports"), "{log}");
}

/// Of a time that never was, in Go.
const ZERO: &str = "0001-01-01T00:00:00Z";

/// The gate's id and its bundle, in a report of the shape that OPA's status plugin sends: `labels`, and
/// `bundles` by name (`Status` of `v1/plugins/bundle/status.go`, whose fields and types these are).
fn held_to_opas_shape(asked: &Asked) -> (String, Map<String, Value>) {
    assert_eq!(asked.method, "POST");
    assert_eq!(header(asked, "content-type"), "application/json");
    assert_eq!(header(asked, "authorization"), "Bearer token-for-reports");
    assert_eq!(header(asked, "host"), "status.test");
    let report: Value = serde_json::from_slice(&asked.body).unwrap();
    let members: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(members, ["bundles", "labels"]);
    for label in ["id", "version", "app"] {
        assert!(report["labels"][label].is_string(), "{report}");
    }
    let bundles = report["bundles"].as_object().unwrap();
    assert_eq!(bundles.len(), 1);
    let bundle = bundles["authz"].as_object().unwrap().clone();
    // Those without `omitempty`.
    for always in [
        "name",
        "last_request",
        "last_successful_request",
        "last_successful_download",
        "last_successful_activation",
    ] {
        assert!(bundle.contains_key(always), "no `{always}`: {report}");
    }
    for (name, value) in &bundle {
        let is_right = match name.as_str() {
            "name" => value == "authz",
            "type" => value == "snapshot" || value == "delta",
            "code" | "message" | "active_revision" => {
                value.as_str().is_some_and(|it| !it.is_empty())
            }
            "size" | "http_code" => value.is_u64(),
            "last_request"
            | "last_successful_request"
            | "last_successful_download"
            | "last_successful_activation" => {
                let text = value.as_str().unwrap_or_default();
                text == ZERO || humantime::parse_rfc3339(text).is_ok()
            }
            _ => false,
        };
        assert!(is_right, "`{name}`: {report}");
    }
    let id = report["labels"]["id"].as_str().unwrap().to_owned();
    (id, bundle)
}
