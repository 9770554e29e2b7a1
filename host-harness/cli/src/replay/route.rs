//! A path with what differs from request to request taken out, so that requests of one kind are one
//! group.

/// Of a path; more of them say nothing more.
const MAX_SEGMENTS: usize = 12;
/// A name is shorter.
const MAX_NAME: usize = 40;
/// Hex digits, and characters of Base64, of which there are so many are an id.
const MIN_HEX: usize = 8;
const MIN_BASE64: usize = 20;

/// A path without what may follow it: a query, a fragment, a parameter of its last segment (RFC 3986
/// sections 3.3 to 3.5), or one of these in disguise. Credentials stand there.
pub fn plain(path: &str) -> &str {
    let path = match path.split_once("://") {
        // As a proxy is asked: whoever asks may stand before the host.
        Some((_, rest)) => match rest.find('/') {
            Some(slash) => rest.get(slash..).unwrap_or("/"),
            None => "/",
        },
        None => path,
    };
    let end = path.char_indices().find(|(at, character)| {
        let escaped = || {
            let digits = path.get(at.saturating_add(1)..at.saturating_add(3));
            digits.is_some_and(|digits| {
                ["3f", "23", "3b"]
                    .iter()
                    .any(|escape| digits.eq_ignore_ascii_case(escape))
            })
        };
        matches!(character, '?' | '#' | ';') || (*character == '%' && escaped())
    });
    let end = end.map_or(path.len(), |(at, _)| at);
    path.get(..end).unwrap_or_default()
}

/// `/orders/{id}` of `/orders/7`.
pub fn template(path: &str) -> String {
    let mut segments = path.split('/');
    let mut shown: Vec<&str> = segments
        .by_ref()
        .take(MAX_SEGMENTS)
        .map(|segment| match is_id(segment) {
            true => "{id}",
            false => segment,
        })
        .collect();
    if segments.next().is_some() {
        shown.push("...");
    }
    shown.join("/")
}

/// Numbers, dates, UUIDs, digests, keys, addresses.
fn is_id(segment: &str) -> bool {
    let all = |is: fn(u8) -> bool| segment.bytes().all(is);
    let any = |is: fn(u8) -> bool| segment.bytes().any(is);
    let digits = any(|byte| byte.is_ascii_digit());
    let numbers = digits
        && all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b',' | b':' | b'_'));
    let hex =
        segment.len() >= MIN_HEX && digits && all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let base64 = segment.len() >= MIN_BASE64
        && digits
        && all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'=' | b'.' | b'~')
        });
    numbers || hex || base64 || segment.contains('@') || segment.chars().count() > MAX_NAME
}

#[cfg(test)]
mod tests {
    use super::{plain, template};

    #[test]
    fn what_differs_becomes_one() {
        for (path, route) in [
            ("/", "/"),
            ("*", "*"),
            ("", ""),
            ("/orders", "/orders"),
            ("/orders/", "/orders/"),
            ("/orders/7", "/orders/{id}"),
            ("/orders/2026-11-27/lines/1.5", "/orders/{id}/lines/{id}"),
            ("/o/3f2b6c1e-0d61-4b9a-9b0e-1c2d3e4f5a6b/x", "/o/{id}/x"),
            ("/o/deadbeef", "/o/deadbeef"),
            ("/o/deadbee1", "/o/{id}"),
            ("/api/v4/items", "/api/v4/items"),
            ("/u/alice@example.com", "/u/{id}"),
            ("/t/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/t/{id}"),
            ("/t/eyJhbGciOiJub25lIn0.eyJzdWIiOjF9", "/t/{id}"),
            (
                "/a-rather-long-name-for-a-resource",
                "/a-rather-long-name-for-a-resource",
            ),
            ("/a/b/c/d/e/f/g/h/i/j/k/l/m", "/a/b/c/d/e/f/g/h/i/j/k/..."),
        ] {
            assert_eq!(template(path), route, "{path}");
        }
        assert_eq!(template(&format!("/{}", "é".repeat(41))), "/{id}");
    }

    #[test]
    fn what_follows_a_path_is_not_shown() {
        for (path, shown) in [
            ("/a?b=c", "/a"),
            ("/a#b", "/a"),
            ("/a;jsessionid=b/c", "/a"),
            ("/a%3Fb=c", "/a"),
            ("/a%3bb=c", "/a"),
            ("/a%20b", "/a%20b"),
            ("/a%", "/a%"),
            ("/a%é", "/a%é"),
            ("http://user:password@host/a?b", "/a"),
            ("http://user:password@host", "/"),
            ("*", "*"),
        ] {
            assert_eq!(plain(path), shown, "{path}");
        }
    }
}
