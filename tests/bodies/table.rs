//! What was seen, as the tables of BODIES.md.

use crate::{
    SIZES, Way,
    request::{Answer, Digest, Protocol},
};
use serde_json::Value;

/// What came of one request.
#[derive(Clone, Debug)]
pub struct Sight {
    pub answer: Answer,
    pub upstream: Upstream,
}

/// What the upstream saw of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Nothing,
    Part,
    /// All of it, byte for byte.
    Whole,
}

pub struct Table {
    title: String,
    note: &'static str,
    columns: Vec<String>,
    rows: Vec<String>,
}

const FILE: &str = "tests/BODIES.md";
/// Set, it writes the file.
const UPDATE: &str = "UPDATE_BODIES";

const HEAD: &str = "# Bodies, shape by shape

What [bodies.rs](bodies.rs) finds on a real Envoy 1.40 with the gate; the test fails where this file says anything else, and writes it
with `UPDATE_BODIES=1`. Each cell is the answer with the gate's reason. **The upstream received the very same bytes
where it says 200, and nothing at all elsewhere**, unless a table says otherwise. `ended` is a connection or a stream that ended
without an answer: the client itself went away, or Envoy reset it for its length. The digest is a SHA-256 `Content-Digest`; the
wrong one is of a body that differs in its last byte. `body.max_bytes` is 1 MiB; the listener's
`per_connection_buffer_limit_bytes` is 4 MiB, and where it is no more than `max_bytes`, some of the 413 are Envoy's own.
";

/// Ways of looking at bodies by their number, with a digest.
pub const TUNNEL_COLUMNS: [(usize, Digest); 5] = [
    (0, Digest::Right),
    (0, Digest::None),
    (1, Digest::None),
    (2, Digest::None),
    (3, Digest::Right),
];

impl Table {
    pub fn new(way: &Way, digest: Digest) -> Table {
        let flag = match way.stops_iteration {
            true => "",
            false => ", and Envoy without `allow_on_headers_stop_iteration`",
        };
        let with = match digest {
            Digest::Right => "the right digest",
            Digest::Wrong => "a wrong digest",
            Digest::None => "no digest",
        };
        Table {
            title: format!("`{}`, {with}{flag}", yaml(&way.body)),
            // How much depends on how it was read.
            note: match way.passes(digest) {
                true => {
                    "The body is not held: of one that is not answered with 200 the upstream may have seen a part, never all.\n\n"
                }
                false => "",
            },
            columns: SIZES.map(|(name, _)| name.to_owned()).to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn of_tunnels() -> Table {
        let columns = [
            "`required`, a digest",
            "`required`, none",
            "`if_present`, none",
            "`parse`",
            "`hold: stream`, a digest",
        ];
        Table {
            title: "Upgrades and tunnels: what follows is no body, and never ends".to_owned(),
            note: "With 200 or 504 the upstream saw the request. It waits for what `content-length` says, which Envoy sends only after a 101.\n\n",
            columns: columns.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, protocol: Protocol, name: &str, sights: Vec<Option<Sight>>) {
        let protocol = match protocol {
            Protocol::Http1 => "1.1",
            Protocol::Http2 => "2",
        };
        let cells: Vec<String> = sights
            .iter()
            .map(|sight| sight.as_ref().map_or_else(|| "–".to_owned(), cell))
            .collect();
        self.rows
            .push(format!("| {protocol} | {name} | {} |", cells.join(" | ")));
    }

    fn to_markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let columns = self.columns.iter().map(String::as_str);
        let mut text = format!("\n## {}\n\n{}", self.title, self.note);
        text.push_str(&line(
            ["HTTP", "framing"].into_iter().chain(columns).collect(),
        ));
        text.push_str(&"|---".repeat(self.columns.len() + 2));
        text.push_str("|\n");
        text.push_str(&self.rows.join("\n"));
        text.push('\n');
        text
    }
}

fn cell(sight: &Sight) -> String {
    match &sight.answer {
        Answer::Status(200, _) => "200".to_owned(),
        Answer::Status(status, Some(reason)) => format!("{status} {reason}"),
        Answer::Status(status, None) => format!("{status} by Envoy"),
        Answer::Ended => "ended".to_owned(),
        Answer::None => "no answer".to_owned(),
    }
}

/// As gate.yaml has it, in one line.
fn yaml(body: &Value) -> String {
    let members = body.as_object().unwrap().iter();
    let members: Vec<String> = members
        .map(|(name, value)| format!("{name}: {}", value.to_string().replace('"', "")))
        .collect();
    format!("body: {{{}}}", members.join(", "))
}

pub fn hold_against_the_file(tables: &[Table]) {
    let tables: Vec<String> = tables.iter().map(Table::to_markdown).collect();
    let found = format!("{HEAD}{}", tables.concat());
    portcullis_tests::hold_against_the_page(FILE, &found, UPDATE);
}
