//! `serve` as a process, with an upstream behind it.
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::Folder;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

pub const PATIENCE: Duration = Duration::from_secs(30);
/// A debug build takes a while to compile the module.
const START: Duration = Duration::from_secs(300);

pub struct Gate {
    child: Child,
    pub address: String,
    pub stdout: Receiver<String>,
    pub stderr: Receiver<String>,
}

impl Gate {
    pub fn serve(folder: &Folder, upstream: &str, more: &[&str]) -> Gate {
        Gate::serve_with(folder, upstream, more, &[])
    }

    /// With environment variables.
    pub fn serve_with(
        folder: &Folder,
        upstream: &str,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Gate {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--upstream", upstream];
        let mut child = folder
            .command(&[&arguments, more].concat())
            .env("PORTCULLIS_WASM", module())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let mut gate = Gate {
            child,
            address: String::new(),
            stdout,
            stderr,
        };
        let first = gate.stderr.recv_timeout(START).unwrap();
        let address = first
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("{first}"));
        gate.address = address.to_owned();
        gate
    }

    /// Sends bytes as they stand; the answer until the connection ends.
    pub fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A refusal may come with a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn get(&self, path: &str, headers: &str) -> String {
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n"
        ))
    }

    pub fn decision(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The next line on stdout.
    pub fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// The next line on stderr.
    pub fn note(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).unwrap()
    }

    /// The next line on stderr that holds this.
    pub fn wait_for(&self, wanted: &str) -> String {
        let since = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(since.elapsed());
            let line = self
                .stderr
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no `{wanted}`"));
            if line.contains(wanted) {
                return line;
            }
        }
    }

    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows the request it got as the body of its answer.
pub fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || echo(stream.unwrap()));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut seen = String::new();
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        chunked |= lower.starts_with("transfer-encoding: chunked");
        if line == "\r\n" {
            break;
        }
        seen.push_str(&line);
    }
    if chunked {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            if size == 0 {
                let trailers = reader.by_ref().lines().map_while(Result::ok);
                trailers
                    .take_while(|line| !line.is_empty())
                    .for_each(|line| seen.push_str(&line));
                break;
            }
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).unwrap();
            seen.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    } else {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.push_str(std::str::from_utf8(&body).unwrap());
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nkeep-alive: x\r\nconnection: close\r\n\r\n{seen}",
        seen.len()
    );
    let _ = stream.write_all(answer.as_bytes());
}

pub fn module() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_portcullis"));
    let near = binary
        .parent()
        .unwrap()
        .join("../wasm32-wasip1/release/portcullis.wasm");
    let module = match std::env::var_os("PORTCULLIS_WASM") {
        Some(named) => PathBuf::from(named),
        None => near,
    };
    assert!(
        module.is_file(),
        "{} is not there: run `make build` first",
        module.display()
    );
    module.canonicalize().unwrap()
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}
