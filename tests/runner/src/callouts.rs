//! The calls of a gate that runs in this process: what Envoy does for the module, as plainly as it goes.

use crate::wire;
use portcullis_host::Headers;
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// Calls under way, each on a thread of its own.
pub struct Callouts<Id> {
    clusters: BTreeMap<String, SocketAddr>,
    answer: Sender<(Id, Option<CallAnswer>)>,
    answers: Receiver<(Id, Option<CallAnswer>)>,
}

/// A request with `:method`, `:path` and `:authority` among its headers.
pub struct HttpCall {
    pub cluster: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Of the whole call.
    pub timeout: Duration,
}

/// With `:status` among the headers.
pub struct CallAnswer {
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl<Id: Send + 'static> Callouts<Id> {
    pub fn new(clusters: BTreeMap<String, SocketAddr>) -> Self {
        let (answer, answers) = channel();
        Callouts {
            clusters,
            answer,
            answers,
        }
    }

    /// Begins a call; one to a cluster that is not there fails at once.
    pub fn start(&self, id: Id, call: HttpCall) {
        let answer = self.answer.clone();
        let Some(address) = self.clusters.get(&call.cluster).copied() else {
            let _ = answer.send((id, None));
            return;
        };
        // Nobody waits for it any more where the other end is gone.
        thread::spawn(move || answer.send((id, carry_out(address, &call).ok())));
    }

    /// The next call that came to an end, with nothing where it failed.
    pub fn next(&self, patience: Duration) -> Option<(Id, Option<CallAnswer>)> {
        self.answers.recv_timeout(patience).ok()
    }
}

fn carry_out(address: SocketAddr, call: &HttpCall) -> io::Result<CallAnswer> {
    let mut stream = Timed {
        stream: TcpStream::connect_timeout(&address, call.timeout)?,
        until: Instant::now().checked_add(call.timeout),
    };
    stream.stream.set_nodelay(true)?;
    stream.stream.write_all(&to_wire(call))?;
    let (status, mut headers, body) = wire::read_answer(&mut stream, false)?;
    headers.add(":status", status.to_string().as_bytes());
    Ok(CallAnswer { headers, body })
}

fn to_wire(call: &HttpCall) -> Vec<u8> {
    let pseudo = |wanted: &str| {
        let found = call.headers.iter().find(|(name, _)| name == wanted);
        found.map_or(&b""[..], |(_, value)| value)
    };
    let line = [pseudo(":method"), b" ", pseudo(":path"), b" HTTP/1.1\r\nhost: "];
    let mut request = [line.concat().as_slice(), pseudo(":authority")].concat();
    request.extend_from_slice(format!("\r\ncontent-length: {}\r\n", call.body.len()).as_bytes());
    let own = |name: &str| name.starts_with(':') || name == "content-length";
    for (name, value) in call.headers.iter().filter(|(name, _)| !own(name)) {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&call.body);
    request
}

/// A deadline for all reads together.
struct Timed {
    stream: TcpStream,
    until: Option<Instant>,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(left)?;
        self.stream.read(into)
    }
}
