//! The Python of `.venv`, which has Kubernetes' schemas.

use portcullis_tests::{needed, root};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

pub struct Python(PathBuf);

/// What a script did, and all that it said.
pub struct Said {
    pub success: bool,
    pub text: String,
}

/// It, where it has the package.
pub fn with(package: &str) -> Option<Python> {
    let python = root().join(".venv/bin/python");
    let has = Command::new(&python)
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status();
    needed(match has {
        Ok(status) if status.success() => Ok(Python(python)),
        _ => Err(format!(
            "{package} is not in .venv, where tests/setup.py puts it"
        )),
    })
}

impl Python {
    /// Runs a script of tests/kubernetes.
    pub fn run(&self, script: &str, arguments: &[PathBuf]) -> Said {
        let output = Command::new(&self.0)
            .arg(root().join("tests/kubernetes").join(script))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Said {
            success: output.status.success(),
            text,
        }
    }
}
