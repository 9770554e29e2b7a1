//! The pepper: a secret of the gate's, without which the hashes of keys cannot be tried.

use super::by_hand::Variable;
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
    /// The variable that was named, if one was.
    pub fn variable(&self) -> Option<Variable> {
        self.pepper_env.as_ref().map(|name| Variable {
            name: name.clone(),
            is_base64: self.pepper_encoding.is_some(),
        })
    }

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

/// The variable of a pepper as a configuration writes it; none where it stands there itself.
pub fn variable(secret: &Value) -> Option<Variable> {
    let name = secret.get("env").and_then(Value::as_str)?;
    Some(Variable {
        name: name.to_owned(),
        is_base64: secret.get("encoding").is_some(),
    })
}
