//! The server behind Envoy, which takes any request line there is and notes it byte for byte.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

type Notes = Arc<Mutex<HashMap<u64, Seen>>>;

pub struct Upstream {
    pub address: SocketAddr,
    seen: Notes,
}

/// A request as it came out of Envoy.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What stands between the method and the version.
    pub target: Vec<u8>,
    headers: HashMap<String, Vec<u8>>,
}

impl Seen {
    /// What the policy read, where one was asked.
    pub fn read(&self, what: &str) -> Option<Vec<u8>> {
        let value = self.header(&format!("x-read-{what}"))?;
        Some(BASE64_STANDARD.decode(value).unwrap())
    }

    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(Vec::as_slice)
    }
}

impl Upstream {
    pub async fn start() -> io::Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Notes::default();
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks shows in what was noted.
                tokio::spawn(serve(stream, Arc::clone(&notes)));
            }
        });
        Ok(Upstream { address, seen })
    }

    /// What came of the request that calls itself this in `x-case`, once.
    pub fn take(&self, case: u64) -> Option<Seen> {
        self.seen.lock().unwrap().remove(&case)
    }
}

async fn serve(stream: TcpStream, notes: Notes) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let mut seen = Seen {
            target: target(&line),
            ..Seen::default()
        };
        loop {
            line.clear();
            stream.read_until(b'\n', &mut line).await?;
            let Some((name, value)) = field(&line) else {
                break;
            };
            let twice = seen.headers.insert(name, value);
            assert!(twice.is_none(), "a header twice: {seen:?}");
        }
        let case = seen.header("x-case").and_then(number);
        let before = notes.lock().unwrap().insert(case.unwrap(), seen);
        assert!(before.is_none(), "a request that was sent once came twice");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await?;
    }
}

fn target(line: &[u8]) -> Vec<u8> {
    let start = line.iter().position(|byte| *byte == b' ').unwrap() + 1;
    let end = line.strip_suffix(b" HTTP/1.1\r\n").unwrap().len();
    line[start..end].to_vec()
}

fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(line[..colon].to_vec()).unwrap();
    Some((name, line[colon + 1..].trim_ascii().to_vec()))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
