//! What is hidden of one text, and the text without it.

use super::{MASKED, Mask, shape, windows};
use std::ops::Range;

impl Mask {
    /// What is hidden of a text, in order, and apart.
    pub(super) fn hidden(&self, text: &str) -> Vec<Range<usize>> {
        let is_seen = self.fuel.takes(text.len());
        if (self.hides_all || !is_seen) && !text.is_empty() {
            let (start, end) = (0, text.len());
            return vec![Range { start, end }];
        }
        let mut hidden = self.seen(text);
        hidden.extend(shape::named(text, &self.places, &self.fuel));
        if text.contains('%') {
            hidden.extend(self.encoded(text));
            let named = shape::named_encoded(text, &self.places, &self.fuel);
            hidden.extend(named.into_iter().map(|(_, range)| range));
        }
        hidden.sort_unstable_by_key(|range| range.start);
        hidden
    }

    /// Credentials as they are, and whatever has a token's shape.
    fn seen(&self, text: &str) -> Vec<Range<usize>> {
        let mut seen = shape::tokens(text);
        if text.len() >= windows::WINDOW && !self.windows.is_empty() {
            let windows = self.windows.find(text);
            seen.extend(windows.map(|at| at..at.saturating_add(windows::WINDOW)));
        }
        if !self.short.is_empty() {
            let lower = text.to_ascii_lowercase();
            for short in &self.short {
                let found = lower.match_indices(short.as_str());
                let found = found.map(|(at, _)| at..at.saturating_add(short.len()));
                seen.extend(found.filter(|range| is_word(&lower, range)));
            }
        }
        seen
    }

    /// Pieces of a URL that hold one once they are decoded.
    fn encoded(&self, text: &str) -> Vec<Range<usize>> {
        const ENDS: [char; 9] = ['/', '?', '&', '=', ';', ',', '#', ' ', '"'];
        let mut hidden = Vec::new();
        let mut start = 0usize;
        for piece in text.split_inclusive(ENDS) {
            let own = piece.strip_suffix(ENDS).unwrap_or(piece);
            let range = start..start.saturating_add(own.len());
            start = start.saturating_add(piece.len());
            if !own.contains('%') {
                continue;
            }
            let plain = percent_encoding::percent_decode_str(own).decode_utf8_lossy();
            if !self.seen(&plain).is_empty() {
                hidden.push(range);
            }
        }
        hidden
    }
}

fn is_word(text: &str, range: &Range<usize>) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    !is_letter(before) && !is_letter(bytes.get(range.end))
}

/// The text with these ranges hidden, which are in order and may overlap.
pub(super) fn without(text: &str, hidden: Vec<Range<usize>>) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0usize;
    for range in hidden {
        let start = boundary(text, range.start, false).max(at);
        let end = boundary(text, range.end, true);
        if end <= at {
            continue;
        }
        // Where it goes on with what is hidden already, that is one.
        let between = text.get(at..start).unwrap_or_default();
        if !between.is_empty() || at == 0 {
            shown.push_str(between);
            shown.push_str(MASKED);
        }
        at = end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

/// The end of a character that this is within, or its start.
fn boundary(text: &str, at: usize, is_end: bool) -> usize {
    let mut ahead = at..=text.len();
    let found = match is_end {
        true => ahead.find(|at| text.is_char_boundary(*at)),
        false => (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at)),
    };
    found.unwrap_or(text.len())
}
