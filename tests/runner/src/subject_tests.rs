//! What a client writes of a body, and in which pieces.

use super::{Exchange, Framing};

fn posted(body: &str, framing: Framing) -> Exchange {
    Exchange {
        method: "POST".into(),
        path: "/".into(),
        lines: vec![("host".into(), b"gate.test".to_vec())],
        shown: Vec::new(),
        body: body.into(),
        framing,
        route: String::new(),
        virtual_host: String::new(),
        route_metadata: Vec::new(),
        tls: None,
    }
}

fn writes(body: &str, framing: Framing) -> Vec<String> {
    let writes = posted(body, framing).writes();
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    writes.iter().map(text).collect()
}

const HEAD: &str = "POST / HTTP/1.1\r\nhost: gate.test\r\n\r\n";

#[test]
fn pieces_are_written_one_by_one() {
    let whole = writes("abcde", Framing::default());
    assert_eq!(whole, [format!("{HEAD}abcde")]);
    let pieces = |pieces: &[usize]| Framing {
        pieces: pieces.to_vec(),
        ..Framing::default()
    };
    assert_eq!(writes("abcde", pieces(&[2, 1])), [HEAD, "ab", "c", "de"]);
    assert_eq!(writes("abc", pieces(&[2, 7])), [HEAD, "ab", "c"]);
}

#[test]
fn chunks_have_sizes_and_an_end() {
    let chunked = |pieces: &[usize], trailers: &[(&str, &str)]| Framing {
        chunked: true,
        pieces: pieces.to_vec(),
        trailers: trailers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        ..Framing::default()
    };
    let end = "0\r\n\r\n";
    assert_eq!(writes("", chunked(&[], &[])), [format!("{HEAD}{end}")]);
    let pieces = writes("0123456789abc", chunked(&[1], &[]));
    assert_eq!(pieces, [HEAD, "1\r\n0\r\n", "c\r\n123456789abc\r\n", end]);
    let trailers = writes("a", chunked(&[1], &[("x-sum", "1")]));
    assert_eq!(trailers, [HEAD, "1\r\na\r\n", "0\r\nx-sum: 1\r\n\r\n"]);
}

#[test]
fn a_body_that_is_announced_does_not_end_with_its_headers() {
    let mut exchange = posted("", Framing::default());
    assert!(exchange.ends_at_its_headers());
    exchange.framing.chunked = true;
    assert!(!exchange.ends_at_its_headers());
    exchange.framing.chunked = false;
    exchange
        .lines
        .push(("content-length".into(), b"0".to_vec()));
    assert!(exchange.ends_at_its_headers());
    exchange
        .lines
        .push(("content-length".into(), b"4".to_vec()));
    assert!(!exchange.ends_at_its_headers());
}
