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

    fn least(&self, name: &str) -> f64 {
        let found = self.chains.iter().find(|it| it.chain.name == name);
        found.map_or(f64::NAN, |it| it.spread()[0])
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
        let us = |us: f64| format!("{us:.1} us");
        let over = |what: &str, name: &str, other: &str, at_most: &str| {
            let least = self.least(name) - self.least(other);
            [what, &us(self.over(name, other)), &us(least), at_most].map(str::to_owned)
        };
        let to = |what: &str, name: &str, other: &str, at_most: f64| {
            [
                what.to_owned(),
                times(self.median(name) / self.median(other)),
                times(self.least(name) / self.least(other)),
                times(at_most),
            ]
        };
        let plain = |what: &str, found: String, at_most: &str| {
            [what.into(), found, String::new(), at_most.into()]
        };
        let (with, without) = (&self.portcullis, &self.none);
        let mib = |of: &Footprint| format!("{} MiB", of.rss_kib / 1024);
        let seconds = |of: &Footprint| format!("{:.2} s", of.ready.as_secs_f64());
        let builtin = self.over("portcullis_100_ours", "portcullis_100_native") / 100.0;
        let (warm, cached) = ("portcullis_warm", "jwt_authn_cached_rbac");
        let (rs256, es256) = ("jwt_authn_rs256", "jwt_authn_es256");
        [
            ["the gate", "measured", "least", "at most"].map(String::from),
            over("warm, more than `none`", warm, "none", "10 us"),
            over("warm, more than `empty_wasm`", warm, "empty_wasm", ""),
            to("warm, to `jwt_authn_cached_rbac`", warm, cached, 1.5),
            over(
                "an evaluation, warm to `portcullis_allow`",
                warm,
                "portcullis_allow",
                "",
            ),
            plain(
                "a builtin of ours, more than the machine's own",
                format!("{builtin:.2} us"),
                "",
            ),
            over(
                "first sight, more than `jwt_authn_rbac`",
                "portcullis_first_sight",
                "jwt_authn_rbac",
                "10 us",
            ),
            over(
                "RS256, more than `jwt_authn_rs256`",
                "portcullis_rs256",
                rs256,
                "20 us",
            ),
            over("the same in the module", "portcullis_rs256_rust", rs256, ""),
            over(
                "ES256, more than `jwt_authn_es256`",
                "portcullis_es256",
                es256,
                "20 us",
            ),
            over("the same in the module", "portcullis_es256_rust", es256, ""),
            to(
                "a forged token, to `jwt_authn_forged`",
                "portcullis_forged",
                "jwt_authn_forged",
                2.0,
            ),
            over(
                "an event to a cluster, more than warm",
                "portcullis_uploads",
                warm,
                "",
            ),
            over("an event in the proxy's log", "portcullis_logs", warm, ""),
            over("a candidate", "portcullis_candidate", warm, ""),
            over(
                "signed for the upstream by HMAC, more than `portcullis_allow`",
                "portcullis_signs_hmac",
                "portcullis_allow",
                "",
            ),
            over(
                "the same by Ed25519",
                "portcullis_signs_ed25519",
                "portcullis_allow",
                "",
            ),
            over(
                "the same by ECDSA over P-256",
                "portcullis_signs_p256",
                "portcullis_allow",
                "",
            ),
            over(
                "1 MiB hashed, more than `buffer_1mib`",
                "portcullis_digest_1mib",
                "buffer_1mib",
                "",
            ),
            over(
                "1 MiB of JSON read too, more than that",
                "portcullis_parse_1mib",
                "portcullis_digest_1mib",
                "",
            ),
            plain("start to first answer", seconds(with), "1 s"),
            plain("the same without the gate", seconds(without), ""),
            plain("resident memory", mib(with), ""),
            plain("the same without the gate", mib(without), ""),
            plain(
                "the module",
                format!("{:.2} MB", self.module_bytes as f64 / 1e6),
                "",
            ),
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
