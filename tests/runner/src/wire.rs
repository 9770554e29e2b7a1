//! HTTP/1.1 as bytes: a client that sends what it is told, however odd, and reads one answer.

use crate::{certificates, subject::Exchange};
use portcullis_host::Headers;
use rustls::{ClientConnection, HandshakeKind, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// An answer, and the port it came to.
pub struct Answer {
    pub port: u16,
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// A message's head with the bytes that were read after it.
pub struct Head {
    pub bytes: Vec<u8>,
    pub rest: Vec<u8>,
}

/// So that a proxy reads what is sent one after the other one after the other.
const BETWEEN: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any scenario sends.
const MAX_HEAD: usize = 4 << 20;
const MAX_HEADERS: usize = 4096;

/// Sends one request on a connection of its own.
pub fn send(to: SocketAddr, exchange: &Exchange) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    let Some(tls) = &exchange.tls else {
        return converse(stream, port, exchange).map(|(answer, _)| answer);
    };
    let server = certificates::SERVER.try_into().map_err(odd)?;
    let connection = ClientConnection::new(Arc::clone(&tls.config), server).map_err(odd)?;
    let stream = StreamOwned::new(connection, stream);
    let (answer, stream) = converse(stream, port, exchange)?;
    let resumed = stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
    match tls.resumed && !resumed {
        true => Err(odd("the TLS session was not resumed")),
        false => Ok(answer),
    }
}

/// Reads one answer, which has its body in full where the connection goes on.
pub fn receive(stream: &mut impl Read, bodiless: bool) -> io::Result<(u16, Headers, Vec<u8>)> {
    let head = read_final_head(stream)?;
    read_answer(stream, head, bodiless)
}

/// Gives the stream back, which may have more to tell.
fn converse<S: Read + Write>(
    mut stream: S,
    port: u16,
    exchange: &Exchange,
) -> io::Result<(Answer, S)> {
    let unsent = write(&mut stream, exchange);
    let head = read_final_head(&mut stream);
    // Whoever is refused on the way is answered before all is sent.
    let head = head.map_err(|error| unsent.err().unwrap_or(error))?;
    let (status, headers, body) = read_answer(&mut stream, head, exchange.method == "HEAD")?;
    let answer = Answer {
        port,
        status,
        headers,
        body,
    };
    Ok((answer, stream))
}

fn write(stream: &mut impl Write, exchange: &Exchange) -> io::Result<()> {
    for (index, bytes) in exchange.writes().iter().enumerate() {
        if index > 0 {
            thread::sleep(BETWEEN.max(exchange.framing.pause));
        }
        stream.write_all(bytes)?;
        stream.flush()?;
    }
    Ok(())
}

/// Past the interim answers, as to `Expect: 100-continue`.
fn read_final_head(stream: &mut impl Read) -> io::Result<Head> {
    let mut head = read_head(stream)?;
    while head.bytes.starts_with(b"HTTP/1.1 100 ") {
        head = read_head_after(stream, head.rest)?;
    }
    Ok(head)
}

/// Status and headers of a head that was read, and the body after it, which an answer to HEAD has not.
pub fn read_answer(
    stream: &mut impl Read,
    head: Head,
    bodiless: bool,
) -> io::Result<(u16, Headers, Vec<u8>)> {
    let mut parsed = [httparse::EMPTY_HEADER; 256];
    let mut response = httparse::Response::new(&mut parsed);
    response.parse(&head.bytes).map_err(odd)?;
    let status = response.code.ok_or_else(|| odd("no status"))?;
    let headers: Headers = response
        .headers
        .iter()
        .map(|line| (line.name, line.value))
        .collect();
    let body = if bodiless || matches!(status, 100..=199 | 204 | 304) {
        Vec::new()
    } else {
        read_body(stream, &headers, head.rest)?
    };
    Ok((status, headers, body))
}

/// Reads up to the empty line.
pub fn read_head(stream: &mut impl Read) -> io::Result<Head> {
    read_head_after(stream, Vec::new())
}

fn read_head_after(stream: &mut impl Read, mut bytes: Vec<u8>) -> io::Result<Head> {
    let mut chunk = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end.saturating_add(4));
            return Ok(Head { bytes, rest });
        }
        if bytes.len() > MAX_HEAD {
            return Err(odd("a head without an end"));
        }
        match stream.read(&mut chunk)? {
            0 => {
                let message = format!("closed after {} bytes", bytes.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
}

/// A request's line and its headers in order.
pub fn parse_request(head: &[u8]) -> io::Result<(String, String, Headers)> {
    let mut parsed = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut parsed);
    request.parse(head).map_err(odd)?;
    let headers = request
        .headers
        .iter()
        .map(|line| (line.name, line.value))
        .collect();
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    Ok((text(request.method), text(request.path), headers))
}

/// As `content-length` says, else in chunks, else to the end.
pub fn read_body(
    stream: &mut impl Read,
    headers: &Headers,
    mut body: Vec<u8>,
) -> io::Result<Vec<u8>> {
    if headers.get("transfer-encoding") == Some(b"chunked") {
        return read_chunks(stream, body);
    }
    let Some(length) = headers.get("content-length") else {
        stream.read_to_end(&mut body)?;
        return Ok(body);
    };
    let length: usize = std::str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| odd("content-length"))?;
    let missing = length.saturating_sub(body.len()) as u64;
    stream.take(missing).read_to_end(&mut body)?;
    if body.len() < length {
        let message = format!("closed after {} of {length} bytes", body.len());
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
    }
    // What follows is no part of it.
    body.truncate(length);
    Ok(body)
}

fn read_chunks(stream: &mut impl Read, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut chunk = [0; 4 << 10];
    loop {
        if let httparse::Status::Complete((start, size)) =
            httparse::parse_chunk_size(&bytes).map_err(|_| odd("chunk size"))?
        {
            let size = usize::try_from(size).map_err(odd)?;
            if size == 0 {
                // After the last chunk come trailers, and an empty line.
                let rest = bytes.get(start..).unwrap_or_default();
                if rest.starts_with(b"\r\n") || rest.windows(4).any(|four| four == b"\r\n\r\n") {
                    return Ok(body);
                }
            }
            let end = start.saturating_add(size);
            let chunk = (bytes.get(start..end), bytes.get(end.saturating_add(1)));
            if size > 0
                && let (Some(data), Some(_)) = chunk
            {
                body.extend_from_slice(data);
                bytes.drain(..end.saturating_add(2));
                continue;
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(odd("closed inside a chunk")),
            count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
}

fn odd(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
