//! The shipped module in a real Envoy: one process for all scenarios, a listener for each.

use crate::{
    On, envoy_config,
    envoy_process::{Envoy, Exit},
    error::Error,
    prepare::Prepared,
    scenario::{Case, Events, Fetches},
    servers::Servers,
    subject::{Exchange, Observation, Ran, Received, Subject},
    upstream::Upstream,
    wire,
};
use portcullis_host::Headers;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

pub struct InEnvoy {
    pub binary: PathBuf,
    pub module: PathBuf,
}

/// Where a request's line in the access log is found: its listener and the client's port.
type Line = (usize, u16);

/// In the order of the requests: a port is given out again.
type Log = BTreeMap<Line, VecDeque<Logged>>;

/// What the access log says of a request.
struct Logged {
    record: Option<Value>,
    details: Option<String>,
}

const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// The instances of the gate, of which Envoy's main thread has one, have asked for what they start with
/// by then: they begin within half a second.
const STARTED: Duration = Duration::from_secs(1);

impl Subject for InEnvoy {
    fn run(&mut self, scenarios: &[&Prepared<'_>]) -> Result<Vec<Ran>, Error> {
        let together: Vec<usize> = scenarios
            .iter()
            .enumerate()
            .filter(|(_, prepared)| prepared.scenario.file.expect_load_error.is_none())
            .map(|(index, _)| index)
            .collect();
        let chosen: Vec<&Prepared<'_>> = together
            .iter()
            .filter_map(|index| scenarios.get(*index).copied())
            .collect();
        // First, since tokens grow old.
        let answers = match chosen.is_empty() {
            true => Vec::new(),
            false => self.together(&chosen)?,
        };
        let mut ran: Vec<Ran> = scenarios
            .iter()
            .map(|prepared| self.refusal(prepared))
            .collect::<Result<_, _>>()?;
        for (index, cases) in together.into_iter().zip(answers) {
            if let Some(slot) = ran.get_mut(index) {
                *slot = Ran::Cases(cases);
            }
        }
        Ok(ran)
    }
}

impl InEnvoy {
    /// An Envoy of its own for a configuration that must be refused, where the scenario asks for it.
    fn refusal(&self, prepared: &Prepared<'_>) -> Result<Ran, Error> {
        if !prepared
            .scenario
            .file
            .expect_load_error
            .as_ref()
            .is_some_and(|expected| expected.envoy)
        {
            return Ok(Ran::NotRun(
                "refused configurations are tried on Envoy where `envoy: true`".into(),
            ));
        }
        let upstream = Upstream::start().map_err(Error::Upstream)?;
        let config = envoy_config::bootstrap(
            &[prepared],
            &self.module,
            upstream.address,
            Path::new("/dev/null"),
        );
        let environment = prepared.scenario.file.environment.clone();
        match Envoy::start(&self.binary, &config, &environment)? {
            Exit::Serving(_) => Ok(Ran::Cases(Vec::new())),
            Exit::Ended { log, .. } => Ok(Ran::Refused(log)),
        }
    }

    fn together(
        &self,
        scenarios: &[&Prepared<'_>],
    ) -> Result<Vec<Vec<Result<Observation, String>>>, Error> {
        let upstream = Upstream::start().map_err(Error::Upstream)?;
        let failed = |message: String| Error::Subject(On::Envoy, message);
        let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let access_log = folder.path().join("access.jsonl");
        let mut config =
            envoy_config::bootstrap(scenarios, &self.module, upstream.address, &access_log);
        let mut servers = Vec::new();
        for prepared in scenarios {
            let started = Servers::start(prepared)?;
            envoy_config::add_clusters(&mut config, &started.addresses(prepared.scenario));
            servers.push(started);
        }
        let envoy = match Envoy::start(&self.binary, &config, &environment(scenarios)?)? {
            Exit::Serving(envoy) => envoy,
            Exit::Ended { status, log } => {
                return Err(failed(format!(
                    "it ended with {status} before it served:\n{log}"
                )));
            }
        };
        let ports = envoy.listeners()?;
        // First those whose servers Envoy asks from its start on: what they count is nearer to it. Last
        // those that wait for what their servers are asked: what others show would grow old meanwhile.
        let turn = |prepared: &Prepared<'_>| {
            let waits = prepared.scenario.file.cases.iter().any(Case::waits);
            match (waits, prepared.scenario.file.servers.is_empty()) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            }
        };
        let mut each: Vec<_> = scenarios.iter().zip(&servers).enumerate().collect();
        each.sort_by_key(|(_, (prepared, _))| turn(prepared));
        if each.first().is_some_and(|(_, (it, _))| turn(it) == 0) {
            thread::sleep(STARTED);
        }
        let mut ran: Vec<(usize, Vec<Sent>)> = Vec::new();
        for (index, (prepared, servers)) in each {
            let name = envoy_config::listener(index);
            let listener = ports.get(&name).copied();
            let behind = Behind {
                listener: listener.ok_or_else(|| failed(format!("no listener `{name}`")))?,
                index,
                servers,
                upstream: &upstream,
            };
            let cases = prepared.exchanges.iter().enumerate();
            let sent = cases.map(|(case, exchange)| behind.send(prepared, case, exchange));
            ran.push((index, sent.collect()));
        }
        ran.sort_by_key(|(index, _)| *index);
        let all = ran.iter().flat_map(|(_, sent)| sent);
        let wanted: Vec<Line> = all.filter_map(|sent| sent.line).collect();
        let mut log = access_lines(&access_log, &wanted);
        let answers = ran
            .into_iter()
            .map(|(_, sent)| sent.into_iter().map(|sent| sent.logged(&mut log)).collect());
        Ok(answers.collect())
    }
}

