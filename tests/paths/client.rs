//! Clients that send a path byte for byte, as no library does.

use crate::gates::Route;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// What a client says that its path was, which is for Envoy to say.
const ORIGINAL: &str = "x-envoy-original-path";
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub struct Request<'r> {
    pub method: &'r str,
    pub path: &'r [u8],
    pub route: Route,
    /// Its number, by which the upstream knows it.
    pub case: u64,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The status over HTTP/1.1, and the gate's reason, where it has given one.
    Status(u16, Option<String>),
    /// A whole answer over HTTP/2, which is not read.
    Whole,
    /// The connection or the stream was broken off.
    Ended,
}

/// One connection, which is opened again where it was closed.
pub struct Client {
    to: SocketAddr,
    protocol: Protocol,
    stream: Option<BufReader<TcpStream>>,
    /// Of HTTP/2: the next stream's.
    id: u32,
}

impl Client {
    pub fn new(to: SocketAddr, protocol: Protocol) -> Client {
        Client {
            to,
            protocol,
            stream: None,
            id: 1,
        }
    }

    /// Sends a request, and waits for its end.
    pub async fn ask(&mut self, request: &Request<'_>) -> Answer {
        let asked = timeout(PATIENCE, async {
            if self.stream.is_none() {
                self.connect().await?;
            }
            match self.protocol {
                Protocol::Http1 => self.ask_1(request).await,
                Protocol::Http2 => self.ask_2(request).await,
            }
        });
        let place = request.path.escape_ascii();
        let answer = asked.await.unwrap_or_else(|_| panic!("no end: {place}"));
        answer.unwrap_or_else(|_| {
            self.stream = None;
            Answer::Ended
        })
    }

    async fn connect(&mut self) -> io::Result<()> {
        let stream = TcpStream::connect(self.to).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        if self.protocol == Protocol::Http2 {
            stream.write_all(PREFACE).await?;
            stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
            let window = 0x3fff_ffff_u32.to_be_bytes();
            let window = frame(WINDOW_UPDATE, 0, 0, &window);
            stream.write_all(&window).await?;
        }
        self.id = 1;
        self.stream = Some(stream);
        Ok(())
    }

    async fn ask_1(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut head = [request.method.as_bytes(), b" ", request.path].concat();
        let (route, case) = (request.route.name(), request.case);
        head.extend_from_slice(
            format!(" HTTP/1.1\r\nhost: gate.test\r\nx-route: {route}\r\nx-case: {case}\r\n{ORIGINAL}: /closed\r\n\r\n")
                .as_bytes(),
        );
        stream.write_all(&head).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (mut length, mut closes, mut reason) = (0, false, None);
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                "connection" => closes = value == "close",
                crate::REASON => reason = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if closes {
            self.stream = None;
        }
        Ok(Answer::Status(status, reason))
    }

    async fn ask_2(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let id = self.id;
        self.id = id + 2;
        let case = request.case.to_string();
        let lines: [(&str, &[u8]); 7] = [
            (":method", request.method.as_bytes()),
            (":scheme", b"http"),
            (":authority", b"gate.test"),
            (":path", request.path),
            ("x-route", request.route.name().as_bytes()),
            ("x-case", case.as_bytes()),
            (ORIGINAL, b"/closed"),
        ];
        let mut block = Vec::new();
        for (name, value) in lines {
            // RFC 7541 section 6.2.2: a literal that is not indexed, with a new name.
            block.push(0);
            put_text(&mut block, name.as_bytes());
            put_text(&mut block, value);
        }
        let head = frame(HEADERS, END_STREAM | END_HEADERS, id, &block);
        stream.write_all(&head).await?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, e, f, g, h] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            stream.read_exact(&mut payload).await?;
            let its = u32::from_be_bytes([e, f, g, h]) & 0x7fff_ffff == id;
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let body: &[u8] = if kind == PING { &payload } else { &[] };
                    stream.write_all(&frame(kind, ACK, 0, body)).await?;
                }
                HEADERS | DATA if its && flags & END_STREAM != 0 => return Ok(Answer::Whole),
                RST_STREAM if its => return Ok(Answer::Ended),
                GOAWAY => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Without Huffman's code (RFC 7541 sections 5.1 and 5.2).
fn put_text(block: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => block.push(length),
        _ => {
            block.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                block.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            block.push(rest as u8);
        }
    }
    block.extend_from_slice(text);
}
