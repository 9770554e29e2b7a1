//! A running filter, as requests ask it: they send their questions to its thread and wait for the
//! answers, which come at once or when the filter has made up its mind.

use super::{
    body::Pumped,
    clusters::Clusters,
    feed::{Fed, Feed},
    keeper::Keeper,
};
use hyper::body::Bytes;
use portcullis_engine::Reason;
use portcullis_host::{CallToken, Headers, HttpCallResponse, Module, Properties, Response};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// What a filter may take to make up its mind, and a client to send more of a body that the filter
/// waits for; a proxy's own timeouts end the request then.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client may take for all of a body that the filter waits for, however steadily it comes: a
/// proxy's timeout of requests, which is Envoy's `request_timeout`.
const WHOLE_BODY: Duration = Duration::from_secs(60);
/// What a filter that is stopped may take to send what it has, and a little more.
const LAST: Duration = Duration::from_secs(7);
const GONE: &str = "the filter's thread is gone";

/// Its thread ends when the last handle is gone.
pub struct Filter {
    thread: Arc<Sender<Job>>,
    next: AtomicU64,
}

/// What a filter is made of.
pub struct Parts {
    pub module: Module,
    pub configuration: Vec<u8>,
    pub environment: BTreeMap<String, String>,
    pub clusters: Arc<Clusters>,
}

/// What the filter said of a request.
pub struct Asked {
    pub verdict: Verdict,
    /// What it recorded of its decision.
    pub record: Option<Value>,
    pub took: Duration,
    /// For the response.
    pub exchange: Exchange,
}

pub enum Verdict {
    /// It goes on, with these headers and what was held of its body.
    Continue(Headers, Vec<u8>),
    /// The filter answers it.
    Reply(Response),
    /// The filter failed, and nothing may go on. The text is for stderr.
    Failed(String),
    /// The client sent no more of a body that the filter waits for, or not soon enough.
    Silent,
}

/// A stream of the filter; closed when dropped, also while its request waits.
pub struct Exchange {
    thread: Arc<Sender<Job>>,
    id: u64,
}

/// What the filter's thread is asked for.
pub enum Job {
    Request {
        id: u64,
        headers: Headers,
        properties: Properties,
        end: bool,
        answer: oneshot::Sender<Answer>,
    },
    /// A piece of a request's body.
    Body {
        id: u64,
        piece: Bytes,
        end: bool,
        answer: oneshot::Sender<Piece>,
    },
    Response {
        id: u64,
        headers: Headers,
        end: bool,
        answer: oneshot::Sender<Answer>,
    },
    Close(u64),
    /// Nothing is asked any more: the filter sends what it has, and its thread ends. With the other end of
    /// the channel, so that answers of its calls still come.
    Stop {
        thread: Arc<Sender<Job>>,
        done: Sender<()>,
    },
    /// An HTTP call of the filter's own, made in this life of its VM, is back.
    Called {
        life: u64,
        token: CallToken,
        response: Option<HttpCallResponse>,
    },
}

/// What the filter made of a piece.
pub enum Piece {
    /// It goes on. Nothing does where the request is still held, or its headers take it along.
    Passed(Vec<u8>),
    /// After its headers went on, the request ends so.
    Ended(Answer),
}

pub struct Answer {
    pub verdict: Verdict,
    pub record: Option<Value>,
    /// From the question to the answer.
    pub took: Duration,
}

impl Answer {
    /// What the filter would have recorded, had it been asked about what there is.
    fn silent(detail: String) -> Answer {
        let reason = Reason::BodyTruncated.code();
        Answer {
            verdict: Verdict::Silent,
            record: Some(json!({"reason": reason, "detail": detail})),
            took: Duration::ZERO,
        }
    }

    pub fn failed(message: impl Into<String>) -> Answer {
        Answer {
            verdict: Verdict::Failed(message.into()),
            record: None,
            took: Duration::ZERO,
        }
    }
}

impl Filter {
    /// Starts a VM and configures the filter in it.
    pub fn start(parts: Parts) -> Result<Filter, String> {
        let (sender, jobs) = mpsc::channel();
        let thread = Arc::new(sender);
        let (ready, started) = mpsc::channel();
        // It must not hold its own end of the channel, or it would never end.
        let mut keeper = Keeper::new(parts, Arc::downgrade(&thread));
        let work = move || {
            let start = keeper.start();
            let failed = start.is_err();
            if ready.send(start).is_ok() && !failed {
                keeper.work(&jobs);
            }
        };
        let spawned = std::thread::Builder::new()
            .name("filter".into())
            .spawn(work);
        spawned.map_err(|error| error.to_string())?;
        started.recv().unwrap_or_else(|_| Err(GONE.into()))?;
        Ok(Filter {
            thread,
            next: AtomicU64::new(0),
        })
    }

    /// Has the filter send what it still has, as a proxy that ends does, and waits for that.
    pub fn stop(&self) {
        let (done, stopped) = mpsc::channel();
        let thread = Arc::clone(&self.thread);
        if self.thread.send(Job::Stop { thread, done }).is_ok() {
            let _ = stopped.recv_timeout(LAST);
        }
    }

    /// Where there is a `feed`, its body is shown to the filter as it comes, until that has decided.
    pub async fn request(
        &self,
        headers: Headers,
        properties: Properties,
        end: bool,
        feed: Option<&mut Feed>,
    ) -> Asked {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let thread = Arc::clone(&self.thread);
        // From here on, whoever gives up the request closes its stream.
        let exchange = Exchange { thread, id };
        let job = |answer| Job::Request {
            id,
            headers,
            properties,
            end,
            answer,
        };
        let Answer {
            verdict,
            record,
            took,
        } = match feed {
            None => exchange.ask(job).await,
            Some(feed) => exchange.ask_with_body(job, feed).await,
        };
        Asked {
            verdict,
            record,
            took,
            exchange,
        }
    }
}

