//! The calls of a gate that runs in this process: what Envoy does for the module, as plainly as it goes.

use crate::wire;
use portcullis_host::{Headers, HttpCallResponse};
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
    ended: Sender<(Id, Ended)>,
    ends: Receiver<(Id, Ended)>,
}

/// What came of a call: nothing where an answer began and broke off, or there is no such cluster.
pub type Ended = Option<HttpCallResponse>;

/// A request with `:method`, `:path` and `:authority` among its headers.
pub struct Call {
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// Of the whole call.
    pub timeout: Duration,
}

impl<Id: Send + 'static> Callouts<Id> {
    pub fn new(clusters: BTreeMap<String, SocketAddr>) -> Self {
        let (ended, ends) = channel();
        Callouts {
            clusters,
            ended,
            ends,
        }
    }

    pub fn start(&self, id: Id, call: Call) {
        let ended = self.ended.clone();
        let Some(address) = self.clusters.get(&call.cluster).copied() else {
            let _ = ended.send((id, None));
            return;
        };
        // Nobody waits for it any more where the other end is gone.
        thread::spawn(move || ended.send((id, carry_out(address, &call))));
    }

    /// The next call that comes to an end.
    pub fn next(&self, patience: Duration) -> Option<(Id, Ended)> {
        self.ends.recv_timeout(patience).ok()
    }
}

/// As Envoy's router does it, which answers itself where no answer begins.
fn carry_out(address: SocketAddr, call: &Call) -> Ended {
    let until = Instant::now().checked_add(call.timeout);
    let begun = TcpStream::connect_timeout(&address, call.timeout).and_then(|stream| {
        stream.set_nodelay(true)?;
        let mut stream = Timed { stream, until };
        stream.stream.write_all(&to_wire(call))?;
        let head = wire::read_head(&mut stream)?;
        Ok((stream, head))
    });
    match begun {
        Ok((mut stream, head)) => {
            let (status, mut headers, body) = wire::read_answer(&mut stream, head, false).ok()?;
            headers.add(":status", status.to_string().as_bytes());
            Some(HttpCallResponse {
                headers,
                body,
                trailers: None,
            })
        }
        Err(error) if timed_out(&error) => Some(HttpCallResponse::timed_out()),
        Err(_) => Some(HttpCallResponse::unreachable()),
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

fn to_wire(call: &Call) -> Vec<u8> {
    let pseudo = |name: &str| call.headers.get(name).unwrap_or_default();
    let mut request = [
        pseudo(":method"),
        b" ",
        pseudo(":path"),
        b" HTTP/1.1\r\nhost: ",
        pseudo(":authority"),
        format!("\r\ncontent-length: {}\r\n", call.body.len()).as_bytes(),
    ]
    .concat();
    let own = |name: &str| name.starts_with(':') || name == "content-length";
    for (name, value) in call.headers.iter().filter(|(name, _)| !own(name)) {
        request.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
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
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(left)?;
        self.stream.read(into)
    }
}
