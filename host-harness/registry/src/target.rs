//! What stands where in a registry: `registry/repository:tag`.

use crate::{
    Digest, Fault,
    reference::{BUNDLE, IMAGE, Right, THERE, is_bare, is_small, registry_of, wrong},
};
use oci_client::Reference;
use std::net::IpAddr;

/// A name in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    reference: Reference,
    is_plain: bool,
}

impl Target {
    /// Of a reference, and a tag where it has none itself. Without a word about `plain_http` a registry
    /// on this machine is spoken to in plain HTTP, and no other one.
    ///
    /// # Errors
    /// Where it is none, names no registry or a digest, or has no tag or two.
    pub fn parse(text: &str, tag: Option<&str>, plain_http: Option<bool>) -> Result<Target, Fault> {
        Target::tagged_by(text, tag, plain_http, &BUNDLE)
    }

    /// Of a reference to where an image goes, as [`Target::parse`] reads it.
    ///
    /// # Errors
    /// Where it is none, names no registry or a digest, or has no tag.
    pub fn of_image(text: &str, plain_http: Option<bool>) -> Result<Target, Fault> {
        Target::tagged_by(text, None, plain_http, &IMAGE)
    }

    fn tagged_by(
        text: &str,
        tag: Option<&str>,
        plain_http: Option<bool>,
        right: &Right,
    ) -> Result<Target, Fault> {
        let wrong = |why: &str, hint: &str| wrong(text, why, hint);
        is_bare(text)?;
        if text.contains('@') {
            return Err(wrong(
                "names a digest",
                "what is pushed has a tag; its digest follows",
            ));
        }
        registry_of(text).map_err(|why| wrong(why, right.example))?;
        is_small(text)?;
        let own = text
            .rsplit_once('/')
            .and_then(|(_, name)| name.split_once(':'));
        let full = match (own, tag) {
            (Some((_, own)), Some(tag)) if own != tag => {
                return Err(wrong(
                    "has a tag already, and --tag names another",
                    right.example,
                ));
            }
            (Some(_), _) => text.to_owned(),
            (None, Some(tag)) => format!("{text}:{tag}"),
            (None, None) => {
                return Err(wrong("has no tag", right.tag));
            }
        };
        let reference: Reference = full
            .parse()
            .map_err(|error| wrong(&format!("is no reference ({error})"), right.example))?;
        let is_plain = plain_http.unwrap_or_else(|| is_loopback(reference.registry()));
        Ok(Target {
            reference,
            is_plain,
        })
    }

    /// Of a reference to what is there, by its tag or its digest: of both, the digest counts.
    ///
    /// # Errors
    /// Where it is none, names no registry, or has neither.
    pub fn find(text: &str, plain_http: Option<bool>) -> Result<Target, Fault> {
        let wrong = |why: &str| wrong(text, why, THERE.example);
        if !text.contains('@') {
            return Target::tagged_by(text, None, plain_http, &THERE);
        }
        is_bare(text)?;
        registry_of(text).map_err(wrong)?;
        is_small(text)?;
        let reference: Reference = text
            .parse()
            .map_err(|error| wrong(&format!("is no reference ({error})")))?;
        let digest = reference.digest().unwrap_or_default();
        Digest::try_from(digest.to_owned()).map_err(|why| wrong(&format!("has none ({why})")))?;
        let is_plain = plain_http.unwrap_or_else(|| is_loopback(reference.registry()));
        Ok(Target {
            reference,
            is_plain,
        })
    }

    /// With its port, where it has one.
    pub fn host(&self) -> &str {
        self.reference.registry()
    }

    /// As it was asked for.
    pub fn name(&self) -> String {
        self.reference.whole()
    }

    /// The tag, or the digest, by which it is asked for.
    pub(crate) fn own_name(&self) -> &str {
        let tag = || self.reference.tag().unwrap_or_default();
        self.reference.digest().unwrap_or_else(tag)
    }

    /// `host/repository`, without a tag.
    pub fn repository(&self) -> String {
        let (host, repository) = (self.reference.registry(), self.reference.repository());
        format!("{host}/{repository}")
    }

    /// Another name in the same repository.
    pub(crate) fn tagged(&self, name: &str) -> Reference {
        Reference::with_tag(
            self.reference.registry().to_owned(),
            self.reference.repository().to_owned(),
            name.to_owned(),
        )
    }

    /// By a digest, as a gate or a deployment pins it.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", self.repository())
    }

    /// Whether it is spoken to without TLS.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether the registry is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.reference.registry())
    }

    /// Of what is below `/v2/`.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/{path}", self.reference.resolve_registry())
    }

    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }
}

