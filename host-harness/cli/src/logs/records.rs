//! A log in pieces: each line, and each object of an array or of a text laid out over many lines, is a
//! record. Memory is bounded, whatever the log is.

use std::{
    io::{self, ErrorKind, Read},
    ops::Range,
};

/// More than an event with a body of the gate's most takes.
pub const MAX_RECORD: usize = 16 << 20;
const BLOCK: usize = 256 << 10;

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands in the bytes that it came with.
    pub at: Range<usize>,
    /// The line on which it begins, from 1.
    pub line: u64,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it was written.
    Whole,
    /// The log ends in it, or may: there is no end of a line.
    Open,
    /// An object that is broken off by the end of a line.
    Broken,
    /// Past [`MAX_RECORD`]: nothing of it is here.
    TooLong,
}

/// Reads records, one after the other.
pub struct Records<R> {
    from: R,
    /// What was read and not taken yet begins at `at`.
    buffer: Vec<u8>,
    at: usize,
    is_over: bool,
    line: u64,
    in_array: bool,
    /// The log ended inside of an array.
    pub is_cut: bool,
}

impl<R: Read> Records<R> {
    pub fn new(from: R) -> Records<R> {
        Records {
            from,
            buffer: Vec::new(),
            at: 0,
            is_over: false,
            line: 1,
            in_array: false,
            is_cut: false,
        }
    }

