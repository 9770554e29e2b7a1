//! What a path means, read here without a word of the gate's own code.

use std::collections::BTreeSet;

/// The path and its query with the `?`.
pub fn split(target: &[u8]) -> (&[u8], &[u8]) {
    let end = target.iter().position(|byte| *byte == b'?');
    target.split_at(end.unwrap_or(target.len()))
}

/// What `%XX` stands for; what is broken stays.
pub fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits
            .filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                plain.push(byte);
                rest = &after[2..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// As opa-envoy-plugin does: unescaped, leading slashes off, split.
pub fn segments(target: &[u8]) -> Vec<String> {
    let plain = unescaped(split(target).0);
    let plain = String::from_utf8_lossy(&plain).into_owned();
    let plain = plain.trim_start_matches('/');
    plain.split('/').map(str::to_owned).collect()
}

/// Where some upstream may take a path to: unescaped once or twice, backslashes for slashes or not, parameters
/// dropped or not; then slashes merged and dot segments resolved. A slash at the end counts.
pub fn readings(target: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut readings = Vec::new();
    for times in 1..=2 {
        for (backslashes, parameters) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let mut path = split(target).0.to_vec();
            for _ in 0..times {
                path = unescaped(&path);
            }
            let is_slash = |byte: &u8| *byte == b'/' || (backslashes && *byte == b'\\');
            let mut read: Vec<Vec<u8>> = Vec::new();
            for segment in path.split(is_slash) {
                let segment = match segment.iter().position(|byte| *byte == b';') {
                    Some(end) if parameters => &segment[..end],
                    _ => segment,
                };
                match segment {
                    b"" | b"." => {}
                    b".." => drop(read.pop()),
                    segment => read.push(segment.to_vec()),
                }
            }
            if path.last().is_some_and(is_slash) {
                read.push(Vec::new());
            }
            readings.push(read);
        }
    }
    readings
}

/// Which of the gate's routes a path is for.
pub fn route(read: &[Vec<u8>]) -> &'static str {
    match read.first().map(Vec::as_slice) {
        Some(b"healthz") if read.len() == 1 => "off",
        Some(b"open") => "open",
        Some(b"closed") => "closed",
        _ => "none",
    }
}

/// The names of a query's parameters, as `net/url` of Go has them.
pub fn parameters(query: &[u8]) -> BTreeSet<String> {
    let query = query.strip_prefix(b"?").unwrap_or(query);
    let pieces = query.split(|byte| *byte == b'&');
    pieces
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let name = piece.split(|byte| *byte == b'=').next().unwrap();
            let spaced: Vec<u8> = name
                .iter()
                .map(|byte| if *byte == b'+' { b' ' } else { *byte })
                .collect();
            String::from_utf8_lossy(&unescaped(&spaced)).into_owned()
        })
        .collect()
}
