//! A request as the gate is asked about it: read once, from a host whose maps cannot be read at any time.

use crate::{attributes::Known, body::Held, host, pairs::Pairs, root::Accepted};
use portcullis_engine::{Gate, Incoming, Moment, Request};
use proxy_wasm::types::MapType;
use std::{cell::Cell, sync::Arc};

/// What the gate is asked about. A host's maps cannot be read at any time, so it is all here.
pub struct Asked {
    /// As it was when the request came: whatever bundle comes meanwhile, one policy decides on it.
    pub gate: Arc<Gate>,
    pub decision_id: String,
    headers: Pairs,
    known: Known,
    pub body: Held,
    /// When it came, of one whose body is looked at: nanoseconds since the Unix epoch.
    pub since_ns: u64,
    /// When the gate was asked last: nanoseconds since the Unix epoch.
    asked_ns: Cell<u64>,
    /// How long it took to answer, all in all: nanoseconds.
    took_ns: Cell<u64>,
}

/// What the host did not give.
pub struct Unknown(pub &'static str);

const NOT_ACCEPTED: &str = "no configuration was accepted";
const NO_TIME: &str = "the host gave no time";

impl Asked {
    pub fn read(
        accepted: Option<&Accepted>,
        end_of_stream: bool,
    ) -> Result<Asked, (String, Unknown)> {
        let Some(decision_id) = decision_id() else {
            return Err(("none".to_owned(), Unknown("the host gave no randomness")));
        };
        let Some(Accepted { live, .. }) = accepted else {
            return Err((decision_id, Unknown(NOT_ACCEPTED)));
        };
        let gate = live.current();
        // Envoy answers Ok with nothing where it should fail, and every request has headers.
        let headers = match host::header_pairs(MapType::HttpRequestHeaders) {
            Some(headers) if !headers.is_empty() => headers,
            _ => return Err((decision_id, Unknown("the host gave no headers"))),
        };
        let mut asked = Asked {
            decision_id,
            known: Known::read(&gate, &headers),
            gate,
            headers,
            body: match end_of_stream {
                true => Held::None,
                false => Held::Unread,
            },
            since_ns: 0,
            asked_ns: Cell::new(0),
            took_ns: Cell::new(0),
        };
        if !end_of_stream {
            let reads = |gate: &Gate, request: &Request<'_>, moment: &Moment<'_>| {
                Some((gate.body_reader(request)?, moment.now_ns))
            };
            match asked.ask(reads) {
                Ok(None) => {}
                Ok(Some((reader, now_ns))) => {
                    asked.body = Held::Coming {
                        reader: Box::new(reader),
                        seen: 0,
                    };
                    asked.since_ns = now_ns;
                }
                Err(unknown) => return Err((asked.decision_id, unknown)),
            }
        }
        Ok(asked)
    }

    /// How long the gate took, all in all: nanoseconds.
    pub fn took_ns(&self) -> u64 {
        self.took_ns.get()
    }

    /// When the gate was asked last: nanoseconds since the Unix epoch.
    pub fn asked_ns(&self) -> u64 {
        self.asked_ns.get()
    }

    /// Bytes of its headers.
    pub fn size(&self) -> usize {
        self.headers.size()
    }

    /// What came, without its body.
    pub fn look<T>(&self, look: impl FnOnce(&Request<'_>) -> T) -> Option<T> {
        let headers = self.headers.iter();
        let text = |(name, value)| Some((std::str::from_utf8(name).ok()?, value));
        let headers: Vec<(&str, &[u8])> = headers.map(text).collect::<Option<_>>()?;
        Some(look(&Request {
            headers: &headers,
            attributes: self.known.attributes(),
            body: Incoming::None,
        }))
    }

    pub fn ask<T>(
        &self,
        question: impl FnOnce(&Gate, &Request<'_>, &Moment<'_>) -> T,
    ) -> Result<T, Unknown> {
        let moment = Moment {
            now_ns: host::now_ns().ok_or(Unknown(NO_TIME))?,
            decision_id: &self.decision_id,
        };
        let mut headers: Vec<(&str, &[u8])> = Vec::with_capacity(self.headers.len());
        for (name, value) in self.headers.iter() {
            let name = std::str::from_utf8(name)
                .map_err(|_| Unknown("the host gave a header name that is not UTF-8"))?;
            headers.push((name, value));
        }
        let request = Request {
            headers: &headers,
            attributes: self.known.attributes(),
            body: match &self.body {
                Held::None => Incoming::None,
                Held::Unread | Held::Coming { .. } => Incoming::Coming,
                Held::Read(body) => Incoming::Read(body),
            },
        };
        let answer = question(&self.gate, &request, &moment);
        self.asked_ns.set(moment.now_ns);
        let took = host::now_ns().map_or(0, |now| now.saturating_sub(moment.now_ns));
        self.took_ns.set(self.took_ns.get().saturating_add(took));
        Ok(answer)
    }
}

/// A random UUID (RFC 9562 section 5.4).
pub fn decision_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string(),
    )
}
