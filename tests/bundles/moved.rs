//! A policy on its way through everything that can become of it, while requests are decided by it.

use portcullis_engine::words::{counter, gauge};
use portcullis_runner::Reply;
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    load::{Answer, Load, Sample},
    stage::{PATH, Stage, as_is, reply},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Enough that each of two workers has several.
const CLIENTS: usize = 6;
const LEAST_REQUESTS: usize = 2_000;

/// A revision that was published and may decide: in this order, and never back.
struct Published {
    name: &'static str,
    sequence: u64,
    tag: &'static str,
    rule: Rule,
}

const PUBLISHED: [Published; 4] = [
    Published {
        name: "r1",
        sequence: 1,
        tag: "open",
        rule: Rule::Everybody,
    },
    Published {
        name: "r2",
        sequence: 2,
        tag: "tight",
        rule: Rule::Admins,
    },
    // The publisher goes back: old content, and a new revision.
    Published {
        name: "r1+rollback.3",
        sequence: 3,
        tag: "open",
        rule: Rule::Everybody,
    },
    Published {
        name: "r4",
        sequence: 4,
        tag: "mended",
        rule: Rule::Admins,
    },
];

impl Published {
    fn spec(&self) -> Value {
        revision(self.name, self.sequence, self.tag, self.rule)
    }

    fn answer(&self, is_admin: bool) -> Answer {
        let allows = is_admin || self.rule == Rule::Everybody;
        let reason = if allows {
            "policy.allowed"
        } else {
            "policy.denied"
        };
        Answer {
            status: if allows { 200 } else { 403 },
            literal: self.tag.to_owned(),
            data: self.tag.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// What never decides: a counter counts it, and the log says why.
struct Refused {
    name: &'static str,
    reply: Reply,
    counter: &'static str,
    said: &'static [&'static str],
}

#[test]
fn a_policy_moves_under_load() {
    let Some(stage) = Stage::start(2, &[&as_is]) else {
        return;
    };
    let [first, tightened, back, mended] = &PUBLISHED;
    stage.activate(first.spec());
    // Who is no admin, and who is.
    let requests = [String::new(), "x-role: admin\r\n".to_owned()];
    let ((), connections) = Load::run(stage.address(0), CLIENTS, &requests, |load| {
        stage.until("every client is answered", || {
            load.every(|answer| answer.literal == first.tag)
        });
        let mut moves = Moves {
            stage: &stage,
            load,
            active: first,
        };
        moves.quiet();
        moves.publish(tightened);
        for refused in refusals(&stage) {
            moves.refuse(refused);
        }
        moves.publish(back);
        for refused in lies() {
            moves.refuse(refused);
        }
        moves.die();
        moves.publish(mended);
        moves.quiet();
    });
    let samples: Vec<_> = connections
        .into_iter()
        .map(|connection| (connection.port, connection.samples()))
        .collect();
    hold(&stage, &samples);
    portcullis_tests::assert_well(&stage.envoy);
}

/// Bundles that no gate takes.
fn refusals(stage: &Stage) -> Vec<Refused> {
    let bundle = |change: &dyn Fn(&mut Value)| {
        let mut spec = revision("bad", 9, "bad", Rule::Everybody);
        change(&mut spec);
        // Another tag each time, as a server would.
        reply(stage.publisher.bundle(spec), "bad")
    };
    let older = revision("r1", 1, "open", Rule::Everybody);
    vec![
        Refused {
            name: "broken",
            reply: bundle(&|spec| {
                spec["files"]["app.rego"] = json!("package app\n\nallow := {");
            }),
            counter: counter::BUNDLE_LOAD_FAILURES,
            said: &["refused (load): ", "app.rego:3"],
        },
        Refused {
            name: "unsigned",
            reply: bundle(&|spec| spec["signed"] = Value::Null),
            counter: counter::BUNDLE_VERIFY_FAILURES,
            said: &["refused (verify): ", "sign"],
        },
        Refused {
            name: "tampered",
            reply: bundle(&|spec| {
                spec["changed"] = json!({"told/data.json": {"tag": "tampered"}});
            }),
            counter: counter::BUNDLE_VERIFY_FAILURES,
            said: &["refused (verify): ", "told/data.json"],
        },
        Refused {
            name: "signed by a stranger",
            reply: bundle(&|spec| spec["signed"] = json!({"key": "stranger", "id": "release"})),
            counter: counter::BUNDLE_VERIFY_FAILURES,
            said: &["refused (verify): ", "`release`"],
        },
        Refused {
            name: "of a key that nobody has",
            reply: bundle(&|spec| spec["signed"] = json!({"key": "stranger"})),
            counter: counter::BUNDLE_VERIFY_FAILURES,
            said: &["refused (verify): ", "`stranger`"],
        },
        Refused {
            name: "older",
            reply: reply(stage.publisher.bundle(older), "older"),
            counter: counter::BUNDLE_ORDER_FAILURES,
            said: &[
                "refused (order): revision `r1` is older than `r2`, which was active: its sequence is 1, before 2",
                "portcullis bundle rollback",
            ],
        },
        Refused {
            name: "truncated",
            reply: bundle(&|spec| spec["cut"] = json!(1_000)),
            counter: counter::BUNDLE_UNPACK_FAILURES,
            said: &["refused (unpack): "],
        },
    ]
}

/// What a server does that is dying.
fn lies() -> Vec<Refused> {
    let body = || Reply {
        body: vec![b'b'; 100_000],
        ..Reply::default()
    };
    let refused = |name, reply, said| Refused {
        name,
        reply,
        counter: counter::BUNDLE_DOWNLOAD_FAILURES,
        said,
    };
    vec![
        refused(
            "an error",
            Reply {
                status: 500,
                ..body()
            },
            &["policy.bundle: ", "the answer has status 500"][..],
        ),
        refused(
            "an end in the middle",
            Reply {
                cut: Some(50_000),
                ..body()
            },
            &["policy.bundle: ", "there was no answer"][..],
        ),
        refused(
            "a reset in the middle",
            Reply {
                cut: Some(50_000),
                reset: true,
                ..body()
            },
            &["policy.bundle: ", "there was no answer"][..],
        ),
        refused(
            "no answer",
            Reply::held(),
            &["policy.bundle: ", "the answer has status 504"][..],
        ),
    ]
}

struct Moves<'a> {
    stage: &'a Stage,
    load: &'a Load,
    active: &'a Published,
}

impl<'a> Moves<'a> {
    /// What everything else is held against.
    fn quiet(&self) {
        let from = Instant::now();
        thread::sleep(Duration::from_secs(1));
        let (longest, count) = self.load.longest(from, Instant::now());
        println!("quiet: the longest of {count} requests {longest:?}");
    }

