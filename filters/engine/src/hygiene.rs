//! Header hygiene: a request that two hops could read differently goes no further.

use crate::{
    config::headers::Headers as Limits, headers::Headers, request::Request, words::Reason,
};

/// Counts and sizes first, so that nothing below works on more than was allowed.
pub fn check<'a>(limits: &Limits, request: &Request<'a>) -> Result<Headers<'a>, Reason> {
    let bytes = request.headers.iter().fold(0usize, |sum, (name, value)| {
        sum.saturating_add(name.len()).saturating_add(value.len())
    });
    if request.headers.len() > limits.max_count || bytes > limits.max_bytes {
        return Err(Reason::HeadersTooLarge);
    }
    let headers = Headers::parse(request).map_err(|_| Reason::HeadersInvalid)?;
    let pseudo = [":authority", ":method", ":path", ":scheme"];
    let single = limits.single.iter().map(String::as_str).chain(pseudo);
    for name in single {
        if is_repeated(&headers, name) {
            return Err(Reason::HeadersRepeated);
        }
    }
    Ok(headers)
}

/// A host may have folded repeated lines into one with commas, as Envoy does for some.
fn is_repeated(headers: &Headers<'_>, name: &str) -> bool {
    let mut values = headers.values(name);
    let first = values.next();
    if values.next().is_some() {
        return true;
    }
    match (name, first) {
        (_, None) => false,
        (":authority" | "host" | "content-length", Some(value)) => value.contains(','),
        ("authorization" | "proxy-authorization", Some(value)) => {
            outside_quotes(value).skip(1).any(starts_with_scheme)
        }
        _ => false,
    }
}

/// The parts between commas that no quoted string holds (RFC 9110 section 5.6.4).
fn outside_quotes(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    })
}

/// `Bearer x` does, the parameter `realm="a b"` does not (RFC 9110 section 11.4).
fn starts_with_scheme(part: &str) -> bool {
    let part = part.trim_start();
    match part.split_once([' ', '\t']) {
        Some((word, rest)) => crate::fields::is_token(word) && !rest.trim_start().starts_with('='),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{outside_quotes, starts_with_scheme};

    #[test]
    fn commas_in_quotes_part_nothing() {
        let parts: Vec<_> =
            outside_quotes(r#"Digest realm="a, b c\", d", nc=1,Bearer x"#).collect();
        assert_eq!(
            parts,
            [r#"Digest realm="a, b c\", d""#, " nc=1", "Bearer x"]
        );
    }

    #[test]
    fn tells_a_second_scheme_from_a_parameter() {
        for second in ["Bearer x", " Bearer  x", "a.b c"] {
            assert!(starts_with_scheme(second), "{second}");
        }
        for parameter in [
            " realm=\"a b\"",
            "SignedHeaders=host;x",
            "nc=1",
            " x = y",
            "",
        ] {
            assert!(!starts_with_scheme(parameter), "{parameter}");
        }
    }
}
