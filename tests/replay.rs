//! That nothing is played twice: on the real Envoy, whose two workers are sent the same requests at the
//! same time, and in the module, whose memory is looked at.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_crypto::hmac_sha256;
use portcullis_runner::{
    Envoy, Exchange, Exit, Module, PluginGate, Prepared, Scenario, Upstream, envoy_bootstrap,
    envoy_listener,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{Barrier, OnceLock},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const SCENARIO: &str = "tests/replay";
/// Of the configuration's two keys.
const SECRET: &[u8] = b"a-secret-of-32-bytes-or-even-more";

/// How many requests are raced: `PORTCULLIS_REPLAY_RACES`, or as many as take some seconds.
fn races() -> usize {
    let wanted = std::env::var("PORTCULLIS_REPLAY_RACES").ok();
    wanted.map_or(10_000, |wanted| wanted.parse().unwrap())
}

/// The fields of a signature over the method (RFC 9421 section 2.5), made by hand.
fn signed(key: &str, created: u64, nonce: &str) -> [(&'static str, String); 2] {
    let parameters = format!(r#"("@method");created={created};keyid="{key}";nonce="{nonce}""#);
    let base = format!("\"@method\": GET\n\"@signature-params\": {parameters}");
    let signature = BASE64_STANDARD.encode(hmac_sha256(SECRET, base.as_bytes()));
    [
        ("signature-input", format!("sig1={parameters}")),
        ("signature", format!("sig1=:{signature}:")),
    ]
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// One connection, which stays open.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// The status and the reason.
    fn ask(&mut self, fields: &[(&str, String)]) -> (u16, String) {
        let mut request = "GET / HTTP/1.1\r\nhost: gate.test\r\n".to_owned();
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_ascii_lowercase()),
            }
        }
        let header = |name: &str| {
            let found = lines.iter().find_map(|line| line.strip_prefix(name));
            found.map(|value| value.trim().to_owned())
        };
        let length = header("content-length:").unwrap().parse().unwrap();
        self.stream.read_exact(&mut vec![0; length]).unwrap();
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        (status, header("x-reason:").unwrap())
    }
}

/// An Envoy with two workers: a gate at the first listener, and two of them, one behind the other, at
/// the second. Nothing where there is no Envoy.
fn envoy(signatures: &Value, test: impl FnOnce(&Envoy, SocketAddr, SocketAddr)) {
    let Some(binary) = portcullis_tests::envoy() else {
        return;
    };
    with_scenario(signatures, |prepared| {
        let upstream = Upstream::start().unwrap();
        let module = portcullis_tests::module();
        let null = Path::new("/dev/null");
        let mut config = envoy_bootstrap(&[prepared, prepared], &module, upstream.address, null);
        let listeners = &mut config["static_resources"]["listeners"];
        for index in 0..2 {
            listeners[index]["connection_balance_config"] = json!({"exact_balance": {}});
        }
        let manager = &mut listeners[1]["filter_chains"][0]["filters"][0]["typed_config"];
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let second = filters[0].clone();
        filters.insert(1, second);
        let environment = &prepared.scenario.file.environment;
        let envoy = match Envoy::start_with(&binary, &config, environment, 2).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        let addresses = envoy.listeners().unwrap();
        let at = |index| addresses[&envoy_listener(index)];
        test(&envoy, at(0), at(1));
        let log = envoy.log();
        assert!(
            !log.contains("[critical]") && !log.contains("panicked"),
            "{log}"
        );
    });
}

