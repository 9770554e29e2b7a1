//! The filter's thread: calls into the guest are synchronous, so one thread owns the VM and takes
//! jobs from a channel. It never waits for the network: the guest's own HTTP calls are made
//! elsewhere, and requests that the guest holds are set aside until it lets them go. A trap costs
//! the requests that are in the VM, and the next one gets a fresh VM (Envoy's `FAIL_RELOAD`).

use super::{
    clusters::Clusters,
    vm::{Answer, Job, Parts, Piece, Verdict},
};
use crate::terminal;
use portcullis_engine::words::FILTER_STATE;
use portcullis_host::{
    Headers, HttpCallResponse, LogLevel, Module, Outcome, PluginId, PluginOptions, Properties,
    StreamId, Vm, VmError, VmOptions,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinSet};

/// Envoy has none: an endless loop would hang its worker. Here it is a trap.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Calls under way at once, as many as Envoy's circuit breakers let through.
const MAX_CALLS: usize = 1024;
/// As much of a body as the gate can be told to take, and a piece more, so that its configuration
/// decides.
const MAX_HELD: usize = 65 * 1024 * 1024;
/// What a filter may take to send what it has at the end.
const LAST: Duration = Duration::from_secs(6);
const GONE: &str = "the VM of this request is gone";

/// Owns the VM, and what a fresh one is made of.
pub struct Keeper {
    module: Module,
    configuration: Vec<u8>,
    environment: BTreeMap<String, String>,
    clusters: Arc<Clusters>,
    /// Where answers of calls are sent.
    thread: Weak<Sender<Job>>,
    running: Option<(Vm, PluginId)>,
    /// Counts the VMs: an answer is for the one that asked.
    life: u64,
    /// The streams of the VM.
    open: HashMap<u64, Open>,
    /// Calls of the VM that are under way. They end with it.
    calls: JoinSet<()>,
    ticks: Option<Ticks>,
}

struct Open {
    stream: StreamId,
    waits: Option<Waits>,
    /// The request was let go.
    goes_on: bool,
}

/// A question that the filter has not answered yet.
struct Waits {
    of: Side,
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

#[derive(Clone, Copy)]
enum Side {
    Request,
    Response,
}

struct Ticks {
    period: Duration,
    next: Instant,
}

impl Keeper {
    pub fn new(parts: Parts, thread: Weak<Sender<Job>>) -> Keeper {
        Keeper {
            module: parts.module,
            configuration: parts.configuration,
            environment: parts.environment,
            clusters: parts.clusters,
            thread,
            running: None,
            life: 0,
            open: HashMap::new(),
            calls: JoinSet::new(),
            ticks: None,
        }
    }

    pub fn start(&mut self) -> Result<(), String> {
        self.running().map(|_| ())
    }

