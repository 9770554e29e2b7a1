//! A client's body on its way through the filter: piece by piece, and none before the filter has let
//! the last one go or has taken it in. Trailers are not shown to the filter here, so none goes on.

use super::{
    body::{BoxError, Cut},
    vm::{Answer, Job, Piece},
};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::{Body, Bytes, Frame};
use std::sync::{Arc, mpsc::Sender};
use tokio::sync::{mpsc, oneshot};

/// Of a body that is kept to be explained with.
const MOST_KEPT: usize = 64 * 1024;

pub struct Feed {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// The filter was shown the end.
    has_ended: bool,
    /// What the filter has not answered yet.
    asked: Option<oneshot::Receiver<Piece>>,
    /// What passed before it was known that the request goes on.
    early: Vec<u8>,
    /// None where nobody wants it, or where it is too much.
    kept: Option<Vec<u8>>,
}

/// What became of the next piece.
pub enum Fed {
    Passed(Vec<u8>),
    Ended(Answer),
    /// The client sends no more.
    Left,
}

impl Feed {
    pub fn new(body: UnsyncBoxBody<Bytes, BoxError>, keeps: bool) -> Feed {
        Feed {
            body,
            has_ended: false,
            asked: None,
            early: Vec::new(),
            kept: keeps.then(Vec::new),
        }
    }

    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub fn passed_early(&mut self, bytes: &[u8]) {
        self.early.extend_from_slice(bytes);
    }

    /// All of the body, if all of it came and was kept.
    pub fn take_whole(&mut self) -> Option<Vec<u8>> {
        self.kept.take().filter(|_| self.has_ended)
    }

    /// Shows the filter the next piece. Nothing is lost where it is given up meanwhile; after the end it
    /// never returns.
    pub async fn next(&mut self, thread: &Sender<Job>, id: u64) -> Fed {
        let asked = match &mut self.asked {
            Some(asked) => asked,
            None if self.has_ended => std::future::pending().await,
            None => {
                let (piece, end) = match self.body.frame().await {
                    None => (Bytes::new(), true),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => (piece, self.body.is_end_stream()),
                        // Trailers.
                        Err(_) => (Bytes::new(), true),
                    },
                    Some(Err(_)) => return Fed::Left,
                };
                self.keep(&piece);
                self.has_ended = end;
                let (answer, asked) = oneshot::channel();
                let job = Job::Body {
                    id,
                    piece,
                    end,
                    answer,
                };
                // Where the thread is gone, so is the answer.
                let _ = thread.send(job);
                self.asked.insert(asked)
            }
        };
        let answer = asked.await;
        self.asked = None;
        match answer {
            Ok(Piece::Passed(bytes)) => Fed::Passed(bytes),
            Ok(Piece::Ended(answer)) => Fed::Ended(answer),
            Err(_) => Fed::Ended(Answer::failed("the filter's thread is gone")),
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        self.kept = self.kept.take().and_then(|mut kept| {
            kept.extend_from_slice(piece);
            (kept.len() <= MOST_KEPT).then_some(kept)
        });
    }

    /// Passes on what was held and the rest as the filter lets it go. Where the filter ends the request,
    /// `ended` is told, and the upstream's request is cut off.
    pub async fn pump(
        mut self,
        thread: Arc<Sender<Job>>,
        id: u64,
        held: Vec<u8>,
        upstream: mpsc::Sender<Result<Frame<Bytes>, BoxError>>,
        ended: oneshot::Sender<Answer>,
    ) {
        let mut bytes = held;
        bytes.append(&mut self.early);
        loop {
            if !bytes.is_empty() {
                let frame = Frame::data(Bytes::from(bytes));
                if upstream.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
            if self.has_ended && self.asked.is_none() {
                return;
            }
            let fed = tokio::select! {
                fed = self.next(&thread, id) => fed,
                () = upstream.closed() => return,
            };
            bytes = match fed {
                Fed::Passed(bytes) => bytes,
                Fed::Ended(answer) => {
                    // Nobody waits for it where the upstream has answered already.
                    let _ = ended.send(answer);
                    let _ = upstream.send(Err(Cut.into())).await;
                    return;
                }
                Fed::Left => {
                    let _ = upstream.send(Err(Cut.into())).await;
                    return;
                }
            };
        }
    }
}
