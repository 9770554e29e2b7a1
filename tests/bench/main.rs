//! `make bench`: what the gate costs in a real Envoy beside what Envoy has of its own, as CPU time of
//! the Envoy process for each request. Nothing here fails for being slow.

mod chains;
mod envoy_config;
mod load;
mod process;
mod report;
mod workload;

use chains::{CHAINS, Chain, Sees};
use envoy_config::Files;
use load::Load;
use portcullis_runner::{Envoy, Exit, Upstream};
use portcullis_tests::root;
use report::{Footprint, Measured};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::IsTerminal,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};
use workload::{Requests, Workload};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The chains take turns, so that what else the machine does hits all alike. Odd, for the median.
const ROUNDS: usize = 21;
/// Starts are measured apart from the rounds.
const STARTS: usize = 3;

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        eprintln!(
            "bench: runs on Linux only, whose /proc tells a process's CPU time to the nanosecond"
        );
        return ExitCode::from(2);
    }
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let files = Files {
        portcullis: portcullis_tests::module(),
        empty: folder.path().join("empty.wasm"),
    };
    fs::write(&files.empty, wat::parse_str(include_str!("empty.wat"))?)?;
    let module_bytes = fs::metadata(&files.portcullis)
        .map_err(|error| {
            format!(
                "{}: {error}; `make build` makes it",
                files.portcullis.display()
            )
        })?
        .len();
    let envoy = portcullis_runner::find_envoy(&root())?;

    let chains = chosen(std::env::args().skip(1))?;
    // One set of tokens goes unmeasured, as a warm-up.
    let workload = Workload::prepare(ROUNDS.saturating_add(1))?;
    let bench = Bench {
        envoy,
        files,
        workload,
        collector: Upstream::start()?,
    };
    eprintln!("starting Envoy {STARTS} times without and with the gate");
    let none = bench.footprint(chains::named("none")?)?;
    let portcullis = bench.footprint(chains::named("portcullis_warm")?)?;
    let report = report::Report {
        chains: bench.rounds(chains)?,
        module_bytes,
        none,
        portcullis,
    };
    let file = root().join("target/bench/envoy.json");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&file, report.to_json().to_string())?;
    println!("{report}");
    eprintln!("written to target/bench/envoy.json");
    Ok(())
}

struct Bench {
    envoy: PathBuf,
    files: Files,
    workload: Workload,
    collector: Upstream,
}

impl Bench {
    /// Every chain in turn in one Envoy, each on keep-alive connections of its own.
    fn rounds(&self, chains: Vec<&'static Chain>) -> Outcome<Vec<Measured>> {
        let envoy = self.start(CHAINS)?;
        let mut loads = Vec::new();
        for (chain, address) in chains.iter().zip(addresses(&envoy, &chains)?) {
            let mut load = Load::open(address)?;
            self.check(chain, &mut load)?;
            loads.push(load);
        }
        let mut measured: Vec<Measured> = chains.into_iter().map(Measured::of).collect();
        for round in 0..=ROUNDS {
            progress(round);
            for (measured, load) in measured.iter_mut().zip(&mut loads) {
                let requests = self.workload.requests(measured.chain.sent, round);
                let before = process::cpu(envoy.id())?;
                load.run(requests, measured.chain.sent.status())
                    .map_err(|error| format!("chain `{}`: {error}", measured.chain.name))?;
                let spent = process::cpu(envoy.id())?.saturating_sub(before);
                if round > 0 {
                    measured.add(spent, requests.len());
                }
            }
        }
        Ok(measured)
    }

    /// A chain that lets everything through, or nothing, is not worth measuring.
    fn check(&self, chain: &Chain, load: &mut Load) -> Outcome<()> {
        for case in &self.workload.cases {
            let wanted = match (chain.sees(), case.status) {
                (Sees::Nothing, _) => 200,
                // It is for the token that this one is refused.
                (Sees::Account, 401) => continue,
                (Sees::Identity, 403) => continue,
                (Sees::Account | Sees::Token | Sees::Identity, status) => status,
            };
            let status = load.ask(&case.request)?;
            if status != wanted {
                let (name, case) = (chain.name, &case.name);
                return Err(
                    format!("chain `{name}` answers {status} to {case}, not {wanted}").into(),
                );
            }
        }
        Ok(())
    }

    /// What a start takes with one chain alone, and what the process then holds.
    fn footprint(&self, chain: &'static Chain) -> Outcome<Footprint> {
        let request = self.workload.requests(Requests::Warm, 0).first();
        let request = request.ok_or("there is no request")?;
        let mut ready: Vec<Duration> = Vec::new();
        let mut rss_kib = 0;
        for _ in 0..STARTS {
            let begun = Instant::now();
            let envoy = self.start(std::slice::from_ref(chain))?;
            for address in addresses(&envoy, &[chain])? {
                match Load::open(address)?.ask(request)? {
                    200 => ready.push(begun.elapsed()),
                    status => return Err(format!("chain `{}` answers {status}", chain.name).into()),
                }
            }
            rss_kib = process::rss_kib(envoy.id())?;
        }
        ready.sort();
        let ready = *ready.get(STARTS / 2).ok_or("nothing started")?;
        Ok(Footprint { ready, rss_kib })
    }

    fn start(&self, chains: &[Chain]) -> Outcome<Envoy> {
        let collector = self.collector.address;
        let config = envoy_config::bootstrap(chains, &self.files, &self.workload, collector)?;
        match Envoy::start(&self.envoy, &config, &BTreeMap::new())? {
            Exit::Serving(envoy) => Ok(envoy),
            Exit::Ended { status, log } => {
                Err(format!("Envoy ended with {status} before it served:\n{log}").into())
            }
        }
    }
}

/// On a terminal, one line that counts; elsewhere, one line.
fn progress(round: usize) {
    match (std::io::stderr().is_terminal(), round) {
        (true, ROUNDS) => eprintln!("\rmeasuring, round {round} of {ROUNDS}"),
        (true, _) => eprint!("\rmeasuring, round {round} of {ROUNDS}"),
        (false, 0) => eprintln!("measuring {ROUNDS} rounds"),
        (false, _) => {}
    }
}

/// The chains that the arguments name; all of them where there are none.
fn chosen(arguments: impl Iterator<Item = String>) -> Outcome<Vec<&'static Chain>> {
    let named: Outcome<Vec<_>> = arguments
        .filter(|argument| !argument.starts_with('-'))
        .map(|name| chains::named(&name))
        .collect();
    let named = named?;
    Ok(match named.is_empty() {
        true => CHAINS.iter().collect(),
        false => named,
    })
}

fn addresses(envoy: &Envoy, chains: &[&Chain]) -> Outcome<Vec<std::net::SocketAddr>> {
    let listeners = envoy.listeners()?;
    chains
        .iter()
        .map(|chain| {
            let address = listeners.get(chain.name);
            Ok(*address.ok_or_else(|| format!("no listener `{}`", chain.name))?)
        })
        .collect()
}