    fn publish(&mut self, next: &'a Published) {
        let stage = self.stage;
        let bundle = stage.publisher.bundle(next.spec());
        let (count, log) = (
            stage.metric(counter::BUNDLE_ACTIVATIONS),
            stage.envoy.log().len(),
        );
        let began = SystemTime::now();
        let from = Instant::now();
        stage.server.set(PATH, reply(bundle, next.name));
        let wanted = count + stage.instances();
        let is_next = |answer: &Answer| answer.literal == next.tag;
        stage.until("every client is answered by the next", || {
            self.load.every(is_next)
        });
        let to = Instant::now();
        stage.until_counted(counter::BUNDLE_ACTIVATIONS, wanted);
        // Each instance took it once, and it was not sent again.
        let unchanged = stage.metric(counter::BUNDLE_UNCHANGED);
        stage.until_counted(counter::BUNDLE_UNCHANGED, unchanged + 2 * stage.instances());
        assert_eq!(
            stage.metric(counter::BUNDLE_ACTIVATIONS),
            wanted,
            "{}",
            next.name
        );
        let said = stage.log_since(log);
        let line = format!(
            "portcullis: policy.bundle: revision `{}` is active in place of `{}`, signed by `release`: a snapshot of",
            next.name, self.active.name
        );
        let lines: Vec<&str> = said.lines().filter(|text| text.contains(&line)).collect();
        assert_eq!(lines.len() as u64, stage.instances(), "{said}");
        self.active = next;
        self.gauges(began);
        let (first, last) = self.load.spread(from, is_next);
        let (longest, count) = self.load.longest(from, to);
        println!(
            "{}: enforced {first:?} after it was published, everywhere after {last:?}; the longest of {count} \
             requests meanwhile {longest:?}",
            next.name
        );
        for line in lines {
            println!("  {}", line.split("policy.bundle: ").nth(1).unwrap_or(line));
        }
    }

