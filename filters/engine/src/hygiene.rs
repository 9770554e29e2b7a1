//! Header hygiene: a request that two hops could read differently goes no further.

use crate::{
    config::headers::Headers as Limits,
    fields::{is_token, is_twin},
    headers::Headers,
    query,
    request::Request,
    words::Reason,
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
    // Blanks around it, which are no part of a value here, and may be to the upstream.
    if request.first(":path") != headers.first(":path").map(str::as_bytes) {
        return Err(Reason::RequestMalformed);
    }
    let pseudo = [":authority", ":method", ":path", ":scheme"];
    let single = limits.single.iter().map(String::as_str).chain(pseudo);
    for name in single {
        if is_repeated(&headers, name) {
            return Err(Reason::HeadersRepeated);
        }
    }
    if has_two_hosts(&headers) {
        return Err(Reason::HeadersRepeated);
    }
    if nominates(&headers) || is_framed_twice(&headers) {
        return Err(Reason::HeadersInvalid);
    }
    if !limits.keep_method_override && is_overridden(limits, &headers) {
        return Err(Reason::RequestMalformed);
    }
    Ok(headers)
}

/// Envoy folds `Host` into `:authority`; where a host shows both, they must agree
/// (RFC 9113 section 8.3.1).
fn has_two_hosts(headers: &Headers<'_>) -> bool {
    headers.first(":authority").is_some_and(|authority| {
        headers
            .values("host")
            .any(|host| !host.eq_ignore_ascii_case(authority))
    })
}

/// What may stand in `connection` without naming a header of the request's own.
const OPTIONS: [&str; 6] = [
    "close",
    "keep-alive",
    "upgrade",
    "te",
    "http2-settings",
    "proxy-connection",
];

/// Whether the next hop would drop a header on the client's word (RFC 9110 section 7.6.1): one that
/// was checked here, or that the gate or the policy writes. Envoy drops such headers itself, so that
/// nobody sees them, but for upgrades, of which it forwards everything.
fn nominates(headers: &Headers<'_>) -> bool {
    headers
        .values("connection")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|option| {
            !option.is_empty() && !OPTIONS.iter().any(|own| own.eq_ignore_ascii_case(option))
        })
}

/// A body that ends at two places, or at none (RFC 9112 section 6.3).
fn is_framed_twice(headers: &Headers<'_>) -> bool {
    headers.first("content-length").is_some_and(|length| {
        headers.first("transfer-encoding").is_some()
            || length.is_empty()
            || !length.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Headers that frameworks take for the method, whatever the request line says.
const METHOD_OVERRIDES: [&str; 4] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "_method",
];

/// Whether an upstream may act on another method than the policy is asked about. A header that is
/// removed anyway does no harm.
fn is_overridden(limits: &Limits, headers: &Headers<'_>) -> bool {
    let method = headers.first(":method").unwrap_or("");
    let differs = |value: &str| !value.is_empty() && !value.eq_ignore_ascii_case(method);
    let by_header = headers
        .iter()
        .filter(|(name, _)| METHOD_OVERRIDES.iter().any(|own| is_twin(own, name)))
        .filter(|(name, _)| !limits.removes(name))
        .any(|(_, value)| differs(value));
    let (_, query) = query::split(headers.first(":path").unwrap_or(""));
    // Some parsers take `;` for `&` still.
    let by_query = query
        .unwrap_or("")
        .split(['&', ';'])
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .filter(|(key, _)| is_method_parameter(&query::lossy(key)))
        .any(|(_, value)| differs(&query::lossy(value)));
    by_header || by_query
}

/// `_method`, and what PHP makes of other names: `.` and `[` become `_` in them.
fn is_method_parameter(key: &str) -> bool {
    key.strip_suffix("method")
        .is_some_and(|start| matches!(start, "_" | "." | "["))
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
            value.contains(',') && outside_quotes(value).skip(1).any(starts_with_scheme)
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
        Some((word, rest)) => is_token(word) && !rest.trim_start().starts_with('='),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{outside_quotes, starts_with_scheme};
    use crate::{Attributes, Gate, Incoming, Moment, Request, words::Reason};

    #[test]
    fn a_path_with_blanks_around_it_is_no_other_path() {
        let document =
            br#"{"policy": {"modules": {"a.rego": "package envoy.authz\nallow := true"}}}"#;
        let gate = Gate::load(document, &|_: &str| None).unwrap();
        for (path, reason) in [
            ("/a", Reason::PolicyAllowed),
            ("/a ", Reason::RequestMalformed),
            (" /a", Reason::RequestMalformed),
            ("/a\t", Reason::RequestMalformed),
        ] {
            let headers: [(&str, &[u8]); 3] = [
                (":method", b"GET"),
                (":authority", b"gate.test"),
                (":path", path.as_bytes()),
            ];
            let request = Request {
                headers: &headers,
                attributes: Attributes::default(),
                body: Incoming::None,
            };
            let moment = Moment {
                now_ns: 1,
                decision_id: "d",
            };
            let decision = gate.decide(&request, &moment);
            assert_eq!(decision.record.reason, reason, "{path:?}");
        }
    }

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
