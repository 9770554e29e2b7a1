//! What is sent: the first request of `workload/cases.yaml`, by users in turn, with tokens that come
//! again or with one of its own for every request.

use crate::{Outcome, load::CONNECTIONS};
use portcullis_runner::{Exchange, Prepared};
use serde_json::{Map, Value};

/// Requests of a chain in a round, in whole waves; fewer where each takes a token of its own.
const WARM: usize = 32 * CONNECTIONS;
const FIRST_SIGHT: usize = 16 * CONNECTIONS;
/// Users whose tokens come again: few enough for every cache, and from every role.
const WARM_USERS: usize = 20;

/// Which tokens a chain is sent.
#[derive(Clone, Copy)]
pub enum Requests {
    Warm,
    FirstSight(Tokens),
    /// With a token that comes again, and a body of 1 MiB.
    Bodies,
}

/// How they are signed.
#[derive(Clone, Copy)]
pub enum Tokens {
    Rs256,
    Es256,
    /// RS256, each with one bit of its signature changed.
    Forged,
}

impl Requests {
    /// What is answered to each.
    pub fn status(self) -> u16 {
        match self {
            Requests::FirstSight(Tokens::Forged) => 401,
            Requests::Warm | Requests::FirstSight(_) | Requests::Bodies => 200,
        }
    }
}

pub struct Workload {
    /// The gate's configuration, as the filter takes it.
    pub gate: Value,
    pub cases: Vec<Case>,
    warm: Vec<Vec<u8>>,
    rs256: Vec<Vec<u8>>,
    es256: Vec<Vec<u8>>,
    forged: Vec<Vec<u8>>,
    bodies: Vec<Vec<u8>>,
    pub signing: Signing,
}

/// What the gate signs with for the upstream: private keys as PEM.
pub struct Signing {
    pub ed25519: String,
    pub p256: String,
}

/// A request with the answer that a chain which sees it all must give.
pub struct Case {
    pub name: String,
    pub request: Vec<u8>,
    pub status: u16,
}

impl Workload {
    pub fn prepare(rounds: usize) -> Outcome<Workload> {
        let scenario = portcullis_tests::workload()?;
        let runner = portcullis_tests::runner(&[])?;
        let prepared = runner.prepare(&scenario)?;
        let gate: Value = serde_json::from_slice(&prepared.document)?;
        let sample = sample(&prepared)?;
        let users = users(&gate)?;
        let one_in = users.len() / WARM_USERS;
        let regulars: Vec<&String> = users.iter().step_by(one_in).collect();

        let strangers = FIRST_SIGHT.saturating_mul(rounds);
        eprintln!("signing {} tokens", strangers.saturating_mul(2));
        let signed = |like: &str, users: &[&String]| -> Outcome<Vec<String>> {
            let claims = users.iter().enumerate().map(|(index, user)| {
                Map::from_iter([
                    ("sub".to_owned(), Value::from(user.as_str())),
                    // What makes two tokens of a user differ.
                    (
                        "jti".to_owned(),
                        format!("5f0c6a52-8f6b-4c3e-9a53-{index:012}").into(),
                    ),
                ])
            });
            Ok(runner.mint(&scenario, like, claims)?)
        };
        let requests = |users: &[&String], tokens: &[String]| -> Vec<Vec<u8>> {
            let each = users.iter().zip(tokens);
            each.map(|(user, token)| request(&sample, user, token))
                .collect()
        };
        let strangers: Vec<&String> = users.iter().cycle().take(strangers).collect();
        let warm = signed("user", &regulars)?;
        let rs256 = signed("user", &strangers)?;
        let es256 = signed("user-es256", &strangers)?;
        let forged: Vec<String> = rs256.iter().map(|token| forged(token)).collect();
        for token in warm.iter().chain(&rs256) {
            if !(600..=800).contains(&token.len()) {
                return Err(format!("a token has {} bytes, not 600 to 800", token.len()).into());
            }
        }
        let bodies = match (regulars.first(), warm.first()) {
            (Some(user), Some(token)) => with_body(&sample, user, token),
            _ => return Err("nobody has a token".into()),
        };
        let warm = requests(&regulars, &warm);
        Ok(Workload {
            signing: Signing {
                ed25519: runner.private_key(&scenario, "gate-ed25519")?,
                p256: runner.private_key(&scenario, "gate-p256")?,
            },
            cases: cases(&prepared),
            warm: warm.into_iter().cycle().take(WARM).collect(),
            rs256: requests(&strangers, &rs256),
            es256: requests(&strangers, &es256),
            forged: requests(&strangers, &forged),
            bodies: vec![bodies; CONNECTIONS],
            gate,
        })
    }

