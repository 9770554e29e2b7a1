//! A case's body made ready: its bytes, how they are sent, and the headers that speak of them.

use crate::{
    error::Error,
    scenario::{BodySpec, DetailedBody, DigestName, FramingName},
    subject::Framing,
    template::{self, Names},
};
use base64::{Engine, prelude::BASE64_STANDARD};

type Lines = Vec<(String, Vec<u8>)>;

/// Adds its headers to the request's lines.
pub fn read(
    names: &dyn Names,
    spec: &BodySpec,
    lines: &mut Lines,
) -> Result<(Vec<u8>, Framing), Error> {
    let spec = match spec {
        BodySpec::Text(text) => &DetailedBody {
            text: Some(text.clone()),
            ..DetailedBody::default()
        },
        BodySpec::Detailed(spec) => spec,
    };
    let body = bytes(names, spec)?;
    let line = |name: &str, value: String| (name.to_owned(), value.into_bytes());
    let chunked = spec.framing == FramingName::Chunked || !spec.trailers.is_empty();
    if chunked {
        lines.push(line("transfer-encoding", "chunked".to_owned()));
    }
    if !chunked || spec.length.is_some() {
        let length = spec.length.clone();
        let length = length.unwrap_or_else(|| body.len().to_string());
        lines.push(line("content-length", length));
    }
    if let Some(DigestName::Sha256) = spec.digest {
        let digest = BASE64_STANDARD.encode(hmac_sha256::Hash::hash(&body));
        lines.push(line("content-digest", format!("sha-256=:{digest}:")));
    }
    let mut trailers = Vec::new();
    for (name, value) in &spec.trailers {
        trailers.push(line(name, template::text(names, value)?));
    }
    let framing = Framing {
        chunked,
        pieces: spec.pieces.clone(),
        pause: spec.pause,
        trailers,
    };
    Ok((body, framing))
}

fn bytes(names: &dyn Names, spec: &DetailedBody) -> Result<Vec<u8>, Error> {
    match (&spec.text, &spec.base64, spec.bytes) {
        (None, None, None) => Ok(Vec::new()),
        (Some(text), None, None) => template::text(names, text).map(String::into_bytes),
        (None, Some(text), None) => BASE64_STANDARD
            .decode(text)
            .map_err(|error| Error::Template {
                template: text.clone(),
                message: error.to_string(),
            }),
        (None, None, Some(count)) => Ok(counted(count)),
        _ => Err(Error::Template {
            template: "body".into(),
            message: "is one of `text`, `base64` and `bytes`".into(),
        }),
    }
}

/// Bytes of which no piece looks like the one before.
pub fn counted(count: usize) -> Vec<u8> {
    let cycle = (0..=u8::MAX).filter(|byte| *byte < 251).cycle();
    cycle.take(count).collect()
}
