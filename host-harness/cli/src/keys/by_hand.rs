//! The command for a rotation that is made by hand, as a shell takes it.

use super::{
    format::{DEFAULT_PREFIX, Prefix},
    record::Record,
};

/// Where the command takes the pepper from.
pub struct Variable {
    pub name: String,
    pub is_base64: bool,
}

/// `portcullis keys new` with all that the next key is to have, each word quoted. There is none where
/// a value has a control character: what is printed would be another one, or do things to the
/// terminal.
pub fn command(next: &Record, prefix: &Prefix, pepper: Option<&Variable>) -> Option<String> {
    let mut words: Vec<String> = ["portcullis", "keys", "new"].map(str::to_owned).into();
    let mut add = |name: &str, value: &str| match value.starts_with('-') {
        // Else it is taken for an option of its own.
        true => words.push(format!("--{name}={value}")),
        false => words.extend([format!("--{name}"), value.to_owned()]),
    };
    add("id", &next.id);
    add("subject", &next.subject);
    for scope in &next.scopes {
        add("scope", scope);
    }
    for (name, time) in [("not-before", &next.not_before), ("expires", &next.expires)] {
        if let Some(time) = time {
            add(name, time);
        }
    }
    let prefix = prefix.to_string();
    if prefix != DEFAULT_PREFIX {
        add("prefix", &prefix);
    }
    if let Some(variable) = pepper {
        add("pepper-env", &variable.name);
        if variable.is_base64 {
            add("pepper-encoding", "base64");
        }
    }
    if words.iter().any(|word| word.contains(char::is_control)) {
        return None;
    }
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(subject: &str, scope: &str) -> Record {
        Record {
            id: "-next".into(),
            hash: "sha256:".into(),
            subject: subject.into(),
            scopes: vec![scope.into()],
            not_before: None,
            expires: None,
        }
    }

    #[test]
    fn what_a_terminal_would_act_upon_is_not_printed() {
        let prefix = Prefix::parse(DEFAULT_PREFIX).unwrap();
        for subject in ["a\nb", "a\0b", "\u{1b}[2J", "\u{9b}2J"] {
            assert_eq!(command(&record(subject, "x"), &prefix, None), None);
        }
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_words_that_were_meant(subject in "\\PC+", scope in "\\PC+") {
            let prefix = Prefix::parse("acme").unwrap();
            let found = command(&record(&subject, &scope), &prefix, None);
            prop_assume!(found.is_some());
            let words = shlex::split(&found.unwrap()).unwrap();
            for (name, value) in [("id", "-next"), ("subject", &subject), ("scope", &scope)] {
                let joined = format!("--{name}={value}");
                let pair = [format!("--{name}"), value.to_owned()];
                let is_there = words.contains(&joined) || words.windows(2).any(|it| it == pair);
                prop_assert!(is_there, "{words:?}");
            }
        }
    }
}
