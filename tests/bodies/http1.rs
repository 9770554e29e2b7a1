//! HTTP/1.1 as bytes, for the shapes that no client makes.

use crate::{
    A_WHILE, PATIENCE,
    request::{Answer, Ends, Framing, Request},
};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};

/// Sends a request, and reads its answer while it does.
pub async fn send(to: SocketAddr, request: &Request) -> Answer {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (reader, mut writer) = stream.into_split();
    let answer = tokio::spawn(read(reader));
    // Whoever refuses early need not take the rest.
    let _ = write(&mut writer, request).await;
    let answer = timeout(PATIENCE, answer).await;
    answer.map_or(Answer::None, Result::unwrap)
}

async fn write(writer: &mut OwnedWriteHalf, request: &Request) -> io::Result<()> {
    let framing = request.framing;
    let chunked = matches!(
        framing,
        Framing::Chunked | Framing::Trailers | Framing::Drip | Framing::EndsEarlyUnsized
    );
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target());
    let mut lines = request.headers();
    lines.push(("host".to_owned(), "gate.test".to_owned()));
    if request.is_tunnel() {
        lines.extend(request.upgrade());
    } else if chunked {
        lines.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
    } else {
        lines.push((
            "content-length".to_owned(),
            request.told_length().to_string(),
        ));
    }
    for (name, value) in lines {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    writer.write_all(head.as_bytes()).await?;
    if framing == Framing::Expect {
        // Its 100 may come meanwhile.
        sleep(A_WHILE).await;
    }
    for piece in request.pieces() {
        if framing.is_slow() {
            sleep(A_WHILE).await;
        }
        if !chunked {
            writer.write_all(piece).await?;
        } else if !piece.is_empty() {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            writer.write_all(&chunk).await?;
        }
    }
    match framing.ends() {
        Ends::Early => {
            // What is too large is refused before its end, which must not come first.
            let is_too_large = request.body.len() > crate::MAX_BYTES;
            sleep(A_WHILE * if is_too_large { 40 } else { 1 }).await;
            writer.shutdown().await
        }
        Ends::WithTrailers => writer.write_all(b"0\r\nx-checksum: abc\r\n\r\n").await,
        Ends::Well if chunked => writer.write_all(b"0\r\n\r\n").await,
        Ends::Well => Ok(()),
    }
}

/// The first answer that is no interim one.
async fn read(mut reader: OwnedReadHalf) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = bytes.drain(..end + 4).collect();
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut headers);
            response.parse(&head).unwrap();
            let status = response.code.unwrap();
            if status != 100 {
                let reason = response
                    .headers
                    .iter()
                    .find(|header| header.name == crate::REASON)
                    .map(|header| String::from_utf8_lossy(header.value).into_owned());
                return Answer::Status(status, reason);
            }
        }
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return Answer::Ended,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
