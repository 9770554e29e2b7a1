//! oidc-provider of npm, as a process: `tests/issuer/issuer.mjs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use portcullis_runner::Pipe;
use serde_json::{Value, json};
use std::{net::SocketAddr, process::Command};

/// Ends when it is dropped.
pub struct Issuer {
    pub address: SocketAddr,
    /// Where it speaks TLS, if it was told to.
    pub tls: Option<SocketAddr>,
    pipe: Pipe,
}

/// What its tokens name.
pub const ISSUER: &str = "https://idp.test";

impl Issuer {
    pub fn start() -> Result<Issuer, String> {
        Issuer::start_as(json!({"issuer": ISSUER}))
    }

    /// As the script's `start` says.
    pub fn start_as(order: Value) -> Result<Issuer, String> {
        let script = crate::root().join("tests/issuer/issuer.mjs");
        let mut pipe = Pipe::start(Command::new("node").arg(script))?;
        let started = pipe.ask(&json!({"start": order}))?;
        let address = |name: &str| {
            let port = started[name].as_u64();
            let port = port.and_then(|port| u16::try_from(port).ok());
            port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        };
        Ok(Issuer {
            address: address("port").ok_or("the issuer has no port")?,
            tls: address("tls_port"),
            pipe,
        })
    }

    /// Access tokens by the client credentials grant, `jwt` or `opaque`.
    pub fn mint(&mut self, count: usize, format: &str) -> Vec<String> {
        let order = json!({"mint": {"count": count, "format": format}});
        let answer = self.pipe.ask(&order).unwrap();
        serde_json::from_value(answer["tokens"].clone()).unwrap()
    }

    /// `add`: another key signs from now on; `drop`: only it is left in the set.
    pub fn rotate(&mut self, how: &str) {
        self.pipe.ask(&json!({"rotate": how})).unwrap();
    }

    /// How often others asked for a path.
    pub fn asked(&mut self, path: &str) -> u64 {
        let answer = self.pipe.ask(&json!({"asked": true})).unwrap();
        answer["asked"]
            .get(path)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    }
}
