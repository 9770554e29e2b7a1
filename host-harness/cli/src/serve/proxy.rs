//! The HTTP side: what comes in becomes what Envoy would show a filter, and goes on as the filter
//! left it. Bodies stream through both ways, a client's through the filter where that looks at bodies.

use super::{
    Current,
    body::{BoxError, Released, Streamed, WithoutTrailers},
    clusters::last_cause,
    feed::Feed,
    history::History,
    line::Line,
    native::Seen,
    teller::{Teller, Telling},
    vm::{Exchange, Verdict},
    wire,
};
use crate::{failure::Failure, moment, terminal};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode, Uri, Version,
    body::{Body, Bytes, Incoming},
    header::{self, HeaderMap},
    http::uri::PathAndQuery,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use portcullis_host::{Headers, Properties};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Wider than the gate's own limits, so that its configuration decides and its log tells.
const MAX_HEADER_BYTES: usize = 512 * 1024;
/// A list of pairs holds 1,024 in the guest, pseudo-headers and the proxy's own included.
const MAX_HEADERS: usize = 1000;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// What running requests get after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;
type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

pub struct Proxy {
    upstream: Uri,
    current: Current,
    teller: Teller,
    history: Option<Arc<History>>,
    http1: Client<HttpConnector, Outgoing>,
    /// gRPC needs HTTP/2 all the way.
    http2: Client<HttpConnector, Outgoing>,
}

/// A client's body.
enum Source {
    Plain(Incoming),
    Fed(Box<Feed>),
}

#[derive(Clone, Copy)]
struct Peer {
    remote: SocketAddr,
    local: SocketAddr,
}

impl Proxy {
    /// `history` is where requests are remembered, if they are.
    pub fn new(
        upstream: Uri,
        current: Current,
        teller: Teller,
        history: Option<Arc<History>>,
    ) -> Arc<Proxy> {
        Arc::new(Proxy {
            upstream,
            current,
            teller,
            history,
            http1: Client::builder(TokioExecutor::new()).build_http(),
            http2: Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http(),
        })
    }

    /// Serves until SIGTERM or SIGINT, then finishes what runs.
    pub async fn serve(self: Arc<Self>, listener: std::net::TcpListener) -> Result<(), Failure> {
        let io = |error| Failure::io("the listener", &error);
        let listener = TcpListener::from_std(listener).map_err(io)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
        let local = listener.local_addr().map_err(io)?;
        terminal::say(&format!("listening on http://{local}"));

        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES);
        server
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            };
            let Ok((stream, remote)) = accepted else {
                // Out of file descriptors, say: others may close meanwhile.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let local = stream.local_addr().unwrap_or(local);
            let peer = Peer { remote, local };
            let proxy = Arc::clone(&self);
            let service = service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, Infallible>(proxy.answer(request, peer).await) }
            });
            let connection = server.serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection.into_owned());
            // A connection that breaks is its client's matter.
            tokio::spawn(async move { drop(connection.await) });
        }
        drop(listener);
        let _ = tokio::time::timeout(LAST_REQUESTS, graceful.shutdown()).await;
        Ok(())
    }

    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Answer {
        if let Some(status) = refused_unseen(&request) {
            return bare(status);
        }
        let Ok(headers) = shown(&request) else {
            return bare(StatusCode::BAD_REQUEST);
        };
        let at = moment::now();
        let protocol = match request.version() {
            Version::HTTP_2 => "HTTP/2",
            _ => "HTTP/1.1",
        };
        let line = Line::new(
            at,
            &text(headers.get(":method")),
            &text(headers.get(":path")),
        );
        let serving = self.current.get();
        let wanted = self.teller.explains() || self.history.is_some();
        let seen = wanted.then(|| {
            Arc::new(Seen {
                headers: headers.clone(),
                remote: peer.remote,
                local: peer.local,
                protocol,
                at,
                has_body: !request.body().is_end_stream(),
                body: OnceLock::new(),
            })
        });
        let mut telling = self.teller.begin(line, seen.clone(), &serving.native);
        let properties = Properties::new()
            .source(peer.remote)
            .destination(peer.local)
            .protocol(protocol)
            .request_time(at)
            .bool("connection.mtls", false);

        let end = request.body().is_end_stream();
        let mut source = match serving.reads_bodies && !end {
            true => {
                let body = request.into_body().map_err(BoxError::from).boxed_unsync();
                Source::Fed(Box::new(Feed::new(body, wanted)))
            }
            false => Source::Plain(request.into_body()),
        };
        let feed = match &mut source {
            Source::Plain(_) => None,
            Source::Fed(feed) => Some(&mut **feed),
        };
        let filter = &serving.filter;
        let asked = filter.request(headers, properties, end, feed).await;
        if let (Some(seen), Source::Fed(feed)) = (&seen, &mut source)
            && let Some(body) = feed.take_whole()
        {
            let _ = seen.body.set(body);
        }
        telling.decided(asked.record, asked.took);
        if let (Some(history), Some(seen)) = (&self.history, &seen) {
            history.remember(seen);
        }
        let answer = match asked.verdict {
            Verdict::Continue(headers, held) => {
                self.forward(source, held, &headers, asked.exchange, &mut telling)
                    .await
            }
            other => ended(other),
        };
        telling.answered(answer.status().as_u16());
        answer
    }

    /// To the upstream and back, through the filter's response callbacks.
    async fn forward(
        &self,
        source: Source,
        held: Vec<u8>,
        headers: &Headers,
        exchange: Exchange,
        telling: &mut Telling<'_>,
    ) -> Answer {
        let (body, refused) = match source {
            Source::Plain(body) => {
                let body = WithoutTrailers(body).map_err(BoxError::from);
                (body.boxed_unsync(), None)
            }
            Source::Fed(feed) => {
                let (pieces, refused) = exchange.pump(*feed, held);
                let length = text(headers.get("content-length")).parse().ok();
                let body = Released { pieces, length };
                (body.boxed_unsync(), Some(refused))
            }
        };
        let request = match wire::request(&self.upstream, headers, body) {
            Ok(request) => request,
            Err(message) => return failed(&message),
        };
        let grpc = text(headers.get("content-type")).starts_with("application/grpc");
        let client = match grpc {
            true => &self.http2,
            false => &self.http1,
        };
        let refusal = async {
            match refused {
                Some(refused) => refused.await.ok(),
                None => None,
            }
        };
        let response = tokio::select! {
            biased;
            Some(refused) = refusal => {
                telling.decided(refused.record, refused.took);
                return ended(refused.verdict);
            }
            response = client.request(request) => response,
        };
        let (status, lines, body) = match response {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                (parts.status, parts.headers, Some(body))
            }
            Err(error) => {
                let upstream = self.upstream.authority().map_or("", |it| it.as_str());
                terminal::warn(&format!("upstream {upstream}: {}", last_cause(&error)));
                (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), None)
            }
        };
        let lines = lines
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let Ok(headers) = Headers::from_wire(&[(":status", status.as_str())], lines) else {
            return failed("the upstream's `Connection` nominates headers it must not");
        };
        let end = body.as_ref().is_none_or(Body::is_end_stream);
        let headers = match exchange.response(headers, end).await {
            Verdict::Continue(headers, _) => headers,
            other => return ended(other),
        };
        let body = match body {
            Some(body) => Streamed::new(body, exchange).boxed_unsync(),
            None => full(Vec::new()),
        };
        built(&headers, body).unwrap_or_else(|message| failed(&message))
    }
}

