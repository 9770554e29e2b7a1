//! What the user sees: results on stdout, errors on stderr, colour only where a terminal shows it.

use crate::failure::Failure;
use std::io::{self, ErrorKind, IsTerminal, Write};

#[derive(Clone, Copy)]
pub enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
}

/// Prints a result. A reader that has gone away, such as `head`, is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::io("stdout", &error)),
        _ => Ok(()),
    }
}

pub fn report(failure: &Failure) {
    for problem in &failure.0 {
        note(Colour::Red, "error", &problem.message);
        if let Some(hint) = &problem.hint {
            note(Colour::Blue, "hint", hint);
        }
    }
}

pub fn warn(message: &str) {
    note(Colour::Yellow, "warning", message);
}

/// A line on stderr. What cannot be written there cannot be told anywhere.
pub fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

pub fn paint(colour: Colour, text: &str, on: bool) -> String {
    match on {
        true => format!("\x1b[{}m{text}\x1b[0m", colour as u8),
        false => text.to_owned(),
    }
}

/// <https://no-color.org>
pub fn colourful(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line on stderr that begins with a coloured word.
pub fn note(colour: Colour, word: &str, message: &str) {
    let word = paint(colour, word, colourful(&io::stderr()));
    say(&format!("{word}: {message}"));
}
