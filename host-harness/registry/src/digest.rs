//! Digests: SHA-256, which every registry has (OCI Image Specification 1.1, descriptor.md).

use portcullis_crypto::sha256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `sha256:` and 64 hexadecimal digits in small letters: fit for a path, a URL and a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(String);

const PREFIX: &str = "sha256:";
const DIGITS: usize = 64;

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        let hex = base16ct::lower::encode_string(&sha256(bytes));
        Digest(format!("{PREFIX}{hex}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the name of its algorithm.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or_default()
    }

    /// As the tags of signatures and of referrers begin: no tag may have a colon.
    pub fn as_tag(&self) -> String {
        format!("sha256-{}", self.hex())
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_one = text
            .strip_prefix(PREFIX)
            .is_some_and(|hex| hex.len() == DIGITS && hex.bytes().all(is_digit));
        match is_one {
            true => Ok(Digest(text)),
            // It comes from elsewhere, and may be long.
            false => Err(format!(
                "`{}` is no digest of the form sha256:<64 hexadecimal digits>",
                text.chars()
                    .take(80)
                    .flat_map(char::escape_debug)
                    .collect::<String>()
            )),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_one_form() {
        let good = Digest::of(b"").to_string();
        assert_eq!(
            good,
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            Digest::try_from(good.clone()).map(|it| it.0),
            Ok(good.clone())
        );
        let digits = good.trim_start_matches(PREFIX);
        for bad in [
            String::new(),
            digits.to_owned(),
            format!("sha512:{digits}"),
            format!("{good}0"),
            good.to_uppercase(),
            good.replace('e', "E"),
            good.replace("e3b0", "../."),
        ] {
            assert!(Digest::try_from(bad.clone()).is_err(), "{bad}");
        }
    }
}
