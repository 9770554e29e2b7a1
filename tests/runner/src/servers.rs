//! A scenario's servers while it runs on a subject, and what its cases change about them.

use crate::{
    error::Error,
    folder::Scenario,
    prepare::Prepared,
    scenario::{Count, ExpectFetches, Fetches, ReplySpec, ServerSpec},
    server::{Asked, Reply, Server},
    subject::{Observation, Ran},
    template::{self, Names as _},
    token::Purse,
};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What the gate, and Envoy, know a server by: one Envoy has those of all scenarios.
pub fn cluster(scenario: &Scenario, server: &str) -> String {
    format!("{}/{server}", scenario.name)
}

/// Specifications with their templates expanded and their keys written out.
#[derive(Default)]
pub struct Changes(Vec<Change>);

struct Change {
    server: String,
    dead: Option<bool>,
    replies: Vec<(String, Reply)>,
}

impl Changes {
    pub fn new(
        names: &Purse<'_>,
        servers: &BTreeMap<String, ServerSpec>,
    ) -> Result<Changes, Error> {
        let change = |(server, spec): (&String, &ServerSpec)| {
            let replies = spec.paths.iter();
            Ok(Change {
                server: server.clone(),
                dead: spec.dead,
                replies: replies
                    .map(|(path, spec)| Ok((path.clone(), reply(names, spec)?)))
                    .collect::<Result<_, Error>>()?,
            })
        };
        servers
            .iter()
            .map(change)
            .collect::<Result<_, _>>()
            .map(Changes)
    }
}

fn reply(names: &Purse<'_>, spec: &ReplySpec) -> Result<Reply, Error> {
    let mut reply = match (&spec.keys, &spec.json, &spec.body) {
        (Some(keys), ..) => {
            let keys = keys.iter().map(|key| names.jwk(key));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            Reply::json(&match spec.padding {
                Some(padding) => json!({"padding": "p".repeat(padding), "keys": keys}),
                None => json!({"keys": keys}),
            })
        }
        (_, Some(document), _) => Reply::json(&template::deep(names, document)?),
        (.., Some(body)) => Reply {
            body: template::text(names, body)?.into_bytes(),
            ..Reply::default()
        },
        _ => Reply {
            body: match &spec.bundle {
                Some(bundle) => names.packed(bundle)?,
                None => Vec::new(),
            },
            ..Reply::default()
        },
    };
    reply.status = spec.status.unwrap_or(reply.status);
    reply.delay = spec.delay;
    reply.cut = spec.cut;
    reply.length = spec.content_length;
    reply.held = spec.held;
    for (name, value) in &spec.headers {
        reply.headers.retain(|(found, _)| found != name);
        reply
            .headers
            .push((name.clone(), template::text(names, value)?));
    }
    Ok(reply)
}

