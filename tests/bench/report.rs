//! What came of it: a table for people, in Markdown as the README shows it, and JSON for machines.

use crate::chains::Chain;
use serde_json::{Map, Value, json};
use std::{fmt, time::Duration};

/// CPU time of one chain, microseconds for each request, round by round.
pub struct Measured {
    pub chain: &'static Chain,
    rounds: Vec<f64>,
}

/// A process with one chain.
pub struct Footprint {
    /// From the start to the first answered request.
    pub ready: Duration,
    pub rss_kib: u64,
}

pub struct Report {
    pub chains: Vec<Measured>,
    pub module_bytes: u64,
    pub none: Footprint,
    pub portcullis: Footprint,
}

impl Measured {
    pub fn of(chain: &'static Chain) -> Measured {
        Measured {
            chain,
            rounds: Vec::new(),
        }
    }

    pub fn add(&mut self, spent: Duration, requests: usize) {
        self.rounds
            .push(spent.as_secs_f64() * 1e6 / requests as f64);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The least, the median and the most.
    fn spread(&self) -> [f64; 3] {
        let sorted = self.sorted();
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        [
            at(0),
            at(sorted.len() / 2),
            at(sorted.len().saturating_sub(1)),
        ]
    }

    fn median(&self) -> f64 {
        let [_, median, _] = self.spread();
        median
    }
}

impl Report {
    pub fn to_json(&self) -> Value {
        let chains: Map<String, Value> = self
            .chains
            .iter()
            .map(|measured| {
                let rounds: Vec<f64> = measured.rounds.iter().copied().map(thousandths).collect();
                let of_chain = json!({"cpu_us": thousandths(measured.median()), "rounds": rounds});
                (measured.chain.name.to_owned(), of_chain)
            })
            .collect();
        let footprint = |of: &Footprint| json!({"ready_s": thousandths(of.ready.as_secs_f64()), "rss_kib": of.rss_kib});
        json!({
            "chains": chains,
            "module_bytes": self.module_bytes,
            "process": {
                "none": footprint(&self.none),
                "portcullis": footprint(&self.portcullis),
            },
        })
    }

    fn median(&self, name: &str) -> f64 {
        let found = self.chains.iter().find(|it| it.chain.name == name);
        found.map_or(f64::NAN, Measured::median)
    }

    /// What a chain costs more than another: the median of the rounds' differences, since what else the
    /// machine does hits a round's chains alike.
    fn over(&self, name: &str, other: &str) -> f64 {
        let rounds = |name: &str| {
            let found = self.chains.iter().find(|it| it.chain.name == name);
            found.map(|it| it.rounds.as_slice()).unwrap_or_default()
        };
        let mut differences: Vec<f64> = rounds(name)
            .iter()
            .zip(rounds(other))
            .map(|(one, other)| one - other)
            .collect();
        differences.sort_by(f64::total_cmp);
        let middle = differences.get(differences.len() / 2);
        middle.copied().unwrap_or(f64::NAN)
    }

    fn chains(&self) -> Vec<Vec<String>> {
        let none = self.median("none");
        let head = ["chain", "median", "min", "max", "to `none`"];
        let rows = self.chains.iter().map(|measured| {
            let [min, median, max] = measured.spread();
            let name = format!("`{}`", measured.chain.name);
            let numbers = [median, min, max].map(|us| format!("{us:.1} us"));
            [vec![name], numbers.to_vec(), vec![times(median / none)]].concat()
        });
        [head.map(String::from).to_vec()]
            .into_iter()
            .chain(rows)
            .collect()
    }

    /// What DESIGN asks of the gate, as this run has it.
    fn aims(&self) -> Vec<Vec<String>> {
        let warm = self.median("portcullis_warm");
        let over = |name: &str, other: &str| format!("{:.1} us", self.over(name, other));
        let (with, without) = (&self.portcullis, &self.none);
        let mib = |of: &Footprint| format!("{} MiB", of.rss_kib / 1024);
        let seconds = |of: &Footprint| format!("{:.2} s", of.ready.as_secs_f64());
        [
            ["the gate", "measured", "at most"].map(String::from),
            [
                "warm, more than `none`".into(),
                over("portcullis_warm", "none"),
                "10 us".into(),
            ],
            [
                "warm, more than `empty_wasm`".into(),
                over("portcullis_warm", "empty_wasm"),
                String::new(),
            ],
            [
                "warm, to `jwt_authn_cached_rbac`".into(),
                times(warm / self.median("jwt_authn_cached_rbac")),
                times(1.5),
            ],
            [
                "an evaluation, warm to `portcullis_allow`".into(),
                over("portcullis_warm", "portcullis_allow"),
                String::new(),
            ],
            [
                "a builtin of ours, more than the machine's own".into(),
                format!(
                    "{:.2} us",
                    self.over("portcullis_100_ours", "portcullis_100_native") / 100.0
                ),
                String::new(),
            ],
            [
                "first sight, more than `jwt_authn_rbac`".into(),
                over("portcullis_first_sight", "jwt_authn_rbac"),
                "10 us".into(),
            ],
            [
                "RS256, more than `jwt_authn_rs256`".into(),
                over("portcullis_rs256", "jwt_authn_rs256"),
                "20 us".into(),
            ],
            [
                "the same in the module".into(),
                over("portcullis_rs256_rust", "jwt_authn_rs256"),
                String::new(),
            ],
            [
                "ES256, more than `jwt_authn_es256`".into(),
                over("portcullis_es256", "jwt_authn_es256"),
                "20 us".into(),
            ],
            [
                "the same in the module".into(),
                over("portcullis_es256_rust", "jwt_authn_es256"),
                String::new(),
            ],
            [
                "a forged token, to `jwt_authn_forged`".into(),
                times(self.median("portcullis_forged") / self.median("jwt_authn_forged")),
                times(2.0),
            ],
            ["start to first answer".into(), seconds(with), "1 s".into()],
            [
                "the same without the gate".into(),
                seconds(without),
                String::new(),
            ],
            ["resident memory".into(), mib(with), String::new()],
            [
                "the same without the gate".into(),
                mib(without),
                String::new(),
            ],
            [
                "the module".into(),
                format!("{:.2} MB", self.module_bytes as f64 / 1e6),
                String::new(),
            ],
        ]
        .map(Vec::from)
        .into_iter()
        // Of a chain that was not measured there is nothing to say.
        .filter(|row| row.get(1).is_none_or(|cell| !cell.contains("NaN")))
        .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.chains())?;
        writeln!(f)?;
        table(f, &self.aims())
    }
}

/// Markdown that reads as a table on a terminal too.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => write!(f, "| {cell:width$} |")?,
                _ => write!(f, " {cell:>width$} |")?,
            }
        }
        writeln!(f)?;
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                match column {
                    0 => write!(f, "|-{:-<width$}-|", "")?,
                    _ => write!(f, "-{:->width$}:|", "")?,
                }
            }
            writeln!(f)?;
        }
    }
    Ok(())
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2} x")
}

fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
