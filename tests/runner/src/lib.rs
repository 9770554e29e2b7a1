//! Runs scenario folders on the native engine, on the shipped module in wasmtime and on the shipped
//! module in a real Envoy, and holds the three to agree.

mod body;
mod bundle;
mod callouts;
mod certificates;
mod envoy_config;
mod envoy_process;
mod error;
mod folder;
mod in_envoy;
mod in_wasmtime;
mod judge;
mod keys;
mod mint;
pub mod native;
mod pipe;
mod prepare;
mod proof;
mod report;
mod scenario;
mod server;
mod servers;
mod sign;
mod subject;
mod template;
mod token;
mod upstream;
mod wire;

pub use envoy_config::{
    add_clusters as envoy_clusters, bootstrap as envoy_bootstrap, listener as envoy_listener,
    transport_socket as envoy_transport_socket,
};
pub use envoy_process::{Envoy, Exit, find as find_envoy};
pub use error::Error;
pub use folder::Scenario;
pub use in_wasmtime::{Module, PluginGate};
pub use pipe::Pipe;
pub use prepare::Prepared;
pub use report::{Report, Result, Verdict};
pub use scenario::Case;
pub use server::{Asked, Reply, Server};
pub use subject::{Exchange, Framing, Observation, Received};
pub use upstream::Upstream;
pub use wire::{Answer, receive, send};

use certificates::Authority;
use keys::Keyring;
use serde_json::{Map, Value};
use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use subject::{Ran, Subject};
use template::Names;
use token::{Minters, Purse};

/// Where a scenario can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum On {
    Native,
    Wasmtime,
    Envoy,
}

/// What a run needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub on: Vec<On>,
    /// `portcullis.wasm`, for wasmtime and Envoy.
    pub module: PathBuf,
    /// `mint.py`; without it, or without PyJWT, jwt-simple signs.
    pub minter: Option<PathBuf>,
    /// A missing Envoy or PyJWT is an error, not a skip: in CI.
    pub strict: bool,
}

/// Runs scenarios on subjects.
pub struct Runner {
    options: Options,
    keyring: Keyring,
    authority: Authority,
    minters: RefCell<Minters>,
    absent: Vec<String>,
}

impl Runner {
    pub fn new(options: Options) -> std::result::Result<Runner, Error> {
        let mut absent = Vec::new();
        let mut there = |what: &str, started: std::result::Result<Pipe, String>| match started {
            Ok(pipe) => Ok(Some(pipe)),
            Err(message) if options.strict => Err(Error::Minter(what.to_owned(), message)),
            Err(message) => {
                absent.push(format!("{what} ({message})"));
                Ok(None)
            }
        };
        let script = options.minter.as_deref().ok_or("no script was named");
        let python = script.map_err(str::to_owned).and_then(mint::python);
        let node = script
            .map_err(str::to_owned)
            .and_then(|script| sign::npm(&script.with_file_name("sign.mjs")));
        let minters = RefCell::new(Minters {
            python: there("Python: the gate's own libraries sign", python)?,
            node: there("Node: what it signs is skipped", node)?,
            native_minter: mint::Native,
            native_signer: sign::Native,
        });
        Ok(Runner {
            options,
            keyring: Keyring::default(),
            authority: Authority::new()?,
            minters,
            absent,
        })
    }

