//! The peer of the TLS connection, known by the certificate that it showed.
//!
//! A host tells that a certificate was shown, not that it is good: Envoy can be told to accept any
//! (`trust_chain_verification: ACCEPT_UNTRUSTED`). Envoy 1.39 and newer have
//! `connection.peer_certificate_valid` too, but it is false on every resumed session, whoever
//! resumes it. So what counts is the operator's word that listeners validate.

use crate::{
    config::peer::Trust,
    request::{Attributes, PeerCertificate},
};

/// Proof that the peer holds a certificate of which its operator says that the proxy validated it.
/// Only [`verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedPeer<'r> {
    spiffe_id: Option<&'r str>,
    uri_san: Option<&'r str>,
    dns_san: Option<&'r str>,
    subject: Option<&'r str>,
    fingerprint: Option<&'r str>,
    principal: Option<&'r str>,
}

impl<'r> VerifiedPeer<'r> {
    /// The URI SAN, where it is a SPIFFE ID.
    pub fn spiffe_id(&self) -> Option<&'r str> {
        self.spiffe_id
    }

    pub fn uri_san(&self) -> Option<&'r str> {
        self.uri_san
    }

    pub fn dns_san(&self) -> Option<&'r str> {
        self.dns_san
    }

    pub fn subject(&self) -> Option<&'r str> {
        self.subject
    }

    pub fn fingerprint(&self) -> Option<&'r str> {
        self.fingerprint
    }

    /// What Envoy's `ext_authz`, and so opa-envoy, calls the peer: its URI SAN, else its DNS SAN,
    /// else its subject.
    pub fn principal(&self) -> Option<&'r str> {
        self.principal
    }
}

/// What is proven of the peer: nothing without trust, nor of a peer that showed no certificate.
pub fn verify<'r>(trust: Trust, attributes: &Attributes<'r>) -> Option<VerifiedPeer<'r>> {
    let shown = match trust {
        Trust::None => return None,
        Trust::ValidatedByProxy => attributes.peer.as_ref()?,
    };
    let uri_san = text(shown.uri_san);
    let peer = VerifiedPeer {
        spiffe_id: uri_san.filter(|uri| is_spiffe_id(uri)),
        uri_san,
        dns_san: text(shown.dns_san),
        subject: text(shown.subject),
        fingerprint: text(shown.sha256).filter(|digest| is_sha256(digest)),
        principal: principal(shown),
    };
    let facts = [peer.uri_san, peer.dns_san, peer.subject, peer.fingerprint];
    facts.iter().any(Option::is_some).then_some(peer)
}

/// Control characters are in no name that anybody means: a NUL in one has fooled its readers before.
fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?)
        .ok()
        .filter(|text| !text.is_empty() && !text.contains(char::is_control))
}

/// A name that is there but is no text does not make room for the next: the certificate's holder
/// would choose which of its names counts.
fn principal<'r>(shown: &PeerCertificate<'r>) -> Option<&'r str> {
    let names = [shown.uri_san, shown.dns_san, shown.subject];
    text(names.into_iter().flatten().find(|name| !name.is_empty()))
}