fn is_loopback(registry: &str) -> bool {
    let name = match registry.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => registry,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse().is_ok_and(|it: IpAddr| it.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_complete() {
        type Case = (
            &'static str,
            Option<&'static str>,
            Result<(&'static str, bool), &'static str>,
        );
        let cases: &[Case] = &[
            (
                "localhost:5000/authz:v1",
                None,
                Ok(("localhost:5000/authz:v1", true)),
            ),
            (
                "127.0.0.1:5000/a/b",
                Some("v1"),
                Ok(("127.0.0.1:5000/a/b:v1", true)),
            ),
            (
                "localhost/authz:v1",
                Some("v1"),
                Ok(("localhost/authz:v1", true)),
            ),
            ("127.0.0.2/authz:v1", None, Ok(("127.0.0.2/authz:v1", true))),
            (
                "registry.example.com/authz:v1",
                None,
                Ok(("registry.example.com/authz:v1", false)),
            ),
            (
                "localhost.example.com/a:v1",
                None,
                Ok(("localhost.example.com/a:v1", false)),
            ),
            (
                "10.0.0.1:5000/authz:v1",
                None,
                Ok(("10.0.0.1:5000/authz:v1", false)),
            ),
            ("localhost:5000/authz", None, Err("has no tag")),
            (
                "localhost:5000/authz:v1",
                Some("v2"),
                Err("has a tag already"),
            ),
            ("policies/authz:v1", None, Err("names no registry")),
            ("[::1]:5000/authz:v1", None, Err("by an IPv6 address")),
            ("[::1]/authz:v1", None, Err("by an IPv6 address")),
            ("localhost:99999/authz:v1", None, Err("a port that is none")),
            ("localhost:0/authz:v1", None, Err("a port that is none")),
            ("authz:v1", None, Err("names no registry")),
            ("localhost:5000/Authz:v1", None, Err("has a capital letter")),
            (
                "localhost:5000/a/B",
                Some("V1"),
                Err("has a capital letter"),
            ),
            (
                "localhost:5000/a:V1",
                None,
                Ok(("localhost:5000/a:V1", true)),
            ),
            ("localhost:5000/authz:v 1", None, Err("is no reference")),
            (
                "https://localhost:5000/authz:v1",
                None,
                Err("begins with `https://`"),
            ),
            (
                "localhost:5000/authz@sha256:00",
                None,
                Err("names a digest"),
            ),
            ("", None, Err("names no registry")),
        ];
        for (text, tag, wanted) in cases {
            match (Target::parse(text, *tag, None), wanted) {
                (Ok(target), Ok(wanted)) => {
                    assert_eq!((&*target.name(), target.is_plain()), *wanted, "{text}");
                }
                (Err(fault), Err(words)) => {
                    assert!(fault.to_string().contains(words), "{text}: {fault}");
                }
                (found, _) => assert!(found.is_err() && wanted.is_err(), "{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn what_is_there_has_a_tag_or_a_digest() {
        let digest = Digest::of(b"");
        let found = |text: &str| Target::find(text, None).map(|it| it.own_name().to_owned());
        for (name, wanted) in [
            (":v1".to_owned(), "v1"),
            (format!("@{digest}"), digest.as_str()),
            (format!(":v1@{digest}"), digest.as_str()),
        ] {
            let text = format!("localhost:5000/gates/a{name}");
            assert_eq!(found(&text).unwrap(), wanted, "{text}");
        }
        for (text, wanted) in [
            ("localhost:5000/a".to_owned(), "has no tag"),
            (format!("a@{digest}"), "names no registry"),
            (format!("localhost:65536/a@{digest}"), "a port that is none"),
            ("localhost:5000/a@sha256:00".to_owned(), "is no reference"),
            ("localhost:5000/a@".to_owned(), "is no reference"),
            (
                format!("localhost:5000/a@sha512:{0}{0}", digest.hex()),
                "no digest of the form",
            ),
        ] {
            let fault = found(&text).unwrap_err().to_string();
            assert!(fault.contains(wanted), "{text}: {fault}");
        }
    }

    #[test]
    fn who_asks_gets_plain_http_or_none() {
        let plain = |text, asked| Target::parse(text, None, asked).unwrap().is_plain();
        assert!(plain("registry.example.com/a:v1", Some(true)));
        assert!(!plain("localhost:5000/a:v1", Some(false)));
    }
}
