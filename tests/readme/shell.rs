//! One shell that runs a page's blocks, as a reader's does.

use super::pages::block;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// What a command may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub enum Step {
    Run(String),
    /// Until the shell, or what it started, has said so.
    Wait(String),
}

/// What is to be run of a page, in order.
pub fn steps(page: &str, marker: &str) -> Vec<Step> {
    let marker = format!("<!-- test: {marker} -->");
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("<!-- wait: ") {
            steps.push(Step::Wait(words.trim_end_matches(" -->").to_owned()));
        }
        if line == marker {
            steps.push(Step::Run(block(&mut lines)));
        }
    }
    steps
}

/// `... # 403` or `... # true` at the end of a command.
pub fn expected_answers(block: &str) -> Vec<String> {
    block
        .lines()
        .filter_map(|line| line.split_once("# "))
        .map(|(_, answer)| answer.to_owned())
        .filter(|answer| is_answer(answer))
        .collect()
}

pub fn is_answer(line: &str) -> bool {
    let is_code = line.len() == 3 && line.bytes().all(|byte| byte.is_ascii_digit());
    is_code || line == "true" || line == "false"
}

/// One bash that runs block after block, as a reader's does.
pub struct Shell {
    bash: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Shell {
    pub fn start(folder: &Path) -> Shell {
        let mut bash = Command::new("bash")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = bash.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut shell = Shell {
            bash,
            lines,
            said: Vec::new(),
        };
        shell.say("exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
        shell
    }

    pub fn run(&mut self, block: &str) {
        self.say(block);
        self.say("echo \"done: $?\"\n");
        self.wait_for("done: 0");
    }

    fn say(&mut self, text: &str) {
        self.bash
            .stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    pub fn wait_for(&mut self, words: &str) {
        // What was waited for may have been said while the last block ran.
        if self.said.iter().any(|line| line.starts_with(words)) && !words.starts_with("done") {
            return;
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line =
                line.unwrap_or_else(|_| panic!("`{words}` never came:\n{}", self.said.join("\n")));
            self.said.push(line.clone());
            assert!(
                !line.starts_with("done: ") || line == "done: 0",
                "{}",
                self.said.join("\n")
            );
            if line.starts_with(words) {
                return;
            }
        }
    }

    pub fn answers(&self) -> Vec<String> {
        let lines = self.said.iter();
        lines.filter(|line| is_answer(line)).cloned().collect()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The end of its input is the end of bash, whose trap ends what it started.
        drop(self.bash.stdin.take());
        let _ = self.bash.wait();
    }
}