/// With these keys of `signatures` beside the scenario's own.
fn with_scenario(signatures: &Value, test: impl FnOnce(&Prepared<'_>)) {
    let folder = portcullis_tests::root().join(SCENARIO);
    let scenario = Scenario::read(&folder, &folder).unwrap();
    let runner = portcullis_tests::runner(&[]).unwrap();
    let mut prepared = runner.prepare(&scenario).unwrap();
    let mut document: Value = serde_json::from_slice(&prepared.document).unwrap();
    for (key, value) in signatures.as_object().unwrap() {
        document["signatures"][key] = value.clone();
    }
    prepared.document = document.to_string().into_bytes();
    test(&prepared);
}

#[test]
fn of_requests_that_are_raced_each_is_taken_once() {
    /// Each with a connection of its own; Envoy gives either worker half of them.
    const CLIENTS: usize = 4;
    /// They wait for each other now and then, so that they stay at the same request.
    const STEP: usize = 10;
    envoy(&json!({}), |envoy, gate, _| {
        let (races, created) = (races(), now());
        let requests: Vec<_> = (0..races)
            .map(|race| signed("a", created, &format!("race-{race}")))
            .collect();
        let barrier = Barrier::new(CLIENTS);
        let started = Instant::now();
        let answers: Vec<Vec<(u16, String)>> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut client = Client::connect(gate);
                        let ask = |(index, fields): (usize, &[(&str, String); 2])| {
                            if index % STEP == 0 {
                                barrier.wait();
                            }
                            client.ask(fields)
                        };
                        requests.iter().enumerate().map(ask).collect()
                    })
                })
                .collect();
            clients.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let took = started.elapsed();
        let mut winners = vec![0; CLIENTS];
        for race in 0..races {
            let of: Vec<_> = answers.iter().map(|client| &client[race]).collect();
            let taken = of.iter().filter(|answer| answer.0 == 200).count();
            assert_eq!(taken, 1, "race {race}: {of:?}");
            winners[of.iter().position(|answer| answer.0 == 200).unwrap()] += 1;
            for (status, reason) in of {
                let is_replay = *status == 401 && reason == "signature.replayed";
                assert!(*status == 200 || is_replay, "{status} {reason}");
            }
        }
        println!("{races} requests, each by {CLIENTS} clients at once: {took:?}, won {winners:?}");
        // By the port of the configuration, which is for any.
        for worker in ["worker_0", "worker_1"] {
            let name = format!("listener.127.0.0.1_0.{worker}.downstream_cx_total");
            assert!(
                envoy.counter(&name) >= Some(1),
                "{worker} has had no client"
            );
        }
        // And what was taken stays so for whoever comes later.
        let mut late = Client::connect(gate);
        for fields in requests.iter().step_by(100) {
            assert_eq!(late.ask(fields), (401, "signature.replayed".to_owned()));
        }
    });
}

#[test]
fn two_gates_in_a_chain_do_not_refuse_each_other() {
    envoy(&json!({}), |_, _, chain| {
        let mut client = Client::connect(chain);
        for number in 0..20 {
            let fields = signed("a", now(), &format!("chain-{number}"));
            assert_eq!(client.ask(&fields).0, 200);
            let mut another = Client::connect(chain);
            assert_eq!(another.ask(&fields), (401, "signature.replayed".to_owned()));
        }
    });
}

/// Without a leeway the start can be waited out.
fn only_after_the_start() -> Value {
    json!({"leeway": "0s", "replay": {"reject_before_start": true}})
}

/// The second that comes: whatever is there now was there before it.
fn next_second() -> u64 {
    let before = now();
    while now() == before {
        thread::sleep(Duration::from_millis(20));
    }
    now()
}

#[test]
fn what_is_signed_after_the_start_is_taken_and_nothing_before() {
    envoy(&only_after_the_start(), |_, gate, _| {
        let mut client = Client::connect(gate);
        let replayed = (401, "signature.replayed".to_owned());
        assert_eq!(client.ask(&signed("a", now() - 600, "before")), replayed);
        let created = next_second();
        let after = signed("a", created, "after");
        assert_eq!(client.ask(&after), (200, "policy.allowed".to_owned()));
        assert_eq!(client.ask(&after), replayed);
        assert_eq!(client.ask(&signed("a", created - 600, "late")), replayed);
    });
}

/// What one process took, the next one refuses, though it remembers nothing of it.
#[test]
fn what_was_taken_before_a_restart_is_not_taken_after_it() {
    with_scenario(&only_after_the_start(), |prepared| {
        let start = || PluginGate::load(&compiled(), prepared).unwrap();
        let exchange = &prepared.exchanges[0];
        let mut first = start();
        let taken = signed("a", next_second(), "n");
        assert_eq!(send(&mut first, exchange, taken.clone()), "policy.allowed");
        let mut second = start();
        assert_eq!(send(&mut second, exchange, taken), "signature.replayed");
        let new = signed("a", next_second(), "n");
        assert_eq!(send(&mut second, exchange, new), "policy.allowed");
    });
    // Otherwise it is taken once more, which is what the setting is for.
    with_scenario(&json!({}), |prepared| {
        let taken = signed("a", now(), "n");
        for _ in 0..2 {
            let mut plugin = PluginGate::load(&compiled(), prepared).unwrap();
            let reason = send(&mut plugin, &prepared.exchanges[0], taken.clone());
            assert_eq!(reason, "policy.allowed");
        }
    });
}

/// It takes a while.
fn compiled() -> Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let compile = || Module::compile(&std::fs::read(portcullis_tests::module()).unwrap()).unwrap();
    MODULE.get_or_init(compile).clone()
}

/// In the module on wasmtime.
fn module(entries: usize, test: impl FnOnce(&mut PluginGate, &Exchange)) {
    let signatures = json!({"replay": {"entries": entries}});
    with_scenario(&signatures, |prepared| {
        let mut plugin = PluginGate::load(&compiled(), prepared).unwrap();
        test(&mut plugin, &prepared.exchanges[0]);
    });
}

fn ask(plugin: &mut PluginGate, exchange: &Exchange, key: &str, nonce: &str) -> String {
    send(plugin, exchange, signed(key, now(), nonce))
}