    fn refuse(&mut self, refused: Refused) {
        let stage = self.stage;
        let name = refused.name;
        let (count, log) = (stage.metric(refused.counter), stage.envoy.log().len());
        let activations = stage.metric(counter::BUNDLE_ACTIVATIONS);
        stage.server.set(PATH, refused.reply);
        // More than once each.
        stage.until_counted(refused.counter, count + 2 * stage.instances());
        let said = stage.log_since(log);
        let is_told = |line: &str| refused.said.iter().all(|part| line.contains(part));
        assert!(said.lines().any(is_told), "{name}: {said}");
        assert_eq!(
            stage.metric(counter::BUNDLE_ACTIVATIONS),
            activations,
            "{name}"
        );
        let line = said.lines().find(|line| is_told(line)).unwrap_or_default();
        println!(
            "{name}: {}",
            line.split("policy.bundle: ").nth(1).unwrap_or(line)
        );
        self.goes_on();
    }

    /// The server is gone, and comes back.
    fn die(&mut self) {
        let stage = self.stage;
        let count = stage.metric(counter::BUNDLE_DOWNLOAD_FAILURES);
        stage.server.kill().unwrap();
        stage.until_counted(
            counter::BUNDLE_DOWNLOAD_FAILURES,
            count + 2 * stage.instances(),
        );
        self.goes_on();
        stage.server.revive().unwrap();
    }

    /// Requests are decided by what was active.
    fn goes_on(&self) {
        let since = Instant::now();
        let tag = self.active.tag;
        self.stage.until("every client is answered", || {
            self.load.every(|answer| answer.literal == tag)
                && since.elapsed() > Duration::from_millis(50)
        });
        let metric = |name| self.stage.metric(name);
        assert_eq!(metric(gauge::POLICY_READY), self.stage.instances());
        assert_eq!(metric(gauge::BUNDLE_ORDER), self.active.sequence);
    }

    fn gauges(&self, began: SystemTime) {
        self.goes_on();
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = self.stage.metric(gauge::BUNDLE_ACTIVATED_AT);
        assert!(
            (seconds(began)..=seconds(SystemTime::now())).contains(&at),
            "{at}"
        );
        assert_eq!(self.stage.metric(gauge::POLICY_WAITING), 0);
    }
}

/// Each answer is the whole of one published policy's, and the decision's record names that revision; on
/// each connection they follow each other as they were published.
fn hold(stage: &Stage, samples: &[(u16, Vec<Sample>)]) {
    let count = samples.iter().map(|(_, samples)| samples.len()).sum();
    assert!(count >= LEAST_REQUESTS, "{count}");
    let mut logged: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for line in stage.access(count) {
        let (_, port) = line["client"].as_str().unwrap().rsplit_once(':').unwrap();
        logged.entry(port.parse().unwrap()).or_default().push(line);
    }
    let mut counts = BTreeMap::new();
    for (port, samples) in samples {
        let lines = &logged[port];
        assert_eq!(lines.len(), samples.len());
        let mut latest = 0;
        for (sample, line) in samples.iter().zip(lines) {
            let record = record(line);
            let name = record["revision"].as_str().unwrap_or_default();
            let place = PUBLISHED
                .iter()
                .position(|published| published.name == name);
            let place = place.unwrap_or_else(|| panic!("no revision that was published: {line}"));
            assert_eq!(
                sample.answer,
                PUBLISHED[place].answer(sample.kind == 1),
                "{line}"
            );
            assert!(place >= latest, "back in time: {line}");
            latest = place;
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(latest, PUBLISHED.len() - 1);
    }
    println!("{count} requests, by revision: {counts:?}");
    for worker in ["worker_0", "worker_1"] {
        // By the port of the configuration, which is for any.
        let name = format!("listener.127.0.0.1_0.{worker}.downstream_cx_total");
        assert!(
            stage.envoy.counter(&name) >= Some(2),
            "{worker} has had few clients"
        );
    }
}

/// What the filter says of a decision, in a line of the access log.
fn record(line: &Value) -> Value {
    match &line["record"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    }
}
