//! What keys that are fetched are worth, on Envoy with one worker and with two: a real issuer rotates
//! them under load and goes away, and tokens of nobody's keys do not make a flood of fetches.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis_runner::{
    Envoy, Exchange, Exit, Reply, Scenario, Server, envoy_bootstrap, envoy_clusters,
    envoy_listener, find_envoy, send,
};
use portcullis_tests::issuer::{ISSUER, Issuer};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

#[test]
fn one_worker() {
    show(1);
}

#[test]
fn two_workers() {
    show(2);
}

fn show(workers: u32) {
    let started = find_envoy(&portcullis_tests::root())
        .and_then(|envoy| Issuer::start().map(|issuer| (envoy, issuer)));
    let Some((envoy, issuer)) = portcullis_tests::needed(started) else {
        return;
    };
    let mut stage = Stage::new(&envoy, issuer, workers);
    keys_rotate_under_load(&mut stage);
    unknown_keys_are_sprayed(&stage);
    opaque_tokens_are_asked_about(&mut stage);
    the_issuer_goes_away(stage);
}

/// No valid token is refused, and each worker fetches once for each key that is new to it.
fn keys_rotate_under_load(stage: &mut Stage) {
    const ROTATIONS: u64 = 3;
    const KEYS: &str = "/jwks";
    const DOCUMENT: &str = "/.well-known/openid-configuration";
    let valid = Mutex::new(stage.issuer.mint(10, "jwt"));
    let over = AtomicBool::new(false);
    let gate = stage.gate("rotating");
    let (workers, issuer) = (u64::from(stage.workers), &mut stage.issuer);
    let answers = thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|client| {
                let (valid, over, gate) = (&valid, &over, &gate);
                scope.spawn(move || {
                    let mut answers: BTreeMap<(u16, String), u64> = BTreeMap::new();
                    for turn in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let token = {
                            let valid = valid.lock().unwrap();
                            valid[(client * 7 + turn) % valid.len()].clone()
                        };
                        *answers.entry(gate.ask(&token)).or_default() += 1;
                    }
                    answers
                })
            })
            .collect();
        for _ in 0..ROTATIONS {
            thread::sleep(Duration::from_millis(300));
            issuer.rotate("add");
            let new = issuer.mint(10, "jwt");
            valid.lock().unwrap().extend(new);
        }
        thread::sleep(Duration::from_millis(300));
        // Once their key is gone from the set, the other tokens are valid no more.
        valid.lock().unwrap().drain(..10 * ROTATIONS as usize);
        issuer.rotate("drop");
        thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
        let mut answers: BTreeMap<(u16, String), u64> = BTreeMap::new();
        for client in load {
            for (answer, count) in client.join().unwrap() {
                *answers.entry(answer).or_default() += count;
            }
        }
        answers
    });
    println!("{workers} workers, keys rotated: {answers:?}");
    let statuses: Vec<u16> = answers.keys().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200], "{answers:?}");
    let (keys, documents) = (issuer.asked(KEYS), issuer.asked(DOCUMENT));
    println!("{workers} workers: {keys} fetches of keys, {documents} of the document");
    // At first each worker, and Envoy's main thread, which has an instance of the gate as well.
    let first = workers + 1;
    assert!(keys > ROTATIONS && keys <= first + workers * ROTATIONS);
    assert!(documents <= first);
}