/// What Envoy refuses before any filter runs, and what this proxy does not do. Where a request is
/// framed twice, Envoy answers 400; hyper drops the `content-length` (RFC 9112, section 6.3).
fn refused_unseen(request: &Request<Incoming>) -> Option<StatusCode> {
    let headers = request.headers();
    if request.version() < Version::HTTP_11 {
        return Some(StatusCode::UPGRADE_REQUIRED);
    }
    if request.method() == Method::CONNECT || headers.contains_key(header::UPGRADE) {
        return Some(StatusCode::NOT_IMPLEMENTED);
    }
    let host = headers.contains_key(header::HOST) || request.uri().authority().is_some();
    (!host).then_some(StatusCode::BAD_REQUEST)
}

/// The request as Envoy shows it to a filter.
fn shown(request: &Request<Incoming>) -> Result<Headers, portcullis_host::WireError> {
    let uri = request.uri();
    let mut pseudo = vec![
        (":method", request.method().as_str()),
        (":scheme", "http"),
        (
            ":path",
            uri.path_and_query().map_or("/", PathAndQuery::as_str),
        ),
    ];
    if let Some(authority) = uri.authority() {
        pseudo.push((":authority", authority.as_str()));
    }
    let lines = request.headers().iter();
    // Envoy answers `100-continue` itself, and so does hyper.
    let lines = lines.filter(|(name, _)| *name != header::EXPECT);
    let mut headers =
        Headers::from_wire(&pseudo, lines.map(|(name, value)| (name, value.as_bytes())))?;
    if headers.get("x-forwarded-proto").is_none() {
        headers.add("x-forwarded-proto", b"http");
    }
    if headers.get("x-request-id").is_none() {
        headers.add("x-request-id", moment::unique_id().as_bytes());
    }
    Ok(headers)
}

fn built(headers: &Headers, body: UnsyncBoxBody<Bytes, hyper::Error>) -> Result<Answer, String> {
    let status = headers.get(":status").unwrap_or_default();
    let status = StatusCode::from_bytes(status).map_err(|error| error.to_string())?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = wire::lines(headers)?;
    Ok(response)
}

/// What the client gets where nothing goes on.
fn ended(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Reply(reply) => local_reply(reply),
        Verdict::Failed(message) => failed(&message),
        Verdict::Silent => bare(StatusCode::REQUEST_TIMEOUT),
        Verdict::Continue(..) => failed("the filter let go what it had ended"),
    }
}

fn local_reply(reply: portcullis_host::Response) -> Answer {
    built(&reply.headers, full(reply.body)).unwrap_or_else(|message| failed(&message))
}

/// The client learns nothing but that; stderr tells why.
fn failed(message: &str) -> Answer {
    terminal::warn(&format!("a request was answered with 503: {message}"));
    bare(StatusCode::SERVICE_UNAVAILABLE)
}

fn bare(status: StatusCode) -> Answer {
    let mut response = Response::new(full(Vec::new()));
    *response.status_mut() = status;
    response
}

fn full(body: Vec<u8>) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(Bytes::from(body))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}
