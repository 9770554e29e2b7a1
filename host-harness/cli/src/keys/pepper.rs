//! The pepper: a secret of the gate's, without which the hashes of keys cannot be tried.

use crate::{failure::Failure, secrets};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Pepper {
    /// The variable that holds the gate's `api_keys.pepper`: makes an `hmac-sha256:` hash
    #[arg(long, value_name = "NAME")]
    pepper_env: Option<String>,
    /// How it is written there, where `pepper` has an `encoding`
    #[arg(long, requires = "pepper_env", value_enum)]
    pepper_encoding: Option<Encoding>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Encoding {
    Base64,
}

impl Pepper {
    /// What was named, if something was.
    pub fn named(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(name) = &self.pepper_env else {
            return Ok(None);
        };
        let secret = match self.pepper_encoding {
            None => json!({"env": name}),
            Some(Encoding::Base64) => json!({"env": name, "encoding": "base64"}),
        };
        resolved(&secret).map(Some)
    }
}

/// A pepper as a configuration writes it.
pub fn resolved(secret: &Value) -> Result<Vec<u8>, Failure> {
    let pepper = secrets::resolve(secret)?;
    match pepper.is_empty() {
        true => Err(Failure::new("the pepper is empty").hint("the gate would refuse it, too")),
        false => Ok(pepper),
    }
}
