//! `portcullis keys new`: a key, and the record to store.

use super::{
    format::{DEFAULT_PREFIX, Key, Prefix},
    handing::Handing,
    pepper::Pepper,
    record::Record,
    when::{self, End, When},
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use serde_json::Map;

/// Make an API key, and print it once with the record to store
///
/// The key is 256 random bits with a prefix and a checksum. The record goes into `api_keys.keys`, or
/// into the list that `api_keys.keys_from` names. It has the key's hash, from which nobody finds the
/// key.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis keys new --subject acme --scope orders:read --expires 90d
  portcullis keys new --subject acme --key-file acme.key >> records.yaml
  portcullis keys new --subject acme --key-file - --format json | jq -r .key
  portcullis keys new --subject acme --prefix acme --pepper-env GATE_PEPPER

Scanners know a leaked key by \\bpclkey_[0-9A-Za-z]{49}\\b")]
pub struct New {
    /// Who gets it
    #[arg(long)]
    subject: String,
    /// Names the key in logs, metrics and the policy [default: the subject and the month]
    #[arg(long)]
    id: Option<String>,
    /// What it is good for; repeat it for more
    #[arg(long)]
    scope: Vec<String>,
    /// When it ends: `90d` from now, a time in RFC 3339, or `never`
    #[arg(long, value_name = "WHEN")]
    expires: Option<End>,
    /// When it begins: `1h` from now, or a time in RFC 3339
    #[arg(long, value_name = "WHEN")]
    not_before: Option<When>,
    /// What the key begins with: 2 to 16 of a-z and 0-9
    #[arg(long, default_value = DEFAULT_PREFIX, value_parser = Prefix::parse)]
    prefix: Prefix,
    #[command(flatten)]
    pepper: Pepper,
    #[command(flatten)]
    handing: Handing,
}

impl New {
    pub fn run(self) -> Result<Exit, Failure> {
        let hand = self.handing.hand()?;
        let now = when::now();
        let month: String = when::written(now).chars().take("2026-12".len()).collect();
        let id = self
            .id
            .unwrap_or_else(|| format!("{}-{month}", self.subject));
        if id.is_empty() || self.subject.is_empty() {
            return Err(Failure::new("--id and --subject take some text"));
        }
        let not_before = self.not_before.map(|it| it.time(now));
        let expires = self.expires.and_then(|it| it.time(now));
        if let Some(until) = expires
            && until <= not_before.unwrap_or(now)
        {
            return Err(Failure::new("--expires: the key would never be valid"));
        }
        let pepper = self.pepper.named()?;
        let key = generate(&self.prefix)?;
        let record = Record {
            id,
            hash: portcullis_engine::api_key_hash(key.expose(), pepper.as_deref()),
            subject: self.subject,
            scopes: self.scope,
            not_before: not_before.map(when::written),
            expires: expires.map(when::written),
        };
        hand.keep(&key)?;
        let json = Map::from_iter([("record".to_owned(), record.to_json())]);
        let done = hand.print(self.handing.format, &key, &record.to_yaml(), json)?;
        if self.expires.is_none() {
            terminal::warn("the key never expires; `--expires 90d` would give it an end");
        }
        Ok(done)
    }
}

pub fn generate(prefix: &Prefix) -> Result<Key, Failure> {
    Key::generate(prefix)
        .map_err(|error| Failure::new(format!("the system gave no randomness: {error}")))
}
