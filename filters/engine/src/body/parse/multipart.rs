//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1) in one piece of memory.
//!
//! Our own, since the crates that are kept (`multer`, `form-data`, `multipart_async_stream`) read
//! streams, and read them forgivingly, where a gate must refuse what another reader splits
//! differently. `memchr` searches, in linear time.
//!
//! Taken is what browsers and HTTP clients write, and nothing else: each delimiter on a line of its own,
//! lines that end with CRLF, one `Content-Disposition: form-data` with one name in each part.

use super::{Charset, Field, Fields, JSON, MAX_VALUES, Malformed, json};
use crate::fields;
use memchr::memmem;
use portcullis_rego::value::{self, Value};

/// As many as Go's `ReadForm` takes.
pub const MAX_PARTS: usize = 1_000;

const CRLF: &[u8] = b"\r\n";

pub fn parse(body: &[u8], field: &Field<'_>, charset: Charset) -> Result<Value, Malformed> {
    let delimiter = [b"--", boundary(field)?.as_bytes()].concat();
    // A client chooses a boundary that is nowhere in what it sends (RFC 2046 section 5.1.1): wherever it
    // is, a delimiter must be.
    let mut pieces = split(body, &delimiter);
    let preamble = pieces.next().unwrap_or_default();
    if !preamble.is_empty() && preamble != CRLF {
        return Err(Malformed("text before the first part"));
    }
    let mut fields = Fields::default();
    let mut values = MAX_VALUES;
    let mut parts: usize = 0;
    while let Some(piece) = pieces.next() {
        if let Some(epilogue) = piece.strip_prefix(b"--") {
            let ends = epilogue.is_empty() || epilogue == CRLF;
            return match pieces.next() {
                None if ends => Ok(fields.into()),
                _ => Err(Malformed("text after the last part")),
            };
        }
        parts = parts.saturating_add(1);
        if parts > MAX_PARTS {
            return Err(Malformed("too many parts"));
        }
        let part = piece
            .strip_prefix(CRLF)
            .and_then(|piece| piece.strip_suffix(CRLF))
            .ok_or(Malformed("a boundary that is on no line of its own"))?;
        Part::parse(part)?.add_to(&mut fields, charset, &mut values)?;
    }
    Err(Malformed("no end of the last part"))
}

/// RFC 2046 section 5.1.1: at most 70 of these characters, the last one no space.
fn boundary<'t>(field: &Field<'t>) -> Result<&'t str, Malformed> {
    let boundary = field.get("boundary")?.ok_or(Malformed("no boundary"))?;
    let is_bchar = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let good = (1..=70).contains(&boundary.len())
        && boundary.bytes().all(is_bchar)
        && !boundary.ends_with(' ');
    good.then_some(boundary)
        .ok_or(Malformed("a boundary that is none"))
}

/// What is between the delimiters.
fn split<'b>(body: &'b [u8], delimiter: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    let finder = memmem::Finder::new(delimiter).into_owned();
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((piece, after)) = finder.find(text).and_then(|at| text.split_at_checked(at))
        else {
            rest = None;
            return Some(text);
        };
        rest = after
            .split_at_checked(finder.needle().len())
            .map(|(_, after)| after);
        Some(piece)
    })
}

struct Part<'b> {
    name: &'b str,
    is_file: bool,
    is_json: bool,
    charset: Charset,
    content: &'b [u8],
}

impl<'b> Part<'b> {
    fn parse(part: &'b [u8]) -> Result<Self, Malformed> {
        let (headers, content) = memmem::find(part, b"\r\n\r\n")
            .and_then(|at| part.split_at_checked(at))
            .and_then(|(headers, rest)| Some((headers, rest.strip_prefix(b"\r\n\r\n")?)))
            .ok_or(Malformed("a part without headers"))?;
        let headers = std::str::from_utf8(headers).map_err(|_| Malformed("no UTF-8"))?;
        let headers = Headers::parse(headers)?;
        let disposition = headers
            .disposition
            .ok_or(Malformed("a part without a disposition"))?;
        if !disposition.value.eq_ignore_ascii_case("form-data") {
            return Err(Malformed("a disposition that is not form-data"));
        }
        let name = disposition
            .get("name")?
            .filter(|name| !name.is_empty())
            .ok_or(Malformed("a part without a name"))?;
        // Browsers write quotes and line ends so; some readers turn them back, Go does not.
        let lower = name.to_ascii_lowercase();
        if ["%22", "%0d", "%0a"]
            .iter()
            .any(|escape| lower.contains(escape))
        {
            return Err(Malformed("an escape in a part's name"));
        }
        let content_type = headers.content_type.as_ref();
        Ok(Part {
            name,
            is_file: disposition.has("filename") || disposition.has("filename*"),
            is_json: headers.is_json,
            charset: content_type.map_or(Ok(Charset::Utf8), Charset::of)?,
            content,
        })
    }

    /// A file is bytes, and what is no UTF-8 in it becomes U+FFFD; a field is a text.
    fn add_to(
        &self,
        fields: &mut Fields,
        charset: Charset,
        values: &mut usize,
    ) -> Result<(), Malformed> {
        let charset = match charset {
            Charset::Utf8 => self.charset,
            Charset::Ascii => Charset::Ascii,
        };
        let value = if self.is_json {
            json::parse(self.content, charset, values)?
        } else if self.is_file {
            value::string(&String::from_utf8_lossy(self.content))
        } else {
            value::string(charset.text(self.content)?)
        };
        fields.add(self.name, value)
    }
}

/// Those that mean something here; others "MUST be ignored" (RFC 7578 section 4.8).
#[derive(Default)]
struct Headers<'b> {
    disposition: Option<Field<'b>>,
    content_type: Option<Field<'b>>,
    is_json: bool,
    has_encoding: bool,
}

impl<'b> Headers<'b> {
    fn parse(text: &'b str) -> Result<Self, Malformed> {
        let mut headers = Headers::default();
        for line in text.split("\r\n") {
            headers.line(line)?;
        }
        Ok(headers)
    }

    fn line(&mut self, line: &'b str) -> Result<(), Malformed> {
        let (name, text) = line
            .split_once(':')
            .filter(|(name, _)| fields::is_token(name))
            .ok_or(Malformed("a part's header that cannot be read"))?;
        let is = |known| name.eq_ignore_ascii_case(known);
        let twice = if is("content-disposition") {
            self.disposition.replace(Field::parse(text)?).is_some()
        } else if is("content-type") {
            self.is_json = text.to_ascii_lowercase().contains(JSON);
            self.content_type.replace(Field::parse(text)?).is_some()
        } else if is("content-transfer-encoding") {
            let text = text.trim_matches([' ', '\t']);
            if !["7bit", "8bit", "binary"]
                .iter()
                .any(|none| text.eq_ignore_ascii_case(none))
            {
                return Err(Malformed("a part that is encoded"));
            }
            std::mem::replace(&mut self.has_encoding, true)
        } else if !fields::is_received_value(text) {
            return Err(Malformed("a control character in a field"));
        } else {
            false
        };
        match twice {
            true => Err(Malformed("a part's header that stands twice")),
            false => Ok(()),
        }
    }
}