/// Runs scenarios, those with servers at the same time: they spend it waiting.
pub fn side_by_side(
    scenarios: &[&Prepared<'_>],
    run: impl Fn(&Prepared<'_>) -> Result<Ran, Error> + Sync,
) -> Result<Vec<Ran>, Error> {
    thread::scope(|scope| {
        let run = &run;
        let started: Vec<_> = scenarios
            .iter()
            .map(|prepared| {
                let waits = !prepared.scenario.file.servers.is_empty();
                waits.then(|| scope.spawn(move || run(prepared)))
            })
            .collect();
        // Those that need no time first: what their cases show grows old meanwhile.
        let at_once = scenarios.iter().zip(&started);
        let at_once: Vec<_> = at_once
            .map(|(prepared, started)| started.is_none().then(|| run(prepared)))
            .collect();
        let ended = scenarios.iter().zip(started).zip(at_once);
        let ended = ended.map(|((prepared, started), at_once)| {
            let Some(started) = started else {
                return at_once.unwrap_or_else(|| run(prepared));
            };
            let panicked = |_| Error::Scenario(prepared.scenario.name.clone(), "panicked".into());
            started.join().map_err(panicked)?
        });
        ended.collect()
    })
}

/// The servers, started; they end when this is dropped.
pub struct Servers(BTreeMap<String, Server>, Mutex<Seen>);

/// How many requests for which path of which server were looked at.
type Seen = BTreeMap<(String, String), usize>;

/// How long a fetch that nobody waits for may take to begin.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long asking may take that a case waits for.
const LONG: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);
/// What an event may take at most, with an `interval` of 100 ms.
const UNEXPECTED: Duration = Duration::from_millis(300);

/// What an upload holds: a JSON array, compressed, and told as that.
fn batch(asked: &Asked) -> Result<Vec<Value>, String> {
    let header = |name| String::from_utf8_lossy(asked.headers.get(name).unwrap_or_default());
    let told = (header("content-type"), header("content-encoding"));
    if asked.method != "POST" || told != ("application/json".into(), "gzip".into()) {
        return Err(format!("an upload is a {} of {told:?}", asked.method));
    }
    let unpacked = GzDecoder::new(asked.body.as_slice());
    serde_json::from_reader(unpacked).map_err(|error| format!("an upload: {error}"))
}

impl Servers {
    pub fn start(prepared: &Prepared<'_>) -> Result<Servers, Error> {
        let started = prepared.scenario.file.servers.keys().map(|name| {
            let failed = |error: io::Error| Error::Server(name.clone(), error.to_string());
            Ok((name.clone(), Server::start().map_err(failed)?))
        });
        let servers = Servers(started.collect::<Result<_, Error>>()?, Mutex::default());
        servers.apply(&prepared.servers)?;
        Ok(servers)
    }

    /// Where each cluster is.
    pub fn addresses(&self, scenario: &Scenario) -> BTreeMap<String, SocketAddr> {
        let all = self.0.iter();
        all.map(|(name, server)| (cluster(scenario, name), server.address))
            .collect()
    }

    /// Makes ready for a case. `idle` lets time pass, in which a gate's calls go on.
    pub fn before(
        &self,
        prepared: &Prepared<'_>,
        case: usize,
        mut idle: impl FnMut(Duration) -> Result<(), String>,
    ) -> Result<(), String> {
        if let Some(changes) = prepared.before.get(case) {
            self.apply(changes).map_err(|error| error.to_string())?;
        }
        let Some(case) = prepared.cases.get(case) else {
            return Ok(());
        };
        idle(case.wait)?;
        let since = Instant::now();
        while !self.were_asked(&case.asked) {
            if since.elapsed() > LONG {
                return Err(format!(
                    "the servers were not asked so often: {:?}",
                    case.asked
                ));
            }
            idle(STEP)?;
        }
        Ok(())
    }

    fn were_asked(&self, wanted: &Fetches) -> bool {
        wanted.iter().all(|(name, paths)| {
            let server = self.0.get(name);
            let mut paths = paths.iter();
            paths.all(|(path, count)| server.is_some_and(|it| it.asked(path) >= *count))
        })
    }

    fn apply(&self, Changes(changes): &Changes) -> Result<(), Error> {
        for change in changes {
            let failed = |error: io::Error| Error::Server(change.server.clone(), error.to_string());
            let Some(server) = self.0.get(&change.server) else {
                continue;
            };
            for (path, reply) in &change.replies {
                server.set(path, reply.clone());
                self.seen().remove(&(change.server.clone(), path.clone()));
            }
            match change.dead {
                Some(true) => server.kill().map_err(failed)?,
                Some(false) => server.revive().map_err(failed)?,
                None => {}
            }
        }
        Ok(())
    }

    /// What a case's answer lacks: how often they were asked, and what events they took. `idle` lets time
    /// pass, in which a gate's calls go on.
    pub fn noted(
        &self,
        prepared: &Prepared<'_>,
        case: usize,
        seen: Result<Observation, String>,
        mut idle: impl FnMut(Duration) -> Result<(), String>,
    ) -> Result<Observation, String> {
        let mut seen = seen?;
        if let Some(case) = prepared.cases.get(case) {
            seen.fetches = self.fetches(&case.expect.fetches);
            for (name, paths) in &case.expect.events {
                for (path, wanted) in paths {
                    let taken = self.events((name, path), wanted.len(), &mut idle)?;
                    let of_server = seen.events.entry(name.clone()).or_default();
                    of_server.insert(path.clone(), taken);
                }
            }
        }
        Ok(seen)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events that a path took since it was looked at last, once they are as many as expected.
    fn events(
        &self,
        (name, path): (&String, &String),
        wanted: usize,
        idle: &mut impl FnMut(Duration) -> Result<(), String>,
    ) -> Result<Vec<Value>, String> {
        let Some(server) = self.0.get(name) else {
            return Ok(Vec::new());
        };
        let key = (name.clone(), path.clone());
        let from = self.seen().get(&key).copied().unwrap_or_default();
        let since = Instant::now();
        // One that is not expected has time to come.
        idle(UNEXPECTED)?;
        loop {
            let asked = server.latest(path);
            let batches = asked.iter().skip(from).map(batch);
            let events: Vec<Value> = batches.collect::<Result<Vec<_>, _>>()?.concat();
            if events.len() >= wanted || since.elapsed() > PATIENCE {
                self.seen().insert(key, asked.len());
                return Ok(events);
            }
            idle(STEP)?;
        }
    }

    /// How often they were asked for each path that is named, once it is as often as expected.
    fn fetches(&self, wanted: &ExpectFetches) -> Fetches {
        let patience = Instant::now();
        let of = |(name, paths): (&String, &BTreeMap<String, Count>)| {
            let asked = |(path, wanted): (&String, &Count)| {
                let asked = self.0.get(name).map_or(0, |server| {
                    let left = PATIENCE.saturating_sub(patience.elapsed());
                    server.wait_asked(path, wanted.least(), left);
                    server.asked(path)
                });
                (path.clone(), asked)
            };
            (name.clone(), paths.iter().map(asked).collect())
        };
        wanted.iter().map(of).collect()
    }
}
