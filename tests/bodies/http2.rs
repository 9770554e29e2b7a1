//! HTTP/2 frame by frame.

use crate::{
    A_WHILE, PATIENCE,
    request::{Answer, Ends, Framing, Request},
};
use h2::{Reason, SendStream, client, ext::Protocol};
use hyper::{HeaderMap, body::Bytes, header::HeaderValue};
use std::{future::poll_fn, net::SocketAddr, time::Duration};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// Long enough for an answer to what was sent so far.
const LISTENS: Duration = Duration::from_millis(300);

/// Sends a request on a connection of its own.
pub async fn send(to: SocketAddr, request: &Request) -> Answer {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let told = request.tells_length().then(|| request.told_length());
    let mut head = hyper::Request::builder().method(request.method);
    head = match request.method {
        "CONNECT" if !request.is_websocket() => head.uri(request.target()),
        _ => head.uri(format!("http://gate.test{}", request.target())),
    };
    for (name, value) in request.headers() {
        head = head.header(name, value);
    }
    if let Some(length) = told {
        head = head.header("content-length", length);
    }
    let mut head = head.body(()).unwrap();
    if request.is_websocket() {
        // RFC 8441 section 5; the server's settings must have come.
        sleep(A_WHILE).await;
        head.extensions_mut()
            .insert(Protocol::from_static("websocket"));
    }
    let Ok((answer, mut stream)) = sender.send_request(head, false) else {
        return Answer::Ended;
    };
    let mut answer = tokio::spawn(async move {
        match answer.await {
            Ok(response) => {
                let reason = response.headers().get(crate::REASON);
                let reason = reason.map(|value| value.to_str().unwrap().to_owned());
                Answer::Status(response.status().as_u16(), reason)
            }
            Err(_) => Answer::Ended,
        }
    });
    // Whoever breaks the rules listens first: the codec that finds it out drops an answer on its way.
    if request.framing.is_odd()
        && let Ok(answer) = timeout(LISTENS, &mut answer).await
    {
        return answer.unwrap();
    }
    // Whoever refuses early need not take the rest.
    let _ = write(&mut stream, request).await;
    if request.framing.ends() == Ends::Early {
        if let Ok(answer) = timeout(LISTENS, &mut answer).await {
            return answer.unwrap();
        }
        stream.send_reset(Reason::CANCEL);
    }
    let answer = timeout(PATIENCE, answer).await;
    answer.map_or(Answer::None, Result::unwrap)
}

async fn write(stream: &mut SendStream<Bytes>, request: &Request) -> Result<(), h2::Error> {
    let framing = request.framing;
    let pieces = request.pieces();
    let last = pieces.len().saturating_sub(1);
    for (index, piece) in pieces.iter().enumerate() {
        if framing.is_slow() {
            sleep(A_WHILE).await;
        }
        if framing == Framing::EmptyFrames {
            stream.send_data(Bytes::new(), false)?;
        }
        let ends = index == last
            && framing.ends() == Ends::Well
            && framing != Framing::EmptyFrames
            && !request.is_tunnel();
        put(stream, piece, ends).await?;
    }
    match framing.ends() {
        Ends::Early => Ok(()),
        Ends::WithTrailers => {
            let value = HeaderValue::from_static("abc");
            let trailers = HeaderMap::from_iter([("x-checksum".parse().unwrap(), value)]);
            stream.send_trailers(trailers)
        }
        Ends::Well if pieces.is_empty() || framing == Framing::EmptyFrames => {
            match request.is_tunnel() {
                true => Ok(()),
                false => stream.send_data(Bytes::new(), true),
            }
        }
        Ends::Well => Ok(()),
    }
}

/// As fast as the other side takes it.
async fn put(stream: &mut SendStream<Bytes>, piece: &[u8], ends: bool) -> Result<(), h2::Error> {
    let mut rest = Bytes::copy_from_slice(piece);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await else {
            return Ok(());
        };
        let now = rest.split_to(room?.min(rest.len()));
        let is_last = rest.is_empty();
        stream.send_data(now, ends && is_last)?;
    }
    Ok(())
}
