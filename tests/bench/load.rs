//! The client: one thread that sends a wave of requests, one on each of its keep-alive connections, and
//! then reads all answers. It waits for the last one first, so that Envoy goes through a wave without
//! having to wake it for each answer: that would be charged to Envoy, and differs with the machine.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub const CONNECTIONS: usize = 32;

const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any answer here.
const BUFFER: usize = 8 << 10;

pub struct Load {
    connections: Vec<Connection>,
}

impl Load {
    pub fn open(to: SocketAddr) -> io::Result<Load> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(to));
        Ok(Load {
            connections: connections.collect::<io::Result<_>>()?,
        })
    }

    /// Sends all requests, and insists on this status of each answer.
    pub fn run(&mut self, requests: &[Vec<u8>], wanted: u16) -> io::Result<()> {
        for wave in requests.chunks(CONNECTIONS) {
            for (connection, request) in self.connections.iter_mut().zip(wave) {
                connection.stream.write_all(request)?;
            }
            for (connection, _) in self.connections.iter_mut().zip(wave).rev() {
                match connection.receive()? {
                    status if status == wanted => {}
                    status => return Err(odd(&format!("an answer is {status}, not {wanted}"))),
                }
            }
        }
        Ok(())
    }

    /// The status of the answer to one request.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        let connection = self.connections.first_mut();
        let connection = connection.ok_or_else(|| odd("there is no connection"))?;
        connection.stream.write_all(request)?;
        connection.receive()
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: vec![0; BUFFER],
        })
    }

    fn receive(&mut self) -> io::Result<u16> {
        let mut filled: usize = 0;
        loop {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room)? {
                0 => return Err(odd("the connection ended, or an answer is too long")),
                count => filled = filled.saturating_add(count),
            }
            let so_far = self.buffer.get(..filled).unwrap_or_default();
            if let Some((status, length)) = head(so_far)?
                && filled >= length
            {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and its whole length, once its head is there.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut parsed = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut parsed);
    let parsed = response
        .parse(bytes)
        .map_err(|error| odd(&error.to_string()))?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|line| line.name.eq_ignore_ascii_case("content-length"))
        .and_then(|line| std::str::from_utf8(line.value).ok()?.parse::<usize>().ok())
        .ok_or_else(|| odd("an answer has no length"))?;
    let status = response
        .code
        .ok_or_else(|| odd("an answer has no status"))?;
    Ok(Some((status, end.saturating_add(length))))
}

fn odd(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
