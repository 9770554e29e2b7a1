//! Clients that ask all the time, on connections that stay open, and note every answer.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What a policy answers with, twice: once as a literal of its module, and once from its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub literal: String,
    pub data: String,
    pub reason: String,
}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    pub port: u16,
}

impl Client {
    pub fn connect(to: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client {
            port: stream.local_addr()?.port(),
            stream: BufReader::new(stream),
        })
    }

    /// `fields`: lines of the head.
    pub fn ask(&mut self, fields: &str) -> io::Result<Answer> {
        self.send(&format!(
            "GET / HTTP/1.1\r\nhost: gate.test\r\n{fields}\r\n"
        ))?;
        self.answer()
    }

    /// Bytes as they stand.
    pub fn send(&mut self, bytes: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_bytes())
    }

    pub fn answer(&mut self) -> io::Result<Answer> {
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut answer = Answer::default();
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                let status = rest.get(..3).and_then(|status| status.parse().ok());
                answer.status = status.ok_or_else(|| odd(rest))?;
            }
            let (name, value) = line.split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "x-literal" => value.clone_into(&mut answer.literal),
                "x-data" => value.clone_into(&mut answer.data),
                "x-reason" => value.clone_into(&mut answer.reason),
                "content-length" => length = value.parse().map_err(|_| odd(value))?,
                _ => {}
            }
        }
        self.stream.read_exact(&mut vec![0; length])?;
        Ok(answer)
    }
}

/// One request of the load.
#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Instant,
    pub took: Duration,
    /// Which of the requests it was.
    pub kind: usize,
    pub answer: Answer,
}

pub struct Load {
    connections: Vec<Connection>,
    over: AtomicBool,
}

#[derive(Default)]
pub struct Connection {
    pub port: u16,
    samples: Mutex<Vec<Sample>>,
    /// What ended it.
    fault: Mutex<Option<String>>,
}

/// Between two requests of a client, so that there is time that a stall can be told from.
const PACE: Duration = Duration::from_millis(2);

impl Load {
    /// As long as `test` takes; each client sends the requests in turn.
    pub fn run<T>(
        to: SocketAddr,
        clients: usize,
        requests: &[String],
        test: impl FnOnce(&Load) -> T,
    ) -> (T, Vec<Connection>) {
        let mut streams: Vec<_> = (0..clients).map(|_| Client::connect(to).unwrap()).collect();
        let connections = streams.iter().map(|client| Connection {
            port: client.port,
            ..Connection::default()
        });
        let load = Load {
            connections: connections.collect(),
            over: AtomicBool::new(false),
        };
        let ended = thread::scope(|scope| {
            for (client, connection) in streams.iter_mut().zip(&load.connections) {
                let over = &load.over;
                scope.spawn(move || connection.run(client, requests, over));
            }
            // It ends with what the test is, good or bad.
            let _over = Over(&load.over);
            test(&load)
        });
        (ended, load.connections)
    }

    /// Whether the last answer of every client is so.
    pub fn every(&self, is: impl Fn(&Answer) -> bool) -> bool {
        self.connections.iter().all(|connection| {
            let samples = connection.samples.lock().unwrap();
            samples.last().is_some_and(|last| is(&last.answer))
        })
    }

    /// How long after `since` the first client had an answer that is so, and the last.
    pub fn spread(&self, since: Instant, is: impl Fn(&Answer) -> bool) -> (Duration, Duration) {
        let each = self.connections.iter().map(|connection| {
            let samples = connection.samples.lock().unwrap();
            let mut after = samples.iter().filter(|sample| sample.at >= since);
            let first = after.find(|sample| is(&sample.answer)).unwrap();
            (first.at + first.took).duration_since(since)
        });
        let each: Vec<_> = each.collect();
        (*each.iter().min().unwrap(), *each.iter().max().unwrap())
    }

    /// The longest of what was asked in between, and how many there were.
    pub fn longest(&self, from: Instant, to: Instant) -> (Duration, usize) {
        let mut longest = Duration::ZERO;
        let mut count = 0;
        for connection in &self.connections {
            for sample in connection.samples.lock().unwrap().iter() {
                if sample.at < to && sample.at + sample.took > from {
                    longest = longest.max(sample.took);
                    count += 1;
                }
            }
        }
        (longest, count)
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    fn run(&self, client: &mut Client, requests: &[String], over: &AtomicBool) {
        for kind in (0..requests.len()).cycle() {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let at = Instant::now();
            match client.ask(&requests[kind]) {
                Ok(answer) => self.samples.lock().unwrap().push(Sample {
                    at,
                    took: at.elapsed(),
                    kind,
                    answer,
                }),
                Err(error) => {
                    *self.fault.lock().unwrap() = Some(error.to_string());
                    return;
                }
            }
            thread::sleep(PACE);
        }
    }

    /// All that was answered on it.
    ///
    /// # Panics
    /// Where it was closed or broke.
    pub fn samples(self) -> Vec<Sample> {
        let fault = self.fault.into_inner().unwrap();
        assert_eq!(fault, None, "port {}", self.port);
        self.samples.into_inner().unwrap()
    }
}