    /// Puts the next record behind `bytes`; `None` at the end of the log.
    ///
    /// # Errors
    /// Where the log cannot be read on.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Record>> {
        loop {
            self.skip_space()?;
            let Some(first) = self.byte(0)? else {
                self.is_cut = self.is_cut || self.in_array;
                return Ok(None);
            };
            match (self.in_array, first) {
                (true, b',') => self.skip(1),
                (true, b']') => {
                    self.skip(1);
                    self.in_array = false;
                }
                (true, b'{') => return self.object(bytes).map(Some),
                // No array of objects: what follows is read as lines.
                (true, _) => self.in_array = false,
                (false, b'[') if self.opens_array()? => {
                    self.skip(1);
                    self.in_array = true;
                }
                (false, b'{') if self.is_laid_out()? => return self.object(bytes).map(Some),
                (false, _) => return self.text_line(bytes).map(Some),
            }
        }
    }

    /// A byte so far behind what was taken; `None` past the end of the log.
    fn byte(&mut self, ahead: usize) -> io::Result<Option<u8>> {
        loop {
            let found = self.buffer.get(self.at.saturating_add(ahead));
            if found.is_some() || self.is_over {
                return Ok(found.copied());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        self.buffer.resize(held.saturating_add(BLOCK), 0);
        let free = self.buffer.get_mut(held..).unwrap_or_default();
        let read = loop {
            match self.from.read(free) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(held.saturating_add(count));
        self.is_over = count == 0;
        read.map(|_| ())
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.buffer.len());
    }

    fn skip_space(&mut self) -> io::Result<()> {
        while let Some(byte) = self.byte(0)? {
            match byte {
                b'\n' => self.line = self.line.saturating_add(1),
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.skip(1);
        }
        Ok(())
    }

    /// Whether an object, or the end of an array, follows a bracket. Envoy's lines begin with one, too.
    fn opens_array(&mut self) -> io::Result<bool> {
        for ahead in 1..BLOCK {
            match self.byte(ahead)? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                other => return Ok(matches!(other, Some(b'{' | b']'))),
            }
        }
        Ok(false)
    }

    /// Whether a brace stands at the end of its line.
    fn is_laid_out(&mut self) -> io::Result<bool> {
        for ahead in 1..BLOCK {
            match self.byte(ahead)? {
                Some(b' ' | b'\t' | b'\r') => {}
                other => return Ok(other == Some(b'\n')),
            }
        }
        Ok(false)
    }

    fn text_line(&mut self, bytes: &mut Vec<u8>) -> io::Result<Record> {
        let line = self.line;
        let mut seen = 0;
        let mut is_too_long = false;
        loop {
            let rest = self.buffer.get(self.at.saturating_add(seen)..);
            let rest = rest.unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', rest) {
                let length = seen.saturating_add(end);
                return Ok(self.take(length, line, Form::Whole, is_too_long, bytes));
            }
            seen = seen.saturating_add(rest.len());
            if self.is_over {
                return Ok(self.take(seen, line, Form::Open, is_too_long, bytes));
            }
            if seen > MAX_RECORD {
                is_too_long = true;
                self.skip(seen);
                seen = 0;
            }
            self.more()?;
        }
    }

    /// From one brace to its other.
    fn object(&mut self, bytes: &mut Vec<u8>) -> io::Result<Record> {
        let line = self.line;
        let (mut seen, mut depth) = (0_usize, 0_usize);
        let (mut in_text, mut is_escaped, mut is_too_long) = (false, false, false);
        loop {
            let rest = self.buffer.get(self.at.saturating_add(seen)..);
            let rest = rest.unwrap_or_default();
            let mut lines: u64 = 0;
            let mut end = None;
            for (index, byte) in rest.iter().enumerate() {
                match byte {
                    // RFC 8259 section 7: none stands in a text. The next line is another record.
                    b'\n' if in_text => {
                        end = Some((index, Form::Broken));
                        break;
                    }
                    b'\n' => lines = lines.saturating_add(1),
                    _ if is_escaped => is_escaped = false,
                    b'\\' if in_text => is_escaped = true,
                    b'"' => in_text = !in_text,
                    _ if in_text => {}
                    b'{' | b'[' => depth = depth.saturating_add(1),
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            end = Some((index.saturating_add(1), Form::Whole));
                            break;
                        }
                    }
                    _ => {}
                }
            }
            self.line = self.line.saturating_add(lines);
            if let Some((end, form)) = end {
                if form == Form::Broken {
                    self.in_array = false;
                }
                let length = seen.saturating_add(end);
                return Ok(self.take(length, line, form, is_too_long, bytes));
            }
            seen = seen.saturating_add(rest.len());
            if self.is_over {
                return Ok(self.take(seen, line, Form::Open, is_too_long, bytes));
            }
            if seen > MAX_RECORD {
                is_too_long = true;
                self.skip(seen);
                seen = 0;
            }
            self.more()?;
        }
    }

    fn take(
        &mut self,
        length: usize,
        line: u64,
        form: Form,
        is_too_long: bool,
        bytes: &mut Vec<u8>,
    ) -> Record {
        let start = bytes.len();
        let end = self.at.saturating_add(length);
        let is_too_long = is_too_long || length > MAX_RECORD;
        if !is_too_long {
            bytes.extend_from_slice(self.buffer.get(self.at..end).unwrap_or_default());
        }
        self.skip(length);
        Record {
            at: start..bytes.len(),
            line,
            form: match is_too_long {
                true => Form::TooLong,
                false => form,
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Form, MAX_RECORD, Records};
    use std::io::{self, Read};

    /// As little at a time as there can be.
    struct Dripping<'t>(&'t [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let (Some((first, rest)), Some(to)) = (self.0.split_first(), to.first_mut()) else {
                return Ok(0);
            };
            *to = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn all(text: &str) -> (Vec<(String, u64, Form)>, bool) {
        let read = |from: Box<dyn Read + '_>| {
            let mut records = Records::new(from);
            let mut found = Vec::new();
            let mut bytes = Vec::new();
            while let Some(record) = records.next(&mut bytes).unwrap() {
                let text = bytes.get(record.at).unwrap().to_vec();
                let text = String::from_utf8(text).unwrap();
                found.push((text.trim_end().to_owned(), record.line, record.form));
            }
            (found, records.is_cut)
        };
        let found = read(Box::new(text.as_bytes()));
        assert_eq!(found, read(Box::new(Dripping(text.as_bytes()))), "{text}");
        found
    }

    #[test]
    fn records_are_lines_and_objects() {
        use Form::{Broken, Open, Whole};
        type Case = (&'static str, &'static [(&'static str, u64, Form)], bool);
        let cases: &[Case] = &[
            ("", &[], false),
            ("\n \r\n\t", &[], false),
            (
                "{\"a\":1}\n{\"b\":2}\r\n",
                &[("{\"a\":1}", 1, Whole), ("{\"b\":2}", 2, Whole)],
                false,
            ),
            (
                "{\"a\":1}\n\n{\"b\":",
                &[("{\"a\":1}", 1, Whole), ("{\"b\":", 3, Open)],
                false,
            ),
            // A line that was cut is no other's beginning.
            (
                "{\"a\":[\n{\"b\":2}\n",
                &[("{\"a\":[", 1, Whole), ("{\"b\":2}", 2, Whole)],
                false,
            ),
            (
                "[2026-11-27 07:00:00.000][1][info] wasm log gate: {\"a\":1}\n",
                &[(
                    "[2026-11-27 07:00:00.000][1][info] wasm log gate: {\"a\":1}",
                    1,
                    Whole,
                )],
                false,
            ),
            (
                "[{\"a\":\"]}\\\"\"}, {\"b\":[{}]}]\n{\"c\":3}\n",
                &[
                    ("{\"a\":\"]}\\\"\"}", 1, Whole),
                    ("{\"b\":[{}]}", 1, Whole),
                    ("{\"c\":3}", 2, Whole),
                ],
                false,
            ),
            (
                "[]\n[ ]\n[\n  {\n    \"a\": 1\n  },\n  {\"b\": 2}\n]\n",
                &[("{\n    \"a\": 1\n  }", 4, Whole), ("{\"b\": 2}", 7, Whole)],
                false,
            ),
            (
                "{\n \"a\": 1\n}\n{\n \"b\": \"x\ny\"\n}\n",
                &[
                    ("{\n \"a\": 1\n}", 1, Whole),
                    ("{\n \"b\": \"x", 4, Broken),
                    ("y\"", 6, Whole),
                    ("}", 7, Whole),
                ],
                false,
            ),
            (
                "[{\"a\":1},{\"b\":",
                &[("{\"a\":1}", 1, Whole), ("{\"b\":", 1, Open)],
                true,
            ),
            ("[{\"a\":1},", &[("{\"a\":1}", 1, Whole)], true),
            (
                "[{\"a\":1} oh\n{\"b\":2}",
                &[
                    ("{\"a\":1}", 1, Whole),
                    ("oh", 1, Whole),
                    ("{\"b\":2}", 2, Open),
                ],
                false,
            ),
            ("no\n[\n", &[("no", 1, Whole), ("[", 2, Whole)], false),
        ];
        for (text, records, is_cut) in cases {
            let records: Vec<_> = records
                .iter()
                .map(|(text, line, form)| ((*text).to_owned(), *line, *form))
                .collect();
            assert_eq!(all(text), (records, *is_cut), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        for (before, after) in [("", ""), ("[", "]"), ("{\n\"x\":", "}")] {
            let long = "a".repeat(MAX_RECORD.saturating_add(10));
            let text = format!("{before}{{\"a\":\"{long}\"}}{after}\n{{\"b\":2}}\n");
            let mut records = Records::new(text.as_bytes());
            let mut bytes = Vec::new();
            let first = records.next(&mut bytes).unwrap().unwrap();
            assert_eq!((first.form, bytes.len()), (Form::TooLong, 0));
            let second = records.next(&mut bytes).unwrap().unwrap();
            assert_eq!(second.form, Form::Whole);
            assert_eq!(bytes, b"{\"b\":2}");
            assert!(records.buffer.capacity() < 3 * MAX_RECORD);
            assert_eq!(records.next(&mut bytes).unwrap(), None);
        }
    }
}