    pub fn work(&mut self, jobs: &Receiver<Job>) {
        loop {
            self.follow();
            let job = match &self.ticks {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(ticks) => {
                    jobs.recv_timeout(ticks.next.saturating_duration_since(Instant::now()))
                }
            };
            match job {
                Ok(Job::Stop { thread, done }) => {
                    self.stop(jobs);
                    let _ = done.send(());
                    drop(thread);
                    return;
                }
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tick();
        }
    }

    /// What a proxy does when a plugin goes: it is told, and may take its time for what it has to send.
    fn stop(&mut self, jobs: &Receiver<Job>) {
        let until = Instant::now().checked_add(LAST);
        while let Some((vm, plugin)) = &mut self.running {
            if vm.dead().is_some() {
                return;
            }
            match vm.shutdown(*plugin) {
                Ok(true) | Err(VmError::UnknownPlugin) => return,
                Ok(false) => {}
                Err(error) => return terminal::warn(&format!("at the end: {error}")),
            }
            self.follow();
            let now = Instant::now();
            let next = self.ticks.as_ref().map(|ticks| ticks.next);
            let Some(left) = until.and_then(|until| until.checked_duration_since(now)) else {
                return terminal::warn("the filter still had something to send at the end");
            };
            let wait = next.map_or(left, |next| next.saturating_duration_since(now).min(left));
            if let Ok(job) = jobs.recv_timeout(wait) {
                self.take(job);
            }
            self.tick();
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            // It has been told already.
            Job::Stop { .. } => {}
            Job::Request {
                id,
                headers,
                properties,
                end,
                answer,
            } => self.request(id, headers, properties, end, answer),
            Job::Body {
                id,
                piece,
                end,
                answer,
            } => {
                // Where the client has left, nobody needs to be told.
                let _ = answer.send(self.body(id, &piece, end));
            }
            Job::Response {
                id,
                headers,
                end,
                answer,
            } => self.response(id, headers, end, answer),
            Job::Close(id) => self.close(id),
            Job::Called {
                life,
                token,
                response,
            } => {
                // Another VM's call, or one of a VM that is dead.
                if life == self.life
                    && let Some((vm, _)) = &mut self.running
                    && let Err(error) = vm.answer_call(token, response)
                {
                    terminal::warn(&format!("at the answer of a call: {error}"));
                }
            }
        }
    }

    fn request(
        &mut self,
        id: u64,
        headers: Headers,
        properties: Properties,
        end: bool,
        answer: oneshot::Sender<Answer>,
    ) {
        let since = Instant::now();
        let asked = self.running().and_then(|(vm, plugin)| {
            let stream = vm.open_stream(*plugin, properties).map_err(told)?;
            Ok((stream, vm.request_headers(stream, headers, end)))
        });
        match asked {
            Ok((stream, outcome)) => {
                let of = Side::Request;
                let waits = Some(Waits { of, since, answer });
                let goes_on = false;
                self.open.insert(
                    id,
                    Open {
                        stream,
                        waits,
                        goes_on,
                    },
                );
                self.settle(id, outcome);
            }
            // Where the client has left, nobody needs to be told.
            Err(message) => drop(answer.send(Answer::failed(message))),
        }
    }

    fn body(&mut self, id: u64, piece: &[u8], end: bool) -> Piece {
        let (Some((vm, _)), Some(open)) = (&mut self.running, self.open.get_mut(&id)) else {
            return Piece::Ended(Answer::failed(GONE));
        };
        let since = Instant::now();
        if !open.goes_on {
            if open.waits.is_some() {
                let outcome = vm.request_body(open.stream, piece, end);
                self.settle(id, outcome);
            }
            return Piece::Passed(Vec::new());
        }
        let verdict = match vm.request_body(open.stream, piece, end) {
            // What the filter holds may go on with the next piece, if there is one.
            Ok(Outcome::Continue | Outcome::Pause) if !end => None,
            Ok(Outcome::Continue) => None,
            outcome => Some(verdict(vm, open.stream, Side::Request, outcome)),
        };
        match (verdict, vm.take_request_body(open.stream)) {
            (None, Ok(bytes)) => Piece::Passed(bytes),
            (None, Err(error)) => Piece::Ended(Answer::failed(told(error))),
            (Some(verdict), _) => Piece::Ended(Answer {
                verdict,
                record: record(vm, open.stream),
                took: since.elapsed(),
            }),
        }
    }

    fn response(&mut self, id: u64, headers: Headers, end: bool, answer: oneshot::Sender<Answer>) {
        let (Some((vm, _)), Some(open)) = (&mut self.running, self.open.get_mut(&id)) else {
            let _ = answer.send(Answer::failed(GONE));
            return;
        };
        open.waits = Some(Waits {
            of: Side::Response,
            since: Instant::now(),
            answer,
        });
        let outcome = vm.response_headers(open.stream, headers, end);
        self.settle(id, outcome);
    }

    fn close(&mut self, id: u64) {
        if let Some(Open { stream, .. }) = self.open.remove(&id)
            && let Some((vm, _)) = &mut self.running
            && let Err(error) = vm.log(stream).and_then(|()| vm.close(stream))
        {
            terminal::warn(&format!("at the end of a request: {error}"));
        }
    }

    /// Answers the question that waits, unless it still has to.
    fn settle(&mut self, id: u64, outcome: Result<Outcome, VmError>) {
        let (Some((vm, _)), Some(open)) = (&mut self.running, self.open.get_mut(&id)) else {
            return;
        };
        if outcome == Ok(Outcome::Pause) {
            return;
        }
        let Some(Waits { of, since, answer }) = open.waits.take() else {
            return;
        };
        open.goes_on |= matches!((of, &outcome), (Side::Request, Ok(Outcome::Continue)));
        let answered = Answer {
            verdict: verdict(vm, open.stream, of, outcome),
            record: record(vm, open.stream),
            took: since.elapsed(),
        };
        let _ = answer.send(answered);
    }

    fn tick(&mut self) {
        let Some(ticks) = &mut self.ticks else { return };
        let now = Instant::now();
        if now < ticks.next {
            return;
        }
        ticks.next = now.checked_add(ticks.period).unwrap_or(now);
        if let Some((vm, plugin)) = &mut self.running
            && vm.dead().is_none()
            && let Err(error) = vm.tick(*plugin)
        {
            terminal::warn(&format!("in a tick: {error}"));
        }
    }

    /// What every call into the guest may have brought about.
    fn follow(&mut self) {
        let Some((vm, plugin)) = &mut self.running else {
            return;
        };
        if vm.dead().is_some() {
            self.bury();
            return;
        }
        let period = vm.tick_period(*plugin);
        let calls = vm.take_calls();
        let waiting = self.open.iter().filter(|(_, open)| open.waits.is_some());
        let decided: Vec<_> = waiting
            .filter_map(|(id, open)| Some((*id, vm.poll(open.stream).transpose()?)))
            .collect();
        for (id, outcome) in decided {
            self.settle(id, outcome);
        }
        if self.ticks.as_ref().map(|ticks| ticks.period) != period {
            let now = Instant::now();
            self.ticks = period.map(|period| Ticks {
                period,
                next: now.checked_add(period).unwrap_or(now),
            });
        }
        for call in calls {
            self.call(call);
        }
    }

    /// Has a call made, and its answer sent here.
    fn call(&mut self, call: portcullis_host::HttpCall) {
        while self.calls.try_join_next().is_some() {}
        let (life, token) = (self.life, call.token);
        let is_full = self.calls.len() >= MAX_CALLS;
        let (clusters, thread) = (Arc::clone(&self.clusters), Weak::clone(&self.thread));
        let task = async move {
            let response = match is_full {
                true => Some(HttpCallResponse::unreachable()),
                false => clusters.call(call).await,
            };
            // Nobody waits for it where the thread is gone.
            if let Some(thread) = thread.upgrade() {
                let _ = thread.send(Job::Called {
                    life,
                    token,
                    response,
                });
            }
        };
        self.calls.spawn_on(task, &self.clusters.runtime);
    }

    /// Everything that was in a dead VM.
    fn bury(&mut self) {
        self.running = None;
        self.ticks = None;
        self.calls.abort_all();
        for (_, open) in self.open.drain() {
            if let Some(waits) = open.waits {
                let _ = waits.answer.send(Answer::failed(GONE));
            }
        }
    }

    /// The VM there is, or a fresh one.
    fn running(&mut self) -> Result<&mut (Vm, PluginId), String> {
        let running = match self.running.take() {
            Some(running) => running,
            None => {
                self.life = self.life.saturating_add(1);
                self.fresh()?
            }
        };
        Ok(self.running.insert(running))
    }

    fn fresh(&self) -> Result<(Vm, PluginId), String> {
        let options = VmOptions {
            vm_id: "portcullis".into(),
            environment: self.environment.clone(),
            clusters: self.clusters.names(),
            proxy: self.clusters.shared.clone(),
            time_limit: Some(TIME_LIMIT),
            log_level: LogLevel::Info,
            buffer_limit_bytes: MAX_HELD,
            ..VmOptions::default()
        };
        let log = |level: LogLevel, line: &str| terminal::say(&format!("[{level}] {line}"));
        let mut vm = Vm::start(&self.module, options, Box::new(log)).map_err(told)?;
        let plugin = PluginOptions {
            name: "portcullis".into(),
            root_id: "portcullis".into(),
            configuration: self.configuration.clone(),
            allow_on_headers_stop_iteration: true,
        };
        let plugin = vm.configure(plugin).map_err(|error| error.to_string())?;
        Ok((vm, plugin))
    }
}

fn record(vm: &Vm, stream: StreamId) -> Option<serde_json::Value> {
    let record = vm.filter_state(stream, &format!("wasm.{FILTER_STATE}"))?;
    serde_json::from_slice(record).ok()
}

fn verdict(vm: &mut Vm, id: StreamId, of: Side, outcome: Result<Outcome, VmError>) -> Verdict {
    match outcome {
        Ok(Outcome::Continue) => {
            let held = match of {
                Side::Request => vm.take_request_body(id),
                Side::Response => Ok(Vec::new()),
            };
            let headers = vm.stream(id).map(|stream| match of {
                Side::Request => stream.request_headers().clone(),
                Side::Response => stream.response_headers().clone(),
            });
            match (headers, held) {
                (Ok(headers), Ok(held)) => Verdict::Continue(headers, held),
                (Err(error), _) | (_, Err(error)) => Verdict::Failed(told(error)),
            }
        }
        Ok(Outcome::LocalReply { response, .. }) => Verdict::Reply(response),
        // `settle` leaves these where they are; nothing goes on.
        Ok(Outcome::Pause) => Verdict::Failed("the filter waits".into()),
        Ok(Outcome::Reset) => Verdict::Failed("the filter reset the stream".into()),
        Ok(Outcome::Broken(breach)) => Verdict::Failed(breach.to_string()),
        Err(error) => Verdict::Failed(told(error)),
    }
}

fn told(error: VmError) -> String {
    error.to_string()
}
