//! Whether a certificate is one of a host, as Go tells it (RFC 6125 section 6.4).

use super::Certificate;
use std::net::IpAddr;

impl Certificate {
    pub(super) fn is_of_host(&self, host: &str) -> bool {
        let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if let Ok(address) = bracketed.unwrap_or(host).parse::<IpAddr>() {
            return self.extensions.names.addresses.iter().any(|bytes| {
                let named = match bytes.len() {
                    4 => <[u8; 4]>::try_from(&**bytes).map(IpAddr::from).ok(),
                    _ => <[u8; 16]>::try_from(&**bytes).map(IpAddr::from).ok(),
                };
                named.is_some_and(|named| named.to_canonical() == address.to_canonical())
            });
        }
        let host = host.to_ascii_lowercase();
        let is_name = is_host_name(&host, false);
        self.extensions.names.dns.iter().any(|pattern| {
            match is_name && is_host_name(pattern, true) {
                true => matches(pattern, &host),
                false => !host.is_empty() && pattern.eq_ignore_ascii_case(&host),
            }
        })
    }
}

fn is_host_name(host: &str, pattern: bool) -> bool {
    let host = match pattern {
        true => host,
        false => host.strip_suffix('.').unwrap_or(host),
    };
    if host.is_empty() || host == "*" {
        return false;
    }
    host.split('.').enumerate().all(|(position, part)| {
        if pattern && position == 0 && part == "*" {
            return true;
        }
        !part.is_empty()
            && part.bytes().enumerate().all(|(at, byte)| match byte {
                b'-' => at != 0,
                b'_' => true,
                byte => byte.is_ascii_alphanumeric(),
            })
    })
}

fn matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (mut patterns, mut parts) = (pattern.split('.'), host.split('.'));
    let first = match (patterns.next(), parts.next()) {
        (Some("*"), Some(_)) => true,
        (Some(pattern), Some(part)) => pattern.eq_ignore_ascii_case(part),
        _ => false,
    };
    let rest = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    first
        && loop {
            match (patterns.next(), parts.next()) {
                (None, None) => break true,
                (Some(pattern), Some(part)) if rest(pattern, part) => {}
                _ => break false,
            }
        }
}
