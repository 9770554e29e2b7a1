//! What a reference must look like before it is read: what others write around one is told as what it is,
//! and credentials are told to nobody.

use crate::Fault;

/// What is right in the place of what was found.
pub struct Right {
    pub example: &'static str,
    pub tag: &'static str,
}

pub const BUNDLE: Right = Right {
    example: "such as registry.example.com/policies/authz:v7",
    tag: "a tag behind it, or --tag",
};
pub const IMAGE: Right = Right {
    example: "such as registry.example.com/gates/portcullis:v1",
    tag: "a tag behind it, such as `:v1`",
};
pub const THERE: Right = Right {
    example: "such as registry.example.com/gates/portcullis:v1, or with @sha256:...",
    tag: "a tag behind it, such as `:v1`, or its digest, `@sha256:...`",
};

pub fn wrong(found: &str, why: &str, hint: &str) -> Fault {
    Fault::Reference {
        found: found.to_owned(),
        why: why.to_owned(),
        hint: hint.to_owned(),
    }
}

/// Without what URLs have before it. Credentials are looked for first: nothing that is said may show them.
pub fn is_bare(text: &str) -> Result<(), Fault> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if let Some(behind) = behind_credentials(rest) {
        let host = behind.split('/').next().unwrap_or_default();
        let hint = format!(
            "leave them out: those that `docker login {host}` stored are sent, from the Docker \
             configuration"
        );
        return Err(wrong(behind, "has credentials before its registry", &hint));
    }
    match scheme.is_empty() {
        true => Ok(()),
        false => Err(wrong(
            text,
            &format!("begins with `{scheme}://`"),
            &format!("leave out `{scheme}://`: {rest}"),
        )),
    }
}

/// A digest stands behind the last part; an `@` before it is a URL's.
fn behind_credentials(text: &str) -> Option<&str> {
    let (before, _) = text.rsplit_once('/').unwrap_or((text, ""));
    let at = text.get(before.rfind('@')?..)?;
    let behind = at.strip_prefix('@')?;
    (text.contains('/') || !behind.starts_with("sha")).then_some(behind)
}

/// Registries know no capital letters in the names of repositories.
pub fn is_small(text: &str) -> Result<(), Fault> {
    let (host, rest) = text.split_once('/').unwrap_or_default();
    let name = rest.split('@').next().unwrap_or_default();
    let repository = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    match repository.contains(|letter: char| letter.is_ascii_uppercase()) {
        true => Err(wrong(
            text,
            "has a capital letter in its repository",
            &format!("lower case: {host}/{}", repository.to_ascii_lowercase()),
        )),
        false => Ok(()),
    }
}

/// Elsewhere a name without a registry is Docker Hub's: nothing is sent there unasked.
pub fn registry_of(text: &str) -> Result<(), &'static str> {
    let host = text.split_once('/').map_or("", |(host, _)| host);
    if host.starts_with('[') {
        return Err("names its registry by an IPv6 address, and a host name is wanted");
    }
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && port.parse::<u16>().unwrap_or(0) == 0 {
        return Err("names a port that is none: there are those from 1 to 65535");
    }
    match host.contains(['.', ':']) || host == "localhost" {
        true => Ok(()),
        false => Err("names no registry"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::Target;

    #[test]
    fn credentials_in_a_reference_are_not_told() {
        for text in [
            "user:hunter2@localhost:5000/gates/x:1",
            "hunter2@localhost:5000/x:1",
            "oci://user:hunter2@localhost:5000/x:1",
            "user:hunter2@localhost:5000",
            "https://user:hunter2@localhost:5000",
            "user:a/hunter2@localhost:5000/x:1",
            "user:hunter2@@localhost:5000/x@sha256:00",
        ] {
            for found in [
                Target::parse(text, None, None),
                Target::of_image(text, None),
                Target::find(text, None),
            ] {
                let fault = found.unwrap_err();
                let told = format!("{fault} {}", fault.hint().unwrap());
                assert!(told.starts_with("`localhost:5000"), "{text}: {told}");
                assert!(told.contains("`docker login localhost:5000`"), "{told}");
                assert!(!told.contains("hunter2"), "{told}");
            }
        }
    }
}
