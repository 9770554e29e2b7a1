//! The filter's thread: calls into the guest are synchronous, so one thread owns the VM and takes
//! requests from a channel. A trap costs its request, and the next one gets a fresh VM
//! (Envoy's `FAIL_RELOAD`).

use crate::terminal;
use portcullis_engine::words::FILTER_STATE;
use portcullis_host::{
    Headers, LogLevel, Module, Outcome, PluginId, PluginOptions, Properties, Response, StreamId,
    Vm, VmError, VmOptions,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Envoy has none: an endless loop would hang its worker. Here it is a trap.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A running filter. Its thread ends when the last handle is gone.
pub struct Filter(Sender<Job>);

/// What the filter said of a request.
pub struct Asked {
    pub verdict: Verdict,
    /// What it recorded of its decision.
    pub record: Option<Value>,
    pub took: Duration,
    /// For the response; absent where the stream is over.
    pub exchange: Option<Exchange>,
}

pub enum Verdict {
    /// It goes on, with these headers.
    Continue(Headers),
    /// The filter answers it.
    Reply(Response),
    /// The filter failed, and nothing may go on. The text is for stderr.
    Failed(String),
}

/// A stream of the filter; closed when dropped.
pub struct Exchange {
    filter: Sender<Job>,
    id: Id,
}

impl Filter {
    /// Starts a VM and configures the filter in it.
    pub fn start(
        module: Module,
        configuration: Vec<u8>,
        environment: BTreeMap<String, String>,
    ) -> Result<Filter, String> {
        let (sender, jobs) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        let mut keeper = Keeper {
            module,
            configuration,
            environment,
            running: None,
            life: 0,
        };
        let thread = move || {
            let start = keeper.running().map(|_| ());
            let failed = start.is_err();
            if ready.send(start).is_ok() && !failed {
                keeper.work(&jobs);
            }
        };
        let thread = std::thread::Builder::new()
            .name("filter".into())
            .spawn(thread);
        thread.map_err(|error| error.to_string())?;
        started.recv().unwrap_or_else(|_| Err(GONE.into()))?;
        Ok(Filter(sender))
    }

    pub async fn request(&self, headers: Headers, properties: Properties, end: bool) -> Asked {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Job::Request {
            headers,
            properties,
            end,
            answer,
        });
        match (sent, answered.await) {
            (
                Ok(()),
                Ok(Answer {
                    verdict,
                    record,
                    took,
                    id,
                }),
            ) => Asked {
                verdict,
                record,
                took,
                exchange: id.map(|id| Exchange {
                    filter: self.0.clone(),
                    id,
                }),
            },
            _ => Asked {
                verdict: Verdict::Failed(GONE.into()),
                record: None,
                took: Duration::ZERO,
                exchange: None,
            },
        }
    }
}

