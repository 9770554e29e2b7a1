//! The server behind Envoy, over HTTP/1.1 and HTTP/2: it notes a request as soon as its head is there.

use hyper::{
    HeaderMap, Request, Response,
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::net::TcpListener;

pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    /// When its head was there.
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// The whole request was received.
    pub whole: bool,
}

impl Upstream {
    pub async fn start() -> io::Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::default();
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                let service = service_fn(move |request| answer(request, Arc::clone(&notes)));
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A connection that breaks shows in what was noted.
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Upstream { address, seen })
    }

    /// The requests for a path, whole or not.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let notes = self.seen.lock().unwrap();
        notes
            .iter()
            .filter(|seen| seen.path == path)
            .cloned()
            .collect()
    }
}

type Notes = Arc<Mutex<Vec<Seen>>>;

async fn answer(request: Request<Incoming>, notes: Notes) -> Result<Response<String>, Infallible> {
    let (head, mut body) = request.into_parts();
    let index = {
        let mut notes = notes.lock().unwrap();
        notes.push(Seen {
            path: head.uri.path().to_owned(),
            at: Instant::now(),
            headers: head.headers,
            body: Vec::new(),
            trailers: None,
            whole: false,
        });
        notes.len() - 1
    };
    let note = |change: &dyn Fn(&mut Seen)| {
        let mut notes = notes.lock().unwrap();
        notes.get_mut(index).into_iter().for_each(change);
    };
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(frame) = frame else {
            return Ok(Response::new(String::new()));
        };
        match frame.into_data() {
            Ok(data) => note(&|seen| seen.body.extend_from_slice(&data)),
            Err(frame) => {
                let trailers = frame.into_trailers().ok();
                note(&|seen| seen.trailers.clone_from(&trailers));
            }
        }
    }
    note(&|seen| seen.whole = true);
    Ok(Response::new("from the upstream".to_owned()))
}