fn is_sha256(digest: &str) -> bool {
    digest.len() == 64
        && digest
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// SPIFFE-ID sections 2 to 2.3.
fn is_spiffe_id(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("spiffe://") else {
        return false;
    };
    let (trust_domain, path) = match rest.split_once('/') {
        Some((trust_domain, path)) => (trust_domain, Some(path)),
        None => (rest, None),
    };
    let in_trust_domain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    let in_segment = |b: u8| in_trust_domain(b) || b.is_ascii_uppercase();
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(in_segment);
    uri.len() <= 2048
        && (1..=255).contains(&trust_domain.len())
        && trust_domain.bytes().all(in_trust_domain)
        && path.is_none_or(|path| path.split('/').all(is_segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> PeerCertificate<'static> {
        PeerCertificate {
            uri_san: Some(b"spiffe://example.org/orders"),
            dns_san: Some(b"orders.example.org"),
            subject: Some(b"CN=orders"),
            sha256: Some(&[b'a'; 64]),
        }
    }

    fn trusted(certificate: PeerCertificate<'_>) -> Option<VerifiedPeer<'_>> {
        let attributes = Attributes {
            peer: Some(certificate),
            ..Attributes::default()
        };
        verify(Trust::ValidatedByProxy, &attributes)
    }

    #[test]
    fn nothing_is_proven_without_trust_or_certificate() {
        let attributes = Attributes {
            peer: Some(shown()),
            ..Attributes::default()
        };
        assert_eq!(verify(Trust::None, &attributes), None);
        assert_eq!(
            verify(Trust::ValidatedByProxy, &Attributes::default()),
            None
        );
        assert_eq!(trusted(PeerCertificate::default()), None);
    }

    #[test]
    fn what_is_no_text_is_absent() {
        for bytes in [
            b"".as_slice(),
            b"\xff",
            b"spiffe://example.org/a\xc3",
            b"good.example\0.evil",
            b"a\r\nb",
        ] {
            let peer = trusted(PeerCertificate {
                uri_san: Some(bytes),
                dns_san: Some(bytes),
                subject: Some(bytes),
                ..shown()
            })
            .unwrap();
            let facts = [peer.spiffe_id, peer.uri_san, peer.dns_san, peer.subject];
            assert_eq!(facts, [None; 4], "{bytes:?}");
            assert_eq!(peer.principal, None, "{bytes:?}");
            assert!(peer.fingerprint.is_some());
        }
        for digest in [[b'A'; 64].as_slice(), &[b'g'; 64], &[b'a'; 63]] {
            let peer = trusted(PeerCertificate {
                sha256: Some(digest),
                ..shown()
            });
            assert_eq!(peer.unwrap().fingerprint, None, "{digest:?}");
        }
    }

    #[test]
    fn the_principal_is_the_first_name_there_is() {
        let principal = |certificate| trusted(certificate).unwrap().principal;
        assert_eq!(principal(shown()), Some("spiffe://example.org/orders"));
        let mut certificate = shown();
        certificate.uri_san = Some(b"\xff");
        assert_eq!(principal(certificate), None, "the next must not step in");
        certificate.uri_san = Some(b"");
        assert_eq!(principal(certificate), Some("orders.example.org"));
        certificate.dns_san = None;
        assert_eq!(principal(certificate), Some("CN=orders"));
    }

    #[test]
    fn a_spiffe_id_is_of_the_specified_form() {
        let long = |length: usize| format!("spiffe://example.org/{}", "a".repeat(length - 21));
        for id in [
            "spiffe://example.org",
            "spiffe://example.org/ns/a/sa/B.c-d_1",
            "spiffe://trust_domain-1/...",
            "spiffe://10.0.0.1/a",
            &format!("spiffe://{}", "a".repeat(255)),
            &long(2048),
        ] {
            assert!(is_spiffe_id(id), "{id}");
        }
        for other in [
            "",
            "spiffe://",
            "spiffe:///a",
            "spiffe:/example.org/a",
            "SPIFFE://example.org/a",
            "https://example.org/a",
            "spiffe://Example.org/a",
            "spiffe://example.org:443/a",
            "spiffe://user@example.org/a",
            "spiffe://[::1]/a",
            "spiffe://example.org/",
            "spiffe://example.org/a/",
            "spiffe://example.org//a",
            "spiffe://example.org/./a",
            "spiffe://example.org/a/..",
            "spiffe://example.org/a?b",
            "spiffe://example.org?b",
            "spiffe://example.org/a#b",
            "spiffe://example.org#b",
            "spiffe://example.org/a%2fb",
            "spiffe://example.org/\u{e4}",
            " spiffe://example.org/a",
            &format!("spiffe://{}", "a".repeat(256)),
            &long(2049),
        ] {
            assert!(!is_spiffe_id(other), "{other}");
        }
    }
}
