//! A server that takes decision logs, and does not always behave.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What it does with an upload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Takes,
    /// It answers with this status.
    Answers(u16),
    /// Later than anybody waits.
    Slow,
    /// What it says is not HTTP.
    Nonsense,
    /// It closes the connection in place of an answer.
    Resets,
    /// It says that it has taken it, and something that is no answer to that.
    TakesAndTalks,
}

pub struct Collector {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    mood: Mood,
    /// Of uploads that were taken.
    taken: Vec<Value>,
    /// Of all that came.
    seen: Vec<Value>,
    /// What was wrong with uploads.
    wrong: Vec<String>,
}

impl Collector {
    pub fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            mood: Mood::Takes,
            taken: Vec::new(),
            seen: Vec::new(),
            wrong: Vec::new(),
        }));
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&all);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Collector { address, shared }
    }

    pub fn is(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    /// The events that it has said it took.
    pub fn taken(&self) -> Vec<Value> {
        self.shared.lock().unwrap().taken.clone()
    }

    /// All that came, whatever it made of them.
    pub fn seen(&self) -> Vec<Value> {
        self.shared.lock().unwrap().seen.clone()
    }

    pub fn wrong(&self) -> Vec<String> {
        self.shared.lock().unwrap().wrong.clone()
    }
}

/// Connections stay open, as a proxy has them.
fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
                break at + 4;
            }
            more(&mut stream, &mut bytes)?;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(found, _)| *found == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let length: usize = header("content-length").parse().unwrap_or(0);
        while bytes.len() < end + length {
            more(&mut stream, &mut bytes)?;
        }
        let body: Vec<u8> = bytes.drain(..end + length).skip(end).collect();
        let mut text = String::new();
        let unpacked = GzDecoder::new(body.as_slice()).read_to_string(&mut text);
        let events: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        let is_good = unpacked.is_ok()
            && !events.is_empty()
            && body.len() <= 4096
            && head.starts_with("post /logs http/1.1")
            && header("content-type") == "application/json"
            && header("content-encoding") == "gzip"
            && header("authorization") == "bearer pl4nted-log-token";
        let mood = {
            let mut shared = shared.lock().unwrap();
            if !is_good {
                shared.wrong.push(format!("{head}{text}"));
            }
            shared.seen.extend(events.clone());
            if matches!(shared.mood, Mood::Takes | Mood::TakesAndTalks) {
                shared.taken.extend(events);
            }
            shared.mood
        };
        let answer = match mood {
            Mood::Takes => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Mood::TakesAndTalks => {
                "HTTP/1.1 204 No\r\ncontent-type: text/html\r\nretry-after: x\r\n\r\n".to_owned()
            }
            Mood::Answers(status) => {
                format!("HTTP/1.1 {status} No\r\ncontent-length: 4\r\n\r\n<no>")
            }
            Mood::Nonsense => "220 mail.test ESMTP\r\n\r\n".to_owned(),
            Mood::Resets => return None,
            Mood::Slow => {
                thread::sleep(Duration::from_secs(2));
                return None;
            }
        };
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 8192];
    let length = stream.read(&mut chunk).ok().filter(|length| *length > 0)?;
    bytes.extend_from_slice(&chunk[..length]);
    Some(())
}
