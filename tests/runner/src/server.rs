//! The server that a gate asks for keys and the like: it answers as it is told, which may be late,
//! cut off, of a wrong length or not at all, and counts what it was asked.

use crate::wire;
use portcullis_host::Headers;
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Ends when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

/// What a path is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Before the first byte.
    pub delay: Duration,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
    /// What `content-length` says, where it is not the truth.
    pub length: Option<usize>,
    /// No answer, until the path has another reply.
    pub held: bool,
    /// The connection is reset in place of its end.
    pub reset: bool,
    /// Who has its `etag` already waits for another reply, for as long as its `Prefer: wait` says
    /// (RFC 7240 section 4.3).
    pub waits: bool,
}

/// What came for a path.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    changed: Condvar,
}

#[derive(Default)]
struct Script {
    replies: BTreeMap<String, Reply>,
    asked: BTreeMap<String, u64>,
    latest: BTreeMap<String, VecDeque<Asked>>,
    /// Answers that are held end with the server.
    ended: bool,
}

enum State {
    Alive(JoinHandle<()>),
    /// Bound and not listening: nobody else gets the port, and connections are refused.
    Dead(Socket),
    Changing,
}

/// How long an answer is held at most, so that a test which fails also ends.
const HELD: Duration = Duration::from_secs(30);
/// How many requests for a path are kept.
const LATEST: usize = 100;
/// What was sent before a reset would be lost with it, had it not arrived.
const BEFORE_A_RESET: Duration = Duration::from_millis(50);

impl Default for Reply {
    fn default() -> Self {
        Reply {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
            cut: None,
            length: None,
            held: false,
            reset: false,
            waits: false,
        }
    }
}

impl Reply {
    /// A document that is there at once.
    pub fn json(document: &serde_json::Value) -> Reply {
        Reply {
            headers: vec![("content-type".into(), "application/json".into())],
            body: document.to_string().into_bytes(),
            ..Reply::default()
        }
    }

    pub fn held() -> Reply {
        Reply {
            held: true,
            ..Reply::default()
        }
    }
}

impl Server {
    pub fn start() -> io::Result<Server> {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = socket.local_addr()?.as_socket();
        let server = Server {
            address: address.ok_or_else(|| io::Error::other("no address"))?,
            shared: Arc::default(),
            state: Mutex::new(State::Dead(socket)),
        };
        server.revive()?;
        Ok(server)
    }

    /// What a path is answered with from now on, and its count begins anew; what has no reply is a 404.
    pub fn set(&self, path: &str, reply: Reply) {
        let mut script = lock(&self.shared.script);
        script.replies.insert(path.to_owned(), reply);
        script.asked.remove(path);
        script.latest.remove(path);
        drop(script);
        self.shared.changed.notify_all();
    }

    /// How often a path was asked for since it was set, whatever came of it.
    pub fn asked(&self, path: &str) -> u64 {
        let script = lock(&self.shared.script);
        script.asked.get(path).copied().unwrap_or_default()
    }

    /// The latest requests for a path since it was set, oldest first.
    pub fn latest(&self, path: &str) -> Vec<Asked> {
        let script = lock(&self.shared.script);
        let latest = script.latest.get(path);
        latest.into_iter().flatten().cloned().collect()
    }

    /// Waits until a path was asked for so often, or for as long as `patience`; whether it was.
    pub fn wait_asked(&self, path: &str, count: u64, patience: Duration) -> bool {
        let script = lock(&self.shared.script);
        let fewer =
            |script: &mut Script| script.asked.get(path).copied().unwrap_or_default() < count;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(script, patience, fewer);
        let (script, _) = waited.unwrap_or_else(PoisonError::into_inner);
        script.asked.get(path).copied().unwrap_or_default() >= count
    }

    /// Refuses connections from now on.
    pub fn kill(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if let State::Alive(accepting) = std::mem::replace(&mut *state, State::Changing) {
            self.end(accepting);
        }
        *state = State::Dead(bound(self.address)?);
        Ok(())
    }

