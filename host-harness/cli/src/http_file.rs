//! A request written down: request line, header lines, an empty line, a body.

use crate::{failure::Failure, moment};
use portcullis_engine::{
    Attributes, Gate, Incoming, Moment, Request, SignatureReport,
    message_signature::{Component, Message},
};
use portcullis_gatefile::{Finding, Place};
use portcullis_host::Headers;
use std::path::Path;

/// A request as a filter would see it.
pub struct HttpFile {
    headers: Headers,
    protocol: String,
    body: Vec<u8>,
}

impl HttpFile {
    pub fn read(file: &Path) -> Result<HttpFile, Failure> {
        let fail = |line: usize, message: String| {
            let place = Place {
                file: file.to_owned(),
                line,
                column: 0,
            };
            Failure::from(Finding::new(place, message))
        };
        let bytes = std::fs::read(file).map_err(|error| fail(0, error.to_string()))?;
        let (head, body) = split(&bytes);
        let head = std::str::from_utf8(head).map_err(|_| fail(0, "this is not text".into()))?;
        let mut request = parse(head).map_err(|(line, message)| fail(line, message))?;
        request.body = request.without_last_line_end(body).to_owned();
        Ok(request)
    }

    /// A request of its parts; the names of headers are lower-case.
    pub fn new(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<HttpFile, Failure> {
        let line = format!("{method} {url} HTTP/1.1");
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        let text: Vec<String> = std::iter::once(line).chain(lines).collect();
        let request = parse(&text.join("\n")).map_err(|(_, message)| Failure::new(message))?;
        Ok(HttpFile {
            body: body.as_bytes().to_owned(),
            ..request
        })
    }

    /// The same with more headers.
    pub fn with_headers(&self, more: &[(&str, &str)]) -> HttpFile {
        let mut headers = self.headers.clone();
        for (name, value) in more {
            headers.add(name, value.as_bytes());
        }
        HttpFile {
            headers,
            protocol: self.protocol.clone(),
            body: self.body.clone(),
        }
    }

    /// As it goes over the wire, up to the end of its headers: request line and header lines.
    pub fn to_text(&self) -> String {
        let text = |name| String::from_utf8_lossy(self.headers.get(name).unwrap_or_default());
        // What is not said of the scheme is `http`.
        let origin = match &*text(":scheme") {
            "https" => format!("https://{}", text(":authority")),
            _ => String::new(),
        };
        let (method, path) = (text(":method"), text(":path"));
        let mut lines = format!("{method} {origin}{path} {}\n", self.protocol);
        for (name, value) in self.headers.iter() {
            let name = match name {
                ":authority" => "host",
                name if name.starts_with(':') => continue,
                name => name,
            };
            lines.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value)));
        }
        lines
    }

    /// Method and path, without the query.
    pub fn line(&self) -> (String, String) {
        let text = |name| String::from_utf8_lossy(self.headers.get(name).unwrap_or_default());
        let path = text(":path")
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        (text(":method").into_owned(), path)
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.get(name).is_some()
    }

    /// Editors end a file with a line's end, which is the body's own only where its length says so.
    fn without_last_line_end<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        let length = self.headers.get("content-length");
        if length == Some(body.len().to_string().as_bytes()) {
            return body;
        }
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        body.strip_suffix(b"\r").unwrap_or(body)
    }

    /// Hands over what signatures are made over.
    pub fn with_message<T>(
        &self,
        sign: impl FnOnce(&Message<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().collect();
        match Message::new(&headers, None) {
            Some(message) => sign(&message),
            None => Err(Failure::new("the request has a header that is not text")),
        }
    }

    /// The policy's input for this request, or the decision that refuses it before.
    pub fn input(
        &self,
        gate: &Gate,
    ) -> Result<serde_json::Value, Box<portcullis_engine::Decision>> {
        self.ask(gate, |request, moment| gate.input(request, moment))
    }

    /// What a signature of it must cover.
    pub fn required_components(&self, gate: &Gate) -> Result<Vec<Component>, String> {
        self.ask(gate, |request, _| {
            gate.required_components(request).map(<[_]>::to_vec)
        })
    }

    /// What the gate makes of its signatures, and whether it takes them.
    pub fn signatures(&self, gate: &Gate) -> Result<Option<(Vec<SignatureReport>, bool)>, String> {
        self.ask(gate, |request, moment| gate.signatures(request, moment))
    }

    /// Asks the gate about it and all of its body, at this moment.
    pub fn ask<T>(&self, gate: &Gate, question: impl FnOnce(&Request<'_>, &Moment<'_>) -> T) -> T {
        let now_ns = moment::nanoseconds(moment::now());
        let headers: Vec<(&str, &[u8])> = self.headers.iter().collect();
        let text = |name| std::str::from_utf8(self.headers.get(name)?).ok();
        let request = Request {
            headers: &headers,
            attributes: Attributes {
                request_id: text("x-request-id"),
                request_time_ns: Some(now_ns),
                protocol: Some(&self.protocol),
                scheme: text(":scheme"),
                size: text("content-length").and_then(|length| length.parse().ok()),
                ..Attributes::default()
            },
            body: Incoming::None,
        };
        let decision_id = moment::unique_id();
        let moment = Moment {
            now_ns,
            decision_id: &decision_id,
        };
        gate.with_body(&request, &self.body, |request| question(request, &moment))
    }
}

type Wrong = (usize, String);

/// The head with its empty line, and what follows that. Above the request line there may be empty lines
/// and comments.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0_usize;
    let mut has_begun = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end = end.saturating_add(line.len());
        let is_blank = line.trim_ascii().is_empty();
        if is_blank && has_begun {
            break;
        }
        has_begun |= !is_blank && !line.starts_with(b"#");
    }
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

fn parse(text: &str) -> Result<HttpFile, Wrong> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index.saturating_add(1), line))
        .skip_while(|(_, line)| line.trim().is_empty() || line.starts_with('#'));
    let (number, line) = lines
        .next()
        .ok_or((0, "there is no request in it".into()))?;
    let example = "a request line is `GET /path HTTP/1.1`";
    let wrong = |found: &str| (number, format!("found `{found}`; {example}"));

    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(wrong(line));
    };
    let protocol = words.next().unwrap_or("HTTP/1.1");
    if words.next().is_some() || !protocol.starts_with("HTTP/") {
        return Err(wrong(line));
    }
    let mut pseudo = vec![(":method", method)];
    match target.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => {
            let (authority, path) = match rest.find(['/', '?']) {
                Some(at) => rest.split_at(at),
                None => (rest, "/"),
            };
            pseudo.extend([
                (":scheme", scheme),
                (":authority", authority),
                (":path", path),
            ]);
        }
        _ if target.starts_with('/') || target == "*" => {
            pseudo.extend([(":scheme", "http"), (":path", target)]);
        }
        _ => return Err(wrong(line)),
    }

    let mut headers = Vec::new();
    for (number, line) in lines.take_while(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').filter(|(name, _)| {
            !name.is_empty() && !name.contains(|char: char| char.is_ascii_whitespace())
        });
        let example = "a header line is `name: value`";
        // The rest of the line may be a credential.
        let word = line.split_whitespace().next().unwrap_or_default();
        headers.push(header.ok_or((number, format!("found `{word} ...`; {example}")))?);
    }
    let headers = Headers::from_wire(&pseudo, headers)
        .map_err(|error| (number, format!("a proxy refuses this request: {error}")))?;
    Ok(HttpFile {
        headers,
        protocol: protocol.to_owned(),
        body: Vec::new(),
    })
}