    /// Expands a scenario's templates and mints its tokens.
    pub fn prepare<'a>(&self, scenario: &'a Scenario) -> std::result::Result<Prepared<'a>, Error> {
        Prepared::new(
            scenario,
            &self.keyring,
            &self.authority,
            &self.minters,
            now(),
        )
    }

    fn purse<'a>(&'a self, scenario: &'a Scenario) -> std::result::Result<Purse<'a>, Error> {
        let (keyring, authority) = (&self.keyring, &self.authority);
        Purse::new(scenario, keyring, authority, &self.minters, now())
    }

    /// Mints tokens as the scenario's of that name, each with claims of its own over it.
    pub fn mint(
        &self,
        scenario: &Scenario,
        like: &str,
        claims: impl IntoIterator<Item = Map<String, Value>>,
    ) -> std::result::Result<Vec<String>, Error> {
        let purse = self.purse(scenario)?;
        claims
            .into_iter()
            .map(|claims| purse.like(like, claims))
            .collect()
    }

    /// The private half of a key of the scenario, as PEM.
    pub fn private_key(
        &self,
        scenario: &Scenario,
        key: &str,
    ) -> std::result::Result<String, Error> {
        self.purse(scenario)?.private(key)
    }

    /// A set of the scenario's keys of these names.
    pub fn key_set(&self, scenario: &Scenario, keys: &[&str]) -> std::result::Result<Value, Error> {
        let purse = self.purse(scenario)?;
        let keys = keys.iter().map(|key| purse.jwk(key));
        let keys: Vec<Value> = keys.collect::<std::result::Result<_, _>>()?;
        Ok(serde_json::json!({"keys": keys}))
    }

    /// A bundle as one of the scenario's servers would have it, of what `bundle` says there.
    pub fn bundle(&self, scenario: &Scenario, spec: Value) -> std::result::Result<Vec<u8>, Error> {
        let spec = serde_json::from_value(spec)
            .map_err(|error| Error::Scenario(scenario.name.clone(), error.to_string()))?;
        self.purse(scenario)?.packed(&spec)
    }

    /// Runs every scenario on every subject and compares.
    pub fn run(&self, scenarios: &[Scenario]) -> std::result::Result<Report, Error> {
        // Keys first: they take long, and no token should grow old meanwhile.
        for (name, spec) in scenarios.iter().flat_map(|scenario| &scenario.file.keys) {
            self.keyring.key(name, spec)?;
        }
        // What waits for its servers has a run of its own, for the same reason.
        let waits = |it: &&Scenario| it.file.cases.iter().any(Case::waits);
        let (last, first): (Vec<_>, Vec<_>) = scenarios.iter().partition(waits);
        if first.is_empty() || last.is_empty() {
            return self.run_part(&[first, last].concat());
        }
        let mut report = self.run_part(&first)?;
        report.verdicts.extend(self.run_part(&last)?.verdicts);
        Ok(report)
    }

    fn run_part(&self, scenarios: &[&Scenario]) -> std::result::Result<Report, Error> {
        let prepared = scenarios
            .iter()
            .map(|scenario| self.prepare(scenario))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let mut report = Report {
            absent: self.absent.clone(),
            ..Report::default()
        };
        let mut ran: Vec<(On, Vec<Ran>)> = Vec::new();
        for on in &self.options.on {
            match self.subject(*on) {
                Ok(mut subject) => match among_loaded(&mut *subject, &prepared, &ran) {
                    Ok(answers) => ran.push((*on, answers)),
                    Err(error) => report.verdicts.push(Verdict {
                        scenario: "all".into(),
                        case: "start".into(),
                        on: *on,
                        result: Result::Failed(vec![error.to_string()]),
                    }),
                },
                Err(message) if self.options.strict => {
                    return Err(Error::Unavailable(*on, message));
                }
                Err(message) => {
                    report
                        .absent
                        .push(format!("{on}: nothing ran on it ({message})"));
                    let all = prepared.iter().map(|_| Ran::NotRun(message.clone()));
                    ran.push((*on, all.collect()));
                }
            }
        }
        for (index, prepared) in prepared.iter().enumerate() {
            let of_scenario: Vec<(On, &Ran)> = ran
                .iter()
                .filter_map(|(on, all)| Some((*on, all.get(index)?)))
                .collect();
            report.verdicts.extend(judge::scenario(
                prepared,
                &of_scenario,
                &mut self.minters.borrow_mut(),
            ));
        }
        Ok(report)
    }

    fn subject(&self, on: On) -> std::result::Result<Box<dyn Subject>, String> {
        let module = &self.options.module;
        if on != On::Native && !module.is_file() {
            return Err(format!(
                "`{}` is not there: `make build` makes it",
                module.display()
            ));
        }
        Ok(match on {
            On::Native => Box::new(native::Native),
            On::Wasmtime => Box::new(in_wasmtime::InWasmtime::new(module)?),
            On::Envoy => {
                let from = std::env::current_dir().map_err(|error| error.to_string())?;
                let module = module.canonicalize().map_err(|error| error.to_string())?;
                Box::new(in_envoy::InEnvoy {
                    binary: envoy_process::find(&from)?,
                    module,
                })
            }
        })
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Leaves out what an earlier subject refused to load, which is a failure of its own: one such
/// configuration would keep the Envoy of all scenarios from starting.
fn among_loaded(
    subject: &mut dyn Subject,
    prepared: &[Prepared<'_>],
    before: &[(On, Vec<Ran>)],
) -> std::result::Result<Vec<Ran>, Error> {
    let refused_by = |index: usize| {
        before
            .iter()
            .find(|(_, all)| matches!(all.get(index), Some(Ran::Refused(_))))
            .map(|(on, _)| *on)
    };
    let mut ran: Vec<Option<Ran>> = Vec::new();
    let mut left: Vec<&Prepared<'_>> = Vec::new();
    for (index, prepared) in prepared.iter().enumerate() {
        match refused_by(index) {
            Some(on) if prepared.scenario.file.expect_load_error.is_none() => {
                ran.push(Some(Ran::NotRun(format!("{on} refused the configuration"))));
            }
            _ => {
                ran.push(None);
                left.push(prepared);
            }
        }
    }
    let mut answers = subject.run(&left)?.into_iter();
    let missing = || Ran::NotRun("the subject gave no answer".into());
    Ok(ran
        .into_iter()
        .map(|slot| slot.or_else(|| answers.next()).unwrap_or_else(missing))
        .collect())
}

/// Reads every scenario at or below a folder, in order of name.
pub fn scenarios(root: &Path) -> std::result::Result<Vec<Scenario>, Error> {
    Scenario::read_all(root)
}

impl On {
    pub const ALL: &'static [On] = &[On::Native, On::Wasmtime, On::Envoy];

    pub const fn as_str(self) -> &'static str {
        match self {
            On::Native => "native",
            On::Wasmtime => "wasmtime",
            On::Envoy => "envoy",
        }
    }

    pub fn parse(name: &str) -> Option<On> {
        On::ALL.iter().copied().find(|on| on.as_str() == name)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