/// A scenario's listener and what stands behind it.
struct Behind<'a> {
    index: usize,
    listener: SocketAddr,
    servers: &'a Servers,
    upstream: &'a Upstream,
}

/// A request that was sent, and where its line in the access log will be.
struct Sent {
    line: Option<Line>,
    seen: Result<Observation, String>,
}

impl Behind<'_> {
    fn send(&self, prepared: &Prepared<'_>, number: usize, exchange: &Exchange) -> Sent {
        let case = prepared.cases.get(number);
        if case.is_some_and(|case| case.skip.contains_key(On::Envoy.as_str())) {
            return Sent {
                line: None,
                seen: Err("skipped".into()),
            };
        }
        let idle = |time| {
            thread::sleep(time);
            Ok(())
        };
        let sent = self.servers.before(prepared, number, idle).and_then(|()| {
            let sent = wire::send(self.listener, exchange);
            sent.map_err(|error| format!("no answer: {error}"))
        });
        let mut received = self.upstream.take();
        let line = sent.as_ref().ok().map(|answer| (self.index, answer.port));
        let seen = match (sent, received.pop(), received.is_empty()) {
            (_, _, false) => Err("the upstream received more than one request".into()),
            (Err(error), _, _) => Err(error),
            (Ok(answer), upstream, _) => Ok(observation(answer, upstream)),
        };
        Sent {
            line,
            seen: self.servers.noted(prepared, number, seen, idle),
        }
    }
}

impl Sent {
    /// With what the access log says of it.
    fn logged(self, log: &mut Log) -> Result<Observation, String> {
        let logged = self.line.and_then(|line| log.get_mut(&line)?.pop_front());
        let mut seen = self.seen?;
        let logged = logged.ok_or("no line in the access log")?;
        seen.record = logged.record;
        seen.details = logged.details;
        Ok(seen)
    }
}

/// The access log has what is missing.
fn observation(answer: wire::Answer, upstream: Option<Received>) -> Observation {
    Observation {
        status: answer.status,
        headers: answer.headers,
        body: answer.body,
        record: None,
        details: None,
        upstream: upstream.map(|mut received| {
            received.headers = without_envoys_own(&received.headers);
            received
        }),
        fetches: Fetches::new(),
        events: Events::new(),
    }
}

/// What Envoy adds to a request, whatever the filter does: the scheme it was reached by, the router's
/// deadline, and the framing of a body without a length.
const ENVOYS_OWN_REQUEST: &[&str] = &[
    "x-forwarded-proto",
    "x-envoy-expected-rq-timeout-ms",
    "transfer-encoding",
];

fn without_envoys_own(headers: &Headers) -> Headers {
    headers
        .iter()
        .filter(|(name, _)| !ENVOYS_OWN_REQUEST.contains(name))
        .collect()
}

/// Each variable has one value in a process, so scenarios must not differ on it.
fn environment(scenarios: &[&Prepared<'_>]) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for prepared in scenarios {
        for (name, value) in &prepared.scenario.file.environment {
            if let Some(other) = all.insert(name.clone(), value.clone())
                && other != *value
            {
                let message =
                    format!("the variable `{name}` has another value in another scenario");
                return Err(Error::Scenario(prepared.scenario.name.clone(), message));
            }
        }
    }
    Ok(all)
}

/// The records and details by listener and client port, once all lines are flushed.
fn access_lines(file: &Path, wanted: &[Line]) -> Log {
    let patience = Instant::now();
    let mut counts: BTreeMap<Line, usize> = BTreeMap::new();
    for line in wanted {
        *counts.entry(*line).or_default() += 1;
    }
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = Log::new();
        for (line, logged) in whole.lines().filter_map(access_line) {
            lines.entry(line).or_default().push_back(logged);
        }
        let there = |line| lines.get(line).map_or(0, VecDeque::len);
        let all = counts.iter().all(|(line, count)| there(line) >= *count);
        if all || patience.elapsed() > LOG_PATIENCE {
            return lines;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn access_line(line: &str) -> Option<(Line, Logged)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let index = text("listener")?
        .strip_prefix(envoy_config::LISTENER)?
        .parse()
        .ok()?;
    let (_, port) = text("client")?.rsplit_once(':')?;
    let record = match line.get("record")? {
        Value::String(record) => serde_json::from_str(record).ok(),
        Value::Null => None,
        record => Some(record.clone()),
    };
    let details = text("details").map(str::to_owned);
    Some(((index, port.parse().ok()?), Logged { record, details }))
}
