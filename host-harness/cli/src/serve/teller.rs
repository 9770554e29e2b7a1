//! Who tells of decisions. Plain lines are printed at once; what takes an explanation is done on a
//! thread of its own, so that no response waits for it.

use super::{
    line::Line,
    log::DecisionLog,
    native::{Native, STACK, Seen, Told, Wanted},
};
use crate::{failure::Failure, terminal};
use portcullis_engine::Mask;
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

/// How decisions are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// What fits stdout.
    pub fn of_stdout() -> Format {
        match io::stdout().is_terminal() {
            true => Format::Text,
            false => Format::Json,
        }
    }
}

/// With more decisions than this waiting, the next go without an explanation.
const BUSY: usize = 64;
/// With more bytes of headers and bodies than this waiting, the next go without their request.
const FULL: usize = 64 * 1024 * 1024;
/// What waits at the end gets this long.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Where requests are told of.
#[derive(Clone)]
pub struct Teller {
    thread: Option<Sender<Message>>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    decisions: AtomicUsize,
    bytes: AtomicUsize,
}

enum Message {
    Decision(Box<Decision>),
    /// Nothing comes any more. Answered when everything before is told.
    End(Sender<()>),
}

/// A line, and what it takes to say more.
struct Decision {
    line: Line,
    request: Option<Request>,
}

/// A request, and the configuration it was decided by.
type Request = (Arc<Seen>, Arc<Native>);

impl Teller {
    /// Plain lines need no thread; text and a log say more.
    pub fn new(format: Format, log: Option<DecisionLog>) -> Result<Teller, Failure> {
        let waiting = Arc::new(Waiting::default());
        let plain = format == Format::Json && log.is_none();
        let thread = match plain {
            true => None,
            false => {
                let (sender, messages) = mpsc::channel();
                let mut desk = Desk {
                    format,
                    log,
                    waiting: Arc::clone(&waiting),
                    has_left_out: false,
                };
                thread::Builder::new()
                    .name("decisions".into())
                    .stack_size(STACK)
                    .spawn(move || desk.work(&messages))
                    .map_err(|error| Failure::io("a thread", &error))?;
                Some(sender)
            }
        };
        Ok(Teller { thread, waiting })
    }

    /// Whether more than the line itself is told.
    pub fn explains(&self) -> bool {
        self.thread.is_some()
    }

    /// Begins to tell of a request; it is told when that is dropped, so that a request whose client
    /// leaves is, too.
    pub fn begin(&self, line: Line, seen: Option<Arc<Seen>>, native: &Arc<Native>) -> Telling<'_> {
        Telling {
            teller: self,
            line: Some(line),
            request: seen.map(|seen| (seen, Arc::clone(native))),
        }
    }

    fn tell(&self, mut line: Line, request: Option<Request>) {
        let Some(thread) = &self.thread else {
            print(&line.json(&Mask::default()).to_string());
            return;
        };
        let full = self.waiting.bytes.load(Ordering::Relaxed) > FULL;
        let request = request.filter(|_| !full);
        if full {
            // Which of its words are credentials only the request could tell.
            line.forget_detail();
        }
        let bytes = request.as_ref().map_or(0, |(seen, _)| seen.bytes());
        self.waiting.decisions.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let decision = Decision { line, request };
        // Where the thread is gone, the process is going.
        let _ = thread.send(Message::Decision(Box::new(decision)));
    }

    /// Waits until everything is told.
    pub fn finish(&self) {
        let Some(thread) = &self.thread else { return };
        let (done, told) = mpsc::channel();
        if thread.send(Message::End(done)).is_ok() {
            let _ = told.recv_timeout(LAST_LINES);
        }
    }
}

/// A request that is being decided.
pub struct Telling<'t> {
    teller: &'t Teller,
    line: Option<Line>,
    request: Option<Request>,
}

impl Telling<'_> {
    /// What the filter recorded, and how long it took.
    pub fn decided(&mut self, record: Option<Value>, took: Duration) {
        if let Some(line) = &mut self.line {
            line.decided(record, took);
        }
    }

    /// What the client gets.
    pub fn answered(&mut self, status: u16) {
        if let Some(line) = &mut self.line {
            line.status = status;
        }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.teller.tell(line, self.request.take());
        }
    }
}

struct Desk {
    format: Format,
    log: Option<DecisionLog>,
    waiting: Arc<Waiting>,
    /// A request was left out, and that was told.
    has_left_out: bool,
}

impl Desk {
    fn work(&mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Decision(decision) => {
                    let request = decision.request.as_ref();
                    let bytes = request.map_or(0, |(seen, _)| seen.bytes());
                    let before = self.waiting.decisions.fetch_sub(1, Ordering::Relaxed);
                    self.tell(&decision, before <= BUSY);
                    self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
                }
                Message::End(done) => {
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn tell(&mut self, Decision { line, request }: &Decision, explains: bool) {
        let told = match request {
            Some((seen, native)) => {
                let event = self.log.is_some();
                let why = explains;
                native.tell(seen, line, Wanted { why, event })
            }
            None => Told::default(),
        };
        if request.is_none() && !self.has_left_out {
            self.has_left_out = true;
            terminal::warn("too many decisions at once: some are shown without their request");
        }
        match self.format {
            Format::Json => {
                print(&line.json(&told.mask).to_string());
            }
            Format::Text => {
                let coloured = terminal::colourful(&io::stdout());
                print(&line.human(&told, self.log.is_some(), coloured));
            }
        }
        if let Some(log) = &mut self.log {
            let request = request.as_ref();
            let request = request.map(|(seen, native)| (&**seen, &**native));
            if let Some(event) = line.event(&told, request) {
                log.append(&event);
            }
        }
    }
}

/// A reader that has gone away does not stop the gate.
fn print(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
