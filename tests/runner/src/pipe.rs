//! A process that is asked over a pipe: one JSON document a line, one answer each.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

pub struct Pipe {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Pipe {
    /// Starts it and waits until it says that it is ready.
    pub fn start(command: &mut Command) -> Result<Pipe, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("has no pipes".into());
        };
        let mut pipe = Pipe {
            process,
            orders,
            answers: BufReader::new(answers),
        };
        match pipe.ask(&json!({"hello": true}))?.get("ready") {
            Some(Value::Bool(true)) => Ok(pipe),
            _ => Err("did not say that it is ready".into()),
        }
    }

    /// The answer to an order, or the error that it answers.
    pub fn ask(&mut self, order: &Value) -> Result<Value, String> {
        writeln!(self.orders, "{order}").map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| "lacks what it needs".to_owned())?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It ends by itself when its input does; this is for one that hangs.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