    /// Takes connections again, on the same port.
    pub fn revive(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, State::Changing) {
            State::Dead(socket) => {
                socket.listen(256)?;
                lock(&self.shared.script).ended = false;
                let listener: TcpListener = socket.into();
                let shared = Arc::clone(&self.shared);
                *state = State::Alive(thread::spawn(move || accept(&listener, &shared)));
            }
            other => *state = other,
        }
        Ok(())
    }

    fn end(&self, accepting: JoinHandle<()>) {
        lock(&self.shared.script).ended = true;
        self.shared.changed.notify_all();
        // It sees that it shall end when the next connection comes.
        let _ = TcpStream::connect(self.address);
        let _ = accepting.join();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Changing);
        if let State::Alive(accepting) = state {
            self.end(accepting);
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Connections that the last listener closed keep the port for a while.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if lock(&shared.script).ended {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // What is wrong with a connection shows in what the gate then decides.
        thread::spawn(move || answer(stream, &shared));
    }
}

/// One request a connection, so that a server that is dead has no connections left.
fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    let head = wire::read_head(&mut stream)?;
    let (method, target, headers) = wire::parse_request(&head.bytes)?;
    let body = match headers.get("content-length") {
        Some(_) => wire::read_body(&mut stream, &headers, head.rest)?,
        None => Vec::new(),
    };
    let path = target.split('?').next().unwrap_or_default();
    let asked = Asked {
        method,
        headers,
        body,
    };
    let Some(mut reply) = reply(path, &asked, shared) else {
        return Ok(());
    };
    if reply.is_known(&asked.headers) {
        reply.status = 304;
        reply.body.clear();
    }
    thread::sleep(reply.delay);
    let length = reply.length.unwrap_or(reply.body.len());
    let mut response = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        response.push_str(&format!("{name}: {value}\r\n"));
    }
    response.push_str(&format!(
        "content-length: {length}\r\nconnection: close\r\n\r\n"
    ));
    stream.write_all(response.as_bytes())?;
    let sent = reply.cut.unwrap_or(reply.body.len());
    stream.write_all(reply.body.get(..sent).unwrap_or(&reply.body))?;
    if reply.reset {
        thread::sleep(BEFORE_A_RESET);
        return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
    stream.shutdown(Shutdown::Write)
}

impl Reply {
    /// Whether who asks has it already.
    fn is_known(&self, headers: &Headers) -> bool {
        let mut own = self.headers.iter();
        let tag = own.find(|(name, _)| name == "etag");
        let known = headers.get("if-none-match");
        self.status == 200 && tag.is_some_and(|(_, tag)| known == Some(tag.as_bytes()))
    }
}

/// For how long who asks would wait.
fn wait(headers: &Headers) -> Duration {
    let prefer = String::from_utf8_lossy(headers.get("prefer").unwrap_or_default()).into_owned();
    let mut parts = prefer.split([';', ',']).map(str::trim);
    let seconds = parts.find_map(|part| part.strip_prefix("wait=")?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Counts, and waits where the answer is held; nothing where the server ended meanwhile.
fn reply(path: &str, asked: &Asked, shared: &Shared) -> Option<Reply> {
    let since = Instant::now();
    let wait = wait(&asked.headers);
    let mut script = lock(&shared.script);
    let latest = script.latest.entry(path.to_owned()).or_default();
    if latest.len() >= LATEST {
        latest.pop_front();
    }
    latest.push_back(asked.clone());
    let count = script.asked.entry(path.to_owned()).or_default();
    *count = count.saturating_add(1);
    shared.changed.notify_all();
    loop {
        let reply = script.replies.get(path).cloned();
        match reply {
            None => {
                return Some(Reply {
                    status: 404,
                    ..Reply::default()
                });
            }
            Some(_) if script.ended => return None,
            Some(reply) if !reply.held => {
                let left = wait.saturating_sub(since.elapsed());
                if left.is_zero() || !(reply.waits && reply.is_known(&asked.headers)) {
                    return Some(reply);
                }
                let waited = shared.changed.wait_timeout(script, left);
                (script, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
            Some(_) if since.elapsed() > HELD => return None,
            Some(_) => {
                let waited = shared.changed.wait_timeout(script, Duration::from_secs(1));
                (script, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
