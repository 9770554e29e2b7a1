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
    FirstSight,
}

pub struct Workload {
    /// The gate's configuration, as the filter takes it.
    pub gate: Value,
    pub cases: Vec<Case>,
    warm: Vec<Vec<u8>>,
    first_sight: Vec<Vec<u8>>,
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
        eprintln!("signing {strangers} tokens");
        let signed = |users: Vec<&String>| -> Outcome<Vec<Vec<u8>>> {
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
            let tokens = runner.mint(&scenario, "user", claims)?;
            let each = users.iter().zip(&tokens);
            each.map(|(user, token)| request(&sample, user, token))
                .collect()
        };
        let regulars = signed(regulars)?;
        Ok(Workload {
            cases: cases(&prepared),
            warm: regulars.into_iter().cycle().take(WARM).collect(),
            first_sight: signed(users.iter().cycle().take(strangers).collect())?,
            gate,
        })
    }

    pub fn requests(&self, which: Requests, round: usize) -> &[Vec<u8>] {
        match which {
            Requests::Warm => &self.warm,
            Requests::FirstSight => {
                let mut rounds = self.first_sight.chunks(FIRST_SIGHT);
                rounds.nth(round).unwrap_or_default()
            }
        }
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

fn request(sample: &Exchange, user: &str, token: &str) -> Outcome<Vec<u8>> {
    if !(600..=800).contains(&token.len()) {
        return Err(format!("a token has {} bytes, not 600 to 800", token.len()).into());
    }
    let mut exchange = sample.clone();
    for (name, value) in &mut exchange.lines {
        match &**name {
            "authorization" => *value = format!("Bearer {token}").into_bytes(),
            "x-account" => *value = user.as_bytes().to_vec(),
            _ => {}
        }
    }
    Ok(exchange.to_wire())
}
