//! Text around keys and certificates, as leniently as Go's `encoding/pem` reads it: what stands
//! before a block, between blocks and in its headers is skipped (RFC 7468 section 2).

use crate::encoding;

pub struct Block {
    /// Between `BEGIN ` and the dashes.
    pub label: String,
    pub bytes: Vec<u8>,
}

/// Each that is begun and not ended costs a search through the rest of the text.
const MAX_BROKEN: usize = 64;

/// The first block, and what stands behind its last line.
pub fn decode(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    for _ in 0..MAX_BROKEN {
        rest = match rest.strip_prefix(b"-----BEGIN ") {
            Some(rest) => rest,
            None => split(rest, b"\n-----BEGIN ")?.1,
        };
        let (line, behind) = first_line(rest);
        rest = behind;
        let Some(label) = line.strip_suffix(b"-----") else {
            continue;
        };
        let (body, has_headers) = without_headers(rest)?;
        rest = body;
        let end = match body.strip_prefix(b"-----END ") {
            Some(end) if !has_headers => Some((&b""[..], end)),
            _ => split(body, b"\n-----END "),
        };
        let Some((inside, end)) = end else {
            continue;
        };
        let closing = end
            .strip_prefix(label)
            .and_then(|end| end.strip_prefix(b"-----"));
        let Some(closing) = closing else {
            continue;
        };
        let (trailing, behind) = first_line(closing);
        if !trailing.is_empty() {
            continue;
        }
        let inside: Vec<u8> = inside
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b' ' | b'\t'))
            .collect();
        let (Ok(bytes), Ok(label)) = (encoding::standard(&inside), str::from_utf8(label)) else {
            continue;
        };
        let label = label.to_owned();
        return Some((Block { label, bytes }, behind));
    }
    None
}

/// What stands behind the lines with a colon, and whether there are any.
fn without_headers(text: &[u8]) -> Option<(&[u8], bool)> {
    let (mut rest, mut found) = (text, false);
    loop {
        if rest.is_empty() {
            return None;
        }
        let (line, behind) = first_line(rest);
        if !line.contains(&b':') {
            return Some((rest, found));
        }
        (rest, found) = (behind, true);
    }
}

/// A line without the spaces at its end, and what follows it.
fn first_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut line, rest) = split(text, b"\n").unwrap_or((text, b""));
    while let [shorter @ .., b' ' | b'\t' | b'\r' | b'\n'] = line {
        line = shorter;
    }
    (line, rest)
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let position = text.windows(at.len()).position(|window| window == at)?;
    let (before, behind) = text.split_at_checked(position)?;
    Some((before, behind.strip_prefix(at)?))
}