impl Exchange {
    pub async fn response(&self, headers: Headers, end: bool) -> Verdict {
        let (answer, answered) = oneshot::channel();
        let sent = self.filter.send(Job::Response {
            id: self.id,
            headers,
            end,
            answer,
        });
        match (sent, answered.await) {
            (Ok(()), Ok(verdict)) => verdict,
            _ => Verdict::Failed(GONE.into()),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Where the thread is gone, so is the stream.
        let _ = self.filter.send(Job::Close(self.id));
    }
}

const GONE: &str = "the filter's thread is gone";

/// A stream, and which VM it lives in: it does not outlive its VM.
#[derive(Clone, Copy)]
struct Id {
    stream: StreamId,
    life: u64,
}

enum Job {
    Request {
        headers: Headers,
        properties: Properties,
        end: bool,
        answer: oneshot::Sender<Answer>,
    },
    Response {
        id: Id,
        headers: Headers,
        end: bool,
        answer: oneshot::Sender<Verdict>,
    },
    Close(Id),
}

struct Answer {
    verdict: Verdict,
    record: Option<Value>,
    took: Duration,
    id: Option<Id>,
}

/// Owns the VM, and what a fresh one is made of.
struct Keeper {
    module: Module,
    configuration: Vec<u8>,
    environment: BTreeMap<String, String>,
    running: Option<(Vm, PluginId)>,
    life: u64,
}

impl Keeper {
    fn work(&mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Request {
                    headers,
                    properties,
                    end,
                    answer,
                } => {
                    let reply = self.request(headers, properties, end);
                    // The client left meanwhile.
                    if let Err(Answer { id: Some(id), .. }) = answer.send(reply) {
                        self.close(id);
                    }
                }
                Job::Response {
                    id,
                    headers,
                    end,
                    answer,
                } => {
                    let _ = answer.send(self.response(id, headers, end));
                }
                Job::Close(id) => self.close(id),
            }
        }
    }

    fn request(&mut self, headers: Headers, properties: Properties, end: bool) -> Answer {
        let begun = Instant::now();
        let life = self.life;
        let asked = self.running().and_then(|(vm, plugin)| {
            let stream = vm.open_stream(*plugin, properties).map_err(told)?;
            let outcome = vm.request_headers(stream, headers, end);
            let verdict = verdict(outcome, || Ok(vm.stream(stream)?.request_headers().clone()));
            let record = vm.filter_state(stream, &format!("wasm.{FILTER_STATE}"));
            let record = record.and_then(|record| serde_json::from_slice(record).ok());
            Ok((verdict, record, stream))
        });
        let took = begun.elapsed();
        // A fresh VM may have been started on the way.
        let life = life.max(self.life);
        match asked {
            Ok((verdict, record, stream)) => Answer {
                verdict,
                record,
                took,
                id: Some(Id { stream, life }),
            },
            Err(message) => Answer {
                verdict: Verdict::Failed(message),
                record: None,
                took,
                id: None,
            },
        }
    }

    fn response(&mut self, id: Id, headers: Headers, end: bool) -> Verdict {
        match self.living(id) {
            None => Verdict::Failed("the VM of this request is gone".into()),
            Some(vm) => {
                let outcome = vm.response_headers(id.stream, headers, end);
                verdict(outcome, || {
                    Ok(vm.stream(id.stream)?.response_headers().clone())
                })
            }
        }
    }

    fn close(&mut self, id: Id) {
        if let Some(vm) = self.living(id)
            && let Err(error) = vm.log(id.stream).and_then(|()| vm.close(id.stream))
        {
            terminal::warn(&format!("at the end of a request: {error}"));
        }
    }

    /// The VM of a stream, if it still lives.
    fn living(&mut self, id: Id) -> Option<&mut Vm> {
        let (vm, _) = self.running.as_mut()?;
        (id.life == self.life && vm.dead().is_none()).then_some(vm)
    }

    /// The VM there is, or a fresh one.
    fn running(&mut self) -> Result<&mut (Vm, PluginId), String> {
        let dead = |(vm, _): &(Vm, PluginId)| vm.dead().is_some();
        if self.running.as_ref().is_some_and(dead) {
            self.running = None;
        }
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
            time_limit: Some(TIME_LIMIT),
            log_level: LogLevel::Warn,
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

/// The filter decides on headers at once. Where it would wait, this proxy has nothing to wake it.
fn verdict(
    outcome: Result<Outcome, VmError>,
    headers: impl FnOnce() -> Result<Headers, VmError>,
) -> Verdict {
    match outcome {
        Ok(Outcome::Continue) => match headers() {
            Ok(headers) => Verdict::Continue(headers),
            Err(error) => Verdict::Failed(told(error)),
        },
        Ok(Outcome::LocalReply { response, .. }) => Verdict::Reply(response),
        Ok(Outcome::Pause) => Verdict::Failed("the filter waits, which `serve` cannot".into()),
        Ok(Outcome::Reset) => Verdict::Failed("the filter reset the stream".into()),
        Ok(Outcome::Broken(breach)) => Verdict::Failed(breach.to_string()),
        Err(error) => Verdict::Failed(told(error)),
    }
}

fn told(error: VmError) -> String {
    error.to_string()
}