/// Nobody waits for it: another configuration serves already, or the process ends.
impl Drop for Filter {
    fn drop(&mut self) {
        let (done, _) = mpsc::channel();
        let thread = Arc::clone(&self.thread);
        // Where the thread is gone, so is all it had.
        let _ = self.thread.send(Job::Stop { thread, done });
    }
}

impl Exchange {
    pub async fn response(&self, headers: Headers, end: bool) -> Verdict {
        let id = self.id;
        let job = |answer| Job::Response {
            id,
            headers,
            end,
            answer,
        };
        self.ask(job).await.verdict
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Answer>) -> Job) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.thread.send(job(answer)).is_err() {
            return Answer::failed(GONE);
        }
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answer::failed(GONE),
            Err(_) => Answer::failed(still_waits()),
        }
    }
}

impl Exchange {
    async fn ask_with_body(
        &self,
        job: impl FnOnce(oneshot::Sender<Answer>) -> Job,
        feed: &mut Feed,
    ) -> Answer {
        let (answer, mut answered) = oneshot::channel();
        if self.thread.send(job(answer)).is_err() {
            return Answer::failed(GONE);
        }
        let mut too_late = pin!(sleep(WHOLE_BODY));
        loop {
            let fed = tokio::select! {
                biased;
                answer = &mut answered => return answer.unwrap_or_else(|_| Answer::failed(GONE)),
                () = &mut too_late, if !feed.has_ended() => {
                    let detail = format!("the body was not whole within {WHOLE_BODY:?}");
                    return Answer::silent(detail);
                }
                fed = timeout(PATIENCE, feed.next(&self.thread, self.id)) => fed,
            };
            match fed {
                Ok(Fed::Passed(bytes)) => feed.passed_early(&bytes),
                Ok(Fed::Ended(answer)) => return answer,
                Err(_) if feed.has_ended() => return Answer::failed(still_waits()),
                Ok(Fed::Left) => return Answer::silent("the client left".into()),
                Err(_) => {
                    let detail = format!("nothing came of the body for {PATIENCE:?}");
                    return Answer::silent(detail);
                }
            }
        }
    }

    /// Has the rest of a body go on; see [`Feed::pump`].
    pub fn pump(&self, feed: Feed, held: Vec<u8>) -> (Pumped, oneshot::Receiver<Answer>) {
        let (upstream, pumped) = tokio::sync::mpsc::channel(1);
        let (ended, answer) = oneshot::channel();
        let thread = Arc::clone(&self.thread);
        tokio::spawn(feed.pump(thread, self.id, held, upstream, ended));
        (pumped, answer)
    }
}

fn still_waits() -> String {
    format!("the filter still waited after {PATIENCE:?}")
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Where the thread is gone, so is the stream.
        let _ = self.thread.send(Job::Close(self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Feed, Job, Piece, Verdict};
    use crate::serve::body::Released;
    use http_body_util::BodyExt;
    use hyper::body::{Bytes, Frame};
    use portcullis_host::{Headers, Properties};
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn a_filter_that_never_makes_up_its_mind_has_failed_and_its_stream_is_closed() {
        let (thread, jobs) = mpsc::channel();
        let thread = Arc::new(thread);
        let exchange = Exchange { thread, id: 7 };
        let verdict = exchange.response(Headers::new(), true).await;
        let Verdict::Failed(message) = verdict else {
            panic!("it cannot have answered");
        };
        assert_eq!(message, "the filter still waited after 30s");
        drop(exchange);
        let jobs: Vec<Job> = jobs.iter().collect();
        assert!(matches!(jobs[..], [Job::Response { .. }, Job::Close(7)]));
    }

    /// What becomes of a request whose filter waits for the end of a body that never comes, of which a
    /// byte comes every so often; and after how long.
    async fn drip(every: Duration) -> (String, Duration) {
        let (thread, jobs) = mpsc::channel();
        // Takes every piece in, and lets none go.
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            loop {
                match jobs.try_recv() {
                    Ok(Job::Body { answer, .. }) => drop(answer.send(Piece::Passed(Vec::new()))),
                    Ok(job) => waiting.push(job),
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        });
        let (client, pieces) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let byte = || Frame::data(Bytes::from_static(b"x"));
            while client.send(Ok(byte())).await.is_ok() {
                sleep(every).await;
            }
        });
        let length = None;
        let body = Released { pieces, length }.boxed_unsync();
        let mut feed = Feed::new(body, false);
        let thread = Arc::new(thread);
        let exchange = Exchange { thread, id: 7 };
        let begun = Instant::now();
        let job = |answer| Job::Request {
            id: 7,
            headers: Headers::new(),
            properties: Properties::new(),
            end: false,
            answer,
        };
        let answer = exchange.ask_with_body(job, &mut feed).await;
        assert!(matches!(answer.verdict, Verdict::Silent));
        let record = answer.record.unwrap();
        assert_eq!(record["reason"], "body.truncated");
        (
            record["detail"].as_str().unwrap().to_owned(),
            begun.elapsed(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_waited_for_a_minute() {
        let (detail, took) = drip(Duration::from_secs(29)).await;
        assert_eq!(detail, "the body was not whole within 60s");
        assert_eq!(took.as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_which_nothing_comes_half_as_long() {
        let (detail, took) = drip(Duration::from_secs(31)).await;
        assert_eq!(detail, "nothing came of the body for 30s");
        assert_eq!(took.as_secs(), 30);
    }
}