/// Fetches stay within each worker's bucket, and valid tokens pass.
fn unknown_keys_are_sprayed(stage: &Stage) {
    const CLIENTS: usize = 8;
    const EACH: usize = 125;
    let gate = stage.gate("sprayed");
    assert_eq!(gate.ask(&stage.good).0, 200);
    // From here on only tokens have keys fetched: every instance has those it starts with.
    thread::sleep(STARTED);
    stage.keys.set(KEY_SET, stage.key_set.clone());
    let since = Instant::now();
    let refused: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let gate = &gate;
                scope.spawn(move || {
                    let numbers = (0..EACH).map(|number| client * EACH + number);
                    let answers = numbers.map(|number| gate.ask(&forged(number)));
                    let refused = (401, "jwt.key_unknown".to_owned());
                    answers.filter(|answer| *answer == refused).count()
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    let elapsed = since.elapsed();
    let fetches = stage.keys.asked(KEY_SET);
    println!(
        "{} workers: {} unknown keys in {elapsed:?}, {fetches} fetches",
        stage.workers,
        CLIENTS * EACH
    );
    assert_eq!(refused, CLIENTS * EACH);
    let grown = elapsed.as_secs() / 10 + 1;
    assert!((1..=u64::from(stage.workers) * (3 + grown)).contains(&fetches));
    assert_eq!(gate.ask(&stage.good).0, 200);
}

/// By the issuer, once for a while (RFC 7662).
fn opaque_tokens_are_asked_about(stage: &mut Stage) {
    const INTROSPECTION: &str = "/token/introspection";
    let gate = stage.gate("opaque");
    let tokens = stage.issuer.mint(2, "opaque");
    for token in tokens.iter().cycle().take(20) {
        assert_eq!(gate.ask(token).0, 200);
    }
    let inactive = (401, "token.inactive".to_owned());
    assert_eq!(gate.ask("of-nobody"), inactive);
    let asked = stage.issuer.asked(INTROSPECTION);
    assert!(
        (3..=3 * u64::from(stage.workers)).contains(&asked),
        "{asked}"
    );
}

/// Valid tokens pass for as long as `stale_for` says, and are refused then.
fn the_issuer_goes_away(stage: Stage) {
    // `refresh` and `stale_for` of the gate.
    const SERVES_AT_LEAST: Duration = Duration::from_secs(2);
    const SERVES_AT_MOST: Duration = Duration::from_secs(3);
    let (gate, mut mortal) = (stage.gate("stale"), stage.mortal);
    let token = mortal.mint(1, "jwt").remove(0);
    assert_eq!(gate.ask(&token).0, 200);
    let died = Instant::now();
    drop(mortal);
    let mut passed = died;
    let last = loop {
        let sent = Instant::now();
        let answer = gate.ask(&token);
        if answer.0 != 200 || died.elapsed() > SERVES_AT_MOST * 4 {
            break answer;
        }
        passed = sent;
        thread::sleep(Duration::from_millis(50));
    };
    let passed = passed.duration_since(died);
    println!(
        "{} workers: valid tokens passed for {passed:?} more",
        stage.workers
    );
    assert_eq!(last, (503, "jwks.unavailable".to_owned()));
    // Not to the moment: the machine may be busy.
    assert!(
        passed > SERVES_AT_LEAST / 2 && passed < SERVES_AT_MOST * 2,
        "{passed:?}"
    );
    thread::sleep(SERVES_AT_MOST);
    assert_eq!(gate.ask(&token), last, "every worker");
}

/// Envoy with a listener for each gate, and what stands around it.
struct Stage {
    workers: u32,
    issuer: Issuer,
    /// Another, for the end.
    mortal: Issuer,
    keys: Server,
    key_set: Reply,
    /// A token of the key set's key.
    good: String,
    envoy: Envoy,
    exchange: Exchange,
}

/// In the order of their listeners.
const GATES: [&str; 4] = ["rotating", "sprayed", "opaque", "stale"];
const KEY_SET: &str = "/jwks.json";
/// Instances of the gate begin within half a second.
const STARTED: Duration = Duration::from_secs(1);

impl Stage {
    fn new(binary: &Path, issuer: Issuer, workers: u32) -> Stage {
        let root = portcullis_tests::root().join("tests/remote");
        let read = |name: &&str| Scenario::read(&root, &root.join(name)).unwrap();
        let scenarios: Vec<Scenario> = GATES.iter().map(read).collect();
        let runner = portcullis_tests::runner(&[]).unwrap();
        let prepared: Vec<_> = scenarios
            .iter()
            .map(|scenario| runner.prepare(scenario).unwrap())
            .collect();
        let mut exchange = prepared[1].exchanges[0].clone();
        let bearer = exchange.lines.pop().unwrap().1;
        let good = bearer.strip_prefix(b"Bearer ").unwrap().to_vec();
        let key_set = Reply::json(&runner.key_set(&scenarios[1], &["a"]).unwrap());
        let keys = Server::start().unwrap();
        keys.set(KEY_SET, key_set.clone());
        let mortal = Issuer::start().unwrap();

        let upstream = portcullis_runner::Upstream::start().unwrap();
        let module = portcullis_tests::module();
        let all: Vec<_> = prepared.iter().collect();
        let mut config = envoy_bootstrap(&all, &module, upstream.address, Path::new("/dev/null"));
        let clusters = BTreeMap::from([
            ("rotating/issuer".to_owned(), issuer.address),
            ("opaque/issuer".to_owned(), issuer.address),
            ("stale/issuer".to_owned(), mortal.address),
            ("sprayed/keys".to_owned(), keys.address),
        ]);
        envoy_clusters(&mut config, &clusters);
        let environment = &scenarios[2].file.environment;
        let envoy = match Envoy::start_with(binary, &config, environment, workers).unwrap() {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { log, .. } => panic!("{log}"),
        };
        Stage {
            workers,
            issuer,
            mortal,
            keys,
            key_set,
            good: String::from_utf8(good).unwrap(),
            envoy,
            exchange,
        }
    }

    fn gate(&self, name: &str) -> Gate {
        let index = GATES.iter().position(|gate| *gate == name).unwrap();
        Gate {
            address: self.envoy.listeners().unwrap()[&envoy_listener(index)],
            exchange: self.exchange.clone(),
        }
    }
}

/// A listener, and the request that is sent to it.
struct Gate {
    address: SocketAddr,
    exchange: Exchange,
}

impl Gate {
    /// The status and the reason, on a connection of its own: so every worker gets some.
    fn ask(&self, token: &str) -> (u16, String) {
        let mut exchange = self.exchange.clone();
        let bearer = format!("Bearer {token}").into_bytes();
        exchange.lines.push(("authorization".to_owned(), bearer));
        let answer = send(self.address, &exchange).unwrap();
        let reason = answer.headers.get("x-reason").unwrap_or_default();
        (answer.status, String::from_utf8_lossy(reason).into_owned())
    }
}

/// A token like the issuer's, of a key that nobody has.
fn forged(number: usize) -> String {
    let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = encode(format!(
        r#"{{"alg":"ES256","typ":"at+jwt","kid":"nobody-{number}"}}"#
    ));
    let claims = format!(r#"{{"iss":"{ISSUER}","aud":"orders","sub":"eve","exp":4102444800}}"#);
    let signature = BASE64_URL_SAFE_NO_PAD.encode([7; 64]);
    format!("{header}.{}.{signature}", encode(claims))
}
