//! Whose tokens are taken of all that an issuer signs: `alice`, `svc-*`, `*@example.com`.

use crate::error::Findings;

/// Compared letter for letter (RFC 7519 section 4.1.2): neither case nor an escape is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Subject {
    Exact(String),
    Prefix(String),
    Suffix(String),
}

impl Subject {
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Subject::Exact(own) => own == subject,
            Subject::Prefix(prefix) => subject.starts_with(prefix.as_str()),
            Subject::Suffix(suffix) => subject.ends_with(suffix.as_str()),
        }
    }

    /// One star at one end; a star elsewhere would be read as a letter by nobody.
    fn parse(text: &str) -> Option<Subject> {
        let whole = |text: &str| (!text.is_empty() && !text.contains('*')).then(|| text.to_owned());
        match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (None, None) => whole(text).map(Subject::Exact),
            (None, Some(prefix)) => whole(prefix).map(Subject::Prefix),
            (Some(suffix), None) => whole(suffix).map(Subject::Suffix),
            (Some(_), Some(_)) => None,
        }
    }
}

pub fn read(texts: &[String], path: &str, findings: &mut Findings) -> Vec<Subject> {
    if texts.is_empty() {
        findings.add(
            path,
            "is empty, so no token would do; list subjects, or remove it for any",
        );
    }
    let mut subjects = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Subject::parse(text) {
            Some(subject) => subjects.push(subject),
            None => findings.add(
                format!("{path}[{index}]"),
                format!("found `{text}`; takes a subject, `prefix*` or `*suffix`"),
            ),
        }
    }
    subjects
}

#[cfg(test)]
mod tests {
    use super::Subject;

    #[test]
    fn a_star_stands_at_one_end() {
        let matches = |pattern: &str, subject| Subject::parse(pattern).unwrap().matches(subject);
        assert!(matches("alice", "alice"));
        assert!(matches("svc-*", "svc-orders"));
        assert!(matches("svc-*", "svc-"));
        assert!(matches("*@example.com", "a@example.com"));
        for (pattern, subject) in [
            ("alice", "Alice"),
            ("alice", "alice "),
            ("alice", "alice*"),
            ("svc-*", "SVC-orders"),
            ("svc-*", "a svc-orders"),
            ("*@example.com", "a@example.com.evil.test"),
            ("*@example.com", "@Example.com"),
        ] {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
        for none in ["", "*", "**", "a*b", "*a*", "a**", "**a"] {
            assert_eq!(Subject::parse(none), None, "{none}");
        }
    }
}
