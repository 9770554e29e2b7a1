//! What is asked of bodies, of the document or of one of its routes.

use super::raw;
use crate::error::Findings;
use serde::Deserialize;

/// Whether a body must bring its digest (RFC 9530).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    Off,
    IfPresent,
    /// Of every request that has a body.
    Required,
}

/// What becomes of a request whose body has to be looked at, until it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The upstream sees nothing of it.
    Headers,
    /// The upstream may see its headers and a part of its body before it is refused.
    Stream,
    /// It is refused.
    Refuse,
}

#[derive(Clone, Debug)]
pub struct Rules {
    pub digest: Digest,
    /// Whether the policy sees it.
    pub parse: bool,
    pub max_bytes: u64,
    pub hold: Hold,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            digest: Digest::Off,
            parse: false,
            max_bytes: 1 << 20,
            hold: Hold::Headers,
        }
    }
}

impl Rules {
    /// Whether any body is.
    pub fn is_looked_at(&self) -> bool {
        self.parse || self.digest != Digest::Off
    }

    /// These, as far as `raw` says nothing else.
    pub fn overridden(&self, raw: &raw::Body, path: &str, findings: &mut Findings) -> Rules {
        let rules = Rules {
            digest: raw.digest.unwrap_or(self.digest),
            parse: raw.parse.unwrap_or(self.parse),
            max_bytes: raw.max_bytes.map_or(self.max_bytes, |size| size.0),
            hold: raw.hold.unwrap_or(self.hold),
        };
        if rules.max_bytes == 0 || rules.max_bytes > MOST {
            findings.add(
                format!("{path}.max_bytes"),
                format!("found {}; takes a size from 1B to 64MiB", rules.max_bytes),
            );
        }
        if rules.parse && rules.hold == Hold::Stream {
            findings.add(
                format!("{path}.hold"),
                "is `stream`, and the policy is then asked before the body has come; takes `headers` or \
                 `refuse` with `parse: true`",
            );
        }
        rules
    }
}

/// A worker may hold this much of each request.
const MOST: u64 = 64 << 20;
