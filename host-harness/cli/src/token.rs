//! `portcullis token`: a development key, and tokens of it.

use crate::{
    dev_key::{Algorithm, DevKey, Header},
    failure::{Exit, Failure},
    moment, place,
    terminal::{self, Colour},
};
use clap::Args;
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Make a token of a development key, with any claims
///
/// The key file is made if it is not there, readable by its owner only, and that is said on stderr. It is for trying things
/// out: a gate that serves others trusts an identity provider's keys instead.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis token --key dev-key.json --issuer https://idp.example.com --audience orders \\
    --subject alice --claim 'roles=[\"admin\"]' --expires 1h
  portcullis token --key dev-key.json --subject alice --expires -1h     # expired
  portcullis token --key dev-key.json --jwks                            # for gate.yaml")]
pub struct Token {
    /// The key file; made if it is not there
    #[arg(long, value_name = "FILE", default_value = "dev-key.json")]
    key: PathBuf,
    /// What a new key is for [default: ES256]
    #[arg(long, value_enum, ignore_case = true, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// Print the public key set instead of a token
    #[arg(long)]
    jwks: bool,
    /// The claim `iss`
    #[arg(long)]
    issuer: Option<String>,
    /// The claim `aud`; a list if repeated
    #[arg(long)]
    audience: Vec<String>,
    /// The claim `sub`
    #[arg(long)]
    subject: Option<String>,
    /// Any other claim: the value is JSON, or else text
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<Claim>,
    /// When it expires, from now: `1h`, `30s`, `-1h` for an expired one, `never`
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        allow_hyphen_values = true
    )]
    expires: Expires,
    /// A header field: `kid`, `typ` or `cty`
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<Claim>,
}

fn made(file: &Path) -> String {
    let name = file.display().to_string();
    let name = shlex::try_quote(&name).unwrap_or(name.as_str().into());
    format!(
        "{name} was not there, and is a new key: a gate refuses its tokens until `jwks: {{inline: ...}}` of a provider has \
         what `portcullis token --key {name} --jwks` prints; keep the file out of version control"
    )
}

impl Token {
    pub fn run(self) -> Result<Exit, Failure> {
        let (key, is_new) = DevKey::read_or_create(place::file(&self.key)?, self.algorithm)?;
        if is_new {
            // A name that was mistyped makes one, too, and no gate knows it.
            terminal::note(Colour::Blue, "note", &made(&self.key));
        }
        let text = match self.jwks {
            true => {
                let jwks = key.jwks().to_string();
                if jwks.contains("\"oct\"") {
                    terminal::warn("this key set is the shared secret itself: who has it signs");
                }
                jwks
            }
            false => {
                let header = header(&self.header)?;
                key.sign(self.claims(), header)?
            }
        };
        terminal::print(&text)?;
        Ok(Exit::Fine)
    }

    fn claims(self) -> Map<String, Value> {
        let now = moment::now().as_secs();
        let mut claims = Map::new();
        claims.insert("iat".into(), now.into());
        match self.expires {
            Expires::Never => None,
            Expires::In(duration) => Some(now.saturating_add(duration.as_secs())),
            Expires::Ago(duration) => Some(now.saturating_sub(duration.as_secs())),
        }
        .map(|at| claims.insert("exp".into(), at.into()));
        let audience = match self.audience.as_slice() {
            [] => None,
            [one] => Some(one.clone().into()),
            many => Some(many.to_vec().into()),
        };
        for (name, value) in [
            ("iss", self.issuer.map(Value::from)),
            ("sub", self.subject.map(Value::from)),
            ("aud", audience),
        ] {
            value.map(|value| claims.insert(name.into(), value));
        }
        claims.extend(self.claim.into_iter().map(|claim| {
            let value = serde_json::from_str(&claim.value);
            (claim.name, value.unwrap_or(Value::String(claim.value)))
        }));
        claims
    }
}

#[derive(Clone, Debug)]
struct Claim {
    name: String,
    value: String,
}

#[derive(Clone, Copy, Debug)]
enum Expires {
    Never,
    In(Duration),
    Ago(Duration),
}

impl FromStr for Claim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Claim, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Claim {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected NAME=VALUE"),
        }
    }
}

impl FromStr for Expires {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Expires, Self::Err> {
        let duration = |text| {
            humantime::parse_duration(text).map_err(|_| "expected a duration such as 1h, or never")
        };
        match text.strip_prefix('-') {
            _ if text == "never" => Ok(Expires::Never),
            Some(ago) => duration(ago).map(Expires::Ago),
            None => duration(text).map(Expires::In),
        }
    }
}

fn header(fields: &[Claim]) -> Result<Header, Failure> {
    let mut header = Header::default();
    for field in fields {
        let value = Some(field.value.clone());
        match field.name.as_str() {
            "kid" => header.kid = value,
            "typ" => header.typ = value,
            "cty" => header.cty = value,
            other => {
                let message = format!("--header {other}: only kid, typ and cty can be chosen");
                return Err(Failure::new(message));
            }
        }
    }
    Ok(header)
}