    pub fn requests(&self, which: Requests, round: usize) -> &[Vec<u8>] {
        let first_sight = match which {
            Requests::Warm => return &self.warm,
            Requests::Bodies => return &self.bodies,
            Requests::FirstSight(Tokens::Rs256) => &self.rs256,
            Requests::FirstSight(Tokens::Es256) => &self.es256,
            Requests::FirstSight(Tokens::Forged) => &self.forged,
        };
        let mut rounds = first_sight.chunks(FIRST_SIGHT);
        rounds.nth(round).unwrap_or_default()
    }
}

fn cases(prepared: &Prepared<'_>) -> Vec<Case> {
    let cases = prepared.scenario.file.cases.iter();
    cases
        .zip(&prepared.exchanges)
        .map(|(case, exchange)| Case {
            name: case.name.clone(),
            request: exchange.to_wire(),
            status: case.expect.status,
        })
        .collect()
}

fn sample(prepared: &Prepared<'_>) -> Outcome<Exchange> {
    let sample = prepared
        .exchanges
        .first()
        .ok_or("the workload has no case")?;
    match sample.lines.len() {
        12 => Ok(sample.clone()),
        other => Err(format!("the workload's request has {other} headers, not 12").into()),
    }
}

/// Everybody who has a role and is not denied, in order.
fn users(gate: &Value) -> Outcome<Vec<String>> {
    let data = |name: &str| {
        let found = gate.pointer("/policy/data")?.get(name)?;
        found.as_object()
    };
    let (users, denied) = data("users")
        .zip(data("denied"))
        .ok_or("the policy has no users")?;
    let allowed = users.keys().filter(|user| !denied.contains_key(*user));
    Ok(allowed.cloned().collect())
}

/// With another letter in the middle of its signature.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let middle = signature.len() / 2;
    let letters = signature.chars().enumerate();
    let letters = letters.map(|(at, letter)| match (at == middle, letter) {
        (false, letter) => letter,
        (true, 'A') => 'B',
        (true, _) => 'A',
    });
    format!("{signed}.{}", letters.collect::<String>())
}

/// The request with 1 MiB of JSON and its digest.
fn with_body(sample: &Exchange, user: &str, token: &str) -> Vec<u8> {
    const BYTES: usize = 1 << 20;
    let item = r#"{"id": "5f0c6a52-8f6b-4c3e-9a53-000000000000", "name": "a thing", "amount": 7},"#;
    let (head, tail) = (r#"{"items": ["#, "0]}");
    let count = BYTES.saturating_sub(head.len() + tail.len()) / item.len();
    let mut body = format!("{head}{}{tail}", item.repeat(count)).into_bytes();
    body.resize(BYTES, b' ');
    let digest = portcullis_engine::content_digest(&body);
    let mut exchange = sample.clone();
    exchange.method = "POST".into();
    for (name, value) in [
        ("content-length", &*BYTES.to_string()),
        ("content-type", "application/json"),
        ("content-digest", &digest),
    ] {
        exchange
            .lines
            .push((name.into(), value.as_bytes().to_vec()));
    }
    exchange.body = body;
    request(&exchange, user, token)
}

fn request(sample: &Exchange, user: &str, token: &str) -> Vec<u8> {
    let mut exchange = sample.clone();
    for (name, value) in &mut exchange.lines {
        match &**name {
            "authorization" => *value = format!("Bearer {token}").into_bytes(),
            "x-account" => *value = user.as_bytes().to_vec(),
            _ => {}
        }
    }
    exchange.to_wire()
}
