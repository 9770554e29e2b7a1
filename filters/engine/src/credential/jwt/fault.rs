//! Why a token is refused: a code for everybody, a detail for logs, and what its client is told.

use crate::words::Reason;

/// A token that is not good.
#[derive(Debug)]
pub struct Fault {
    pub reason: Reason,
    /// For logs. What the client wrote stands in it only as [`quoted`].
    pub detail: Option<String>,
    /// `None`: what is usual for the reason.
    pub challenge: Option<Challenge>,
}

/// What a client is told of a token that comes with a proof (RFC 9449 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// `invalid_token`.
    Token,
    /// `invalid_dpop_proof` (its section 12.2).
    Proof,
    /// `use_dpop_nonce`, and the nonce to use (its section 9).
    Nonce(String),
}

impl Fault {
    pub fn new(reason: Reason, detail: impl Into<String>) -> Fault {
        Fault {
            reason,
            detail: Some(detail.into()),
            challenge: None,
        }
    }

    /// A token or a proof that is not bound as it must be.
    pub fn binding(detail: impl Into<String>) -> Fault {
        Fault::new(Reason::JwtBinding, detail)
    }

    pub fn told(self, challenge: Challenge) -> Fault {
        Fault {
            challenge: Some(challenge),
            ..self
        }
    }
}

/// A client's word, as it may stand in a log: its start, in printable ASCII.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    let mut start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    format!("`{}`", start.escape_default())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_of_a_client_is_short_and_printable() {
        assert_eq!(quoted("corp-1"), "`corp-1`");
        assert_eq!(
            quoted("a\r\n\u{1b}[31m\u{202e}é"),
            r"`a\r\n\u{1b}[31m\u{202e}\u{e9}`"
        );
        assert_eq!(quoted(&"k".repeat(65)), format!("`{}...`", "k".repeat(64)));
        assert_eq!(quoted(&"é".repeat(64)).len(), 64 * r"\u{e9}".len() + 2);
    }
}