fn send(
    plugin: &mut PluginGate,
    exchange: &Exchange,
    fields: [(&'static str, String); 2],
) -> String {
    let mut exchange = exchange.clone();
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into()));
    exchange.lines.extend(fields);
    let seen = plugin.exchange(&exchange).unwrap();
    let record = seen.record.unwrap();
    record["reason"].as_str().unwrap().to_owned()
}

/// Ten times what there is room for: the rest is refused, and neither more keys nor more bytes are there
/// than when it was full.
#[test]
fn memory_is_the_same_at_ten_times_its_capacity() {
    const ENTRIES: usize = 300;
    module(ENTRIES, |plugin, exchange| {
        let mut sizes = Vec::new();
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..10 * ENTRIES {
            let reason = ask(plugin, exchange, "a", &format!("n-{number}"));
            assert!(
                number >= ENTRIES || reason == "policy.allowed",
                "{number}: {reason}"
            );
            *reasons.entry(reason).or_default() += 1;
            sizes.push(plugin.proxy().shared_data_size());
        }
        println!("{reasons:?}; {:?} keys and bytes", sizes.last());
        let taken = reasons["policy.allowed"];
        assert!(taken < 2 * ENTRIES, "{taken}");
        assert_eq!(reasons["replay.full"], 10 * ENTRIES - taken);
        assert_eq!(sizes.last(), sizes.get(5 * ENTRIES));
        let (_, bytes) = sizes.last().unwrap();
        assert!(*bytes < 100 * ENTRIES, "{bytes}");
        // Another key has its own.
        assert_eq!(ask(plugin, exchange, "b", "n-0"), "policy.allowed");
        assert_eq!(ask(plugin, exchange, "a", "n-0"), "signature.replayed");
    });
}

/// The memory of a process, in bytes: proc(5), `statm`.
fn resident(process: u32) -> usize {
    const PAGE_BYTES: usize = 4096;
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * PAGE_BYTES
}

/// Envoy's own memory too: once it has served ten times what there is room for, as many again take no
/// more. Were each remembered, that would be 6 MB at 100 bytes each.
#[test]
fn memory_of_envoy_is_the_same_at_ten_times_its_capacity() {
    const ENTRIES: usize = 2_000;
    const CLIENTS: usize = 4;
    /// What allocators of threads take and give back.
    const NOISE: usize = 2 << 20;
    envoy(
        &json!({"replay": {"entries": ENTRIES}}),
        |envoy, gate, _| {
            let pass = |pass: usize| -> BTreeMap<String, usize> {
                let of_client = |client: usize| {
                    let mut connection = Client::connect(gate);
                    let numbers = (client..10 * ENTRIES).step_by(CLIENTS);
                    numbers
                        .map(|number| {
                            let nonce = format!("memory-{pass}-{number}");
                            connection.ask(&signed("a", now(), &nonce)).1
                        })
                        .collect::<Vec<_>>()
                };
                let reasons: Vec<_> = thread::scope(|scope| {
                    let each: Vec<_> = (0..CLIENTS)
                        .map(|client| scope.spawn(move || of_client(client)))
                        .collect();
                    each.into_iter().flat_map(|it| it.join().unwrap()).collect()
                });
                let mut count = BTreeMap::new();
                for reason in reasons {
                    *count.entry(reason).or_default() += 1;
                }
                count
            };
            let sizes: Vec<usize> = (0..4)
                .map(|number| {
                    let reasons = pass(number);
                    let size = resident(envoy.id());
                    println!("{reasons:?}: {size} bytes");
                    let taken = reasons.get("policy.allowed").copied().unwrap_or(0);
                    assert!(taken < 2 * ENTRIES, "{reasons:?}");
                    assert_eq!(reasons["replay.full"], 10 * ENTRIES - taken);
                    size
                })
                .collect();
            assert!(sizes[3] < sizes[0] + NOISE, "{sizes:?}");
        },
    );
}

/// What cannot be told is refused.
#[test]
fn where_the_host_keeps_nothing_no_signature_is_taken() {
    module(10, |plugin, exchange| {
        assert_eq!(ask(plugin, exchange, "a", "1"), "policy.allowed");
        plugin.proxy().fail_shared_data(true);
        assert_eq!(ask(plugin, exchange, "a", "2"), "host.error");
        assert_eq!(ask(plugin, exchange, "a", "1"), "host.error");
        plugin.proxy().fail_shared_data(false);
        assert_eq!(ask(plugin, exchange, "a", "2"), "policy.allowed");
        // Another plugin's writing where ours was.
        plugin.proxy().fill_shared_data(b"not ours");
        assert_eq!(ask(plugin, exchange, "a", "3"), "host.error");
        plugin.proxy().fill_shared_data(b"");
        assert_eq!(ask(plugin, exchange, "a", "3"), "host.error");
    });
}
