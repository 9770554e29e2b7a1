//! `portcullis sign`: a request with a signature (RFC 9421).

use crate::{
    curl::Curl,
    dev_key::DevKey,
    failure::{Exit, Failure},
    http_file::HttpFile,
    moment, place, secrets, terminal,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use portcullis_engine::{
    Algorithm, Gate, SigningKey, content_digest,
    message_signature::{Component, Proposal, Signed, sign},
};
use portcullis_gatefile::GateFile;
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};

/// Sign a request (RFC 9421), and print the curl command that sends it
///
/// With --config it covers what that configuration requires, a shared secret is found where the gate
/// finds it, and a gate that takes nothing twice gets a nonce. A request with a body gets its digest
/// (Content-Digest, RFC 9530) where that is to be covered. Where --key-id is the id of a webhook, the
/// request is signed as its provider does.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis sign --config gate.yaml --key-id orders https://api.example.com/orders/7
  portcullis sign --config gate.yaml --key-id github -d '{\"action\": \"opened\"}' http://127.0.0.1:8080/hook
  portcullis sign --key billing.pem --key-id billing -X POST -H 'x-amount: 7' \\
    --component @method --component @path --component x-amount https://api.example.com/pay
  portcullis sign --config gate.yaml --key-id orders --format headers http://127.0.0.1:8080/ |
    curl -H @- http://127.0.0.1:8080/")]
pub struct Sign {
    #[command(flatten)]
    curl: Curl,
    /// Whose configuration says what to cover, and knows the key's algorithm and shared secret
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The `keyid` by which the verifier knows the key
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// The private key: PEM (PKCS #8), or a development key of `portcullis token`
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    key: Option<PathBuf>,
    /// The variable that holds the shared secret, for hmac-sha256
    #[arg(long, value_name = "NAME")]
    secret_env: Option<String>,
    /// By its name in RFC 9421 [default: the configuration's, or the development key's]
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What to cover [default: the configuration's, or @method @authority @path @query]
    #[arg(long, value_name = "COMPONENT")]
    component: Vec<String>,
    /// When it ends, from now, such as `1m`
    #[arg(long, value_name = "DURATION", value_parser = crate::moment::duration)]
    expires: Option<Duration>,
    /// For an application to know its own
    #[arg(long)]
    tag: Option<String>,
    /// Unique to the request, for a verifier that remembers [default: a random one, where the gate of
    /// --config remembers]
    #[arg(long)]
    nonce: Option<String>,
    /// The signature's name in the two headers
    #[arg(long, default_value = "sig1")]
    label: String,
    /// How the signed request is printed
    #[arg(long, value_enum, default_value_t = Format::Curl)]
    format: Format,
    /// Print what was signed, on stderr
    #[arg(long)]
    show_base: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A curl command
    Curl,
    /// The header lines of the signature
    Headers,
    /// The request as it goes over the wire, for --request of other commands
    Http,
}

impl Sign {
    pub fn run(self) -> Result<Exit, Failure> {
        let known = Known::read(&self)?;
        if let (Some(gate), Some(secret)) = (&known.gate, &known.webhook) {
            return self.as_webhook(gate, secret);
        }
        let (key, own_id) = self.signing_key(&known)?;
        let key_id = self.key_id.clone().or(own_id).ok_or_else(|| {
            Failure::new("there is no --key-id").hint("the verifier finds its key by it")
        })?;
        let mut request = self.curl.request()?;
        let mut components = known.components(&self.component, &request)?;
        let mut fields = Vec::new();
        if components.iter().any(is_digest) && !request.has_header(DIGEST) {
            match self.curl.body() {
                Some(body) => {
                    let digest = content_digest(body.as_bytes());
                    request = request.with_headers(&[(DIGEST, &digest)]);
                    fields.push((DIGEST, digest));
                }
                // What no body is asked for, unless it was named here.
                None if self.component.is_empty() => components.retain(|it| !is_digest(it)),
                None => {}
            }
        }
        let now = i64::try_from(moment::now().as_secs()).unwrap_or(i64::MAX);
        let expires = self.expires.map(|span| {
            let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            now.saturating_add(span)
        });
        let mut without_randomness = false;
        let mut random = |buffer: &mut [u8]| without_randomness |= getrandom::fill(buffer).is_err();
        let nonce = match &self.nonce {
            None if known.remembers => Some(new_nonce(&mut random)),
            given => given.clone(),
        };
        let proposal = Proposal {
            label: &self.label,
            components: &components,
            key_id: &key_id,
            created: Some(now),
            expires,
            nonce: nonce.as_deref(),
            tag: self.tag.as_deref().or(known.tag.as_deref()),
            name_algorithm: false,
        };
        let signed = request.with_message(|message| {
            sign(message, &proposal, &key, &mut random)
                .map_err(|error| Failure::new(error.to_string()))
        })?;
        if without_randomness {
            return Err(Failure::new("the system gave no randomness"));
        }
        fields.push(("signature-input", signed.signature_input.clone()));
        fields.push(("signature", signed.signature.clone()));
        self.warn(&known, &request, &signed);
        if self.show_base {
            terminal::say(&signed.base);
        }
        terminal::print(&self.show(&fields, &request.to_text()))?;
        Ok(Exit::Fine)
    }

    /// `secret` is the webhook's first, as the configuration writes it.
    fn as_webhook(&self, gate: &Gate, secret: &Value) -> Result<Exit, Failure> {
        let id = self.key_id.as_deref().unwrap_or_default();
        let others = [
            ("--key", self.key.is_some()),
            ("--secret-env", self.secret_env.is_some()),
            ("--algorithm", self.algorithm.is_some()),
            ("--component", !self.component.is_empty()),
            ("--expires", self.expires.is_some()),
            ("--tag", self.tag.is_some()),
            ("--nonce", self.nonce.is_some()),
            ("--show-base", self.show_base),
        ];
        if let Some((other, _)) = others.iter().find(|(_, is_given)| *is_given) {
            let message = format!("{other}: `{id}` is a webhook, whose scheme is fixed");
            return Err(Failure::new(message).hint(format!("leave {other} away")));
        }
        // The gate was loaded without what is not there.
        secrets::resolve(secret)?;
        let request = self.curl.request()?;
        let now = i64::try_from(moment::now().as_secs()).unwrap_or(i64::MAX);
        let body = self.curl.body().unwrap_or_default().as_bytes();
        let fields = request.ask(gate, |request, _| {
            gate.sign_as_webhook(id, request, body, now)
        });
        let fields = fields.unwrap_or(Ok(Vec::new())).map_err(|why| {
            Failure::new(format!("`{id}` {why}")).hint("a header is added with -H 'name: value'")
        })?;
        let fields: Vec<(&str, String)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        terminal::print(&self.show(&fields, &request.to_text()))?;
        Ok(Exit::Fine)
    }

    /// Says what the gate of the configuration would make of it, where it would refuse it.
    fn warn(&self, known: &Known, request: &HttpFile, signed: &Signed) {
        // Another variable than the configuration's, which may not be set here.
        let Some(gate) = known.gate.as_ref().filter(|_| self.secret_env.is_none()) else {
            return;
        };
        let fields = [
            ("signature-input", &*signed.signature_input),
            ("signature", &*signed.signature),
        ];
        let Ok(Some((reports, _))) = request.with_headers(&fields).signatures(gate) else {
            return;
        };
        for report in reports.iter().filter(|report| report.label == self.label) {
            if let Err((reason, detail)) = &report.outcome {
                terminal::warn(&format!("the gate will refuse this, {reason}: {detail}"));
            }
        }
    }

    /// `request` has all but the signature.
    fn show(&self, fields: &[(&str, String)], request: &str) -> String {
        let lines = |fields: &[(&str, String)]| {
            let lines: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            lines.join("\n")
        };
        match self.format {
            Format::Curl => self.curl.command(fields),
            Format::Headers => lines(fields),
            Format::Http => {
                let signature = fields.iter().filter(|(name, _)| *name != DIGEST);
                let signature: Vec<_> = signature.cloned().collect();
                let body = self.curl.body().unwrap_or_default();
                format!("{request}{}\n\n{body}", lines(&signature))
            }
        }
    }

    /// The key, and its own id where it has one.
    fn signing_key(&self, known: &Known) -> Result<(SigningKey, Option<String>), Failure> {
        let named = self.algorithm.as_ref().or(known.algorithm.as_ref());
        let algorithm = named.map(|name| algorithm(name)).transpose()?;
        let Some(file) = &self.key else {
            let secret = self.secret(known)?;
            if let Some(other) = algorithm.filter(|algorithm| !algorithm.is_symmetric()) {
                let name = other.http_name().unwrap_or_default();
                return Err(
                    Failure::new(format!("a shared secret does not sign {name}"))
                        .hint("--key FILE names a private key"),
                );
            }
            return Ok((SigningKey::from_secret(secret), None));
        };
        let file = place::file(file)?;
        let text = fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
        if text.trim_start().starts_with('{') {
            return DevKey::read(file)?.signing_key(algorithm);
        }
        if algorithm.is_some_and(Algorithm::is_symmetric) {
            return Err(Failure::new(
                "hmac-sha256 takes a shared secret, and --key names a private key",
            )
            .hint("--secret-env NAME, or neither where --config has the secret"));
        }
        let algorithm = algorithm.ok_or_else(|| {
            Failure::new("there is no --algorithm").hint(format!("one of {}", algorithms()))
        })?;
        let wrong = |message: &str| {
            Failure::new(format!("{}: the key {message}", file.display())).hint(format!(
                "`openssl pkcs8 -topk8 -nocrypt -in {} -out new.pem` makes PKCS #8 of other private keys",
                file.display()
            ))
        };
        let key = SigningKey::from_pem(algorithm, &text).map_err(wrong)?;
        Ok((key, None))
    }

    /// The shared secret: from the variable that is named, or from where the configuration has it.
    fn secret(&self, known: &Known) -> Result<Vec<u8>, Failure> {
        let place = match (&self.secret_env, &known.secret) {
            (None, Some(place)) => place.clone(),
            // Encoded as the configuration says.
            (Some(name), Some(Value::Object(place))) => {
                let mut place = place.clone();
                place.insert("env".into(), name.clone().into());
                Value::Object(place)
            }
            (Some(name), _) => json!({ "env": name }),
            (None, None) => {
                return Err(Failure::new("there is no key to sign with").hint(
                    "--key FILE, --secret-env NAME, or --config with the --key-id of a shared secret",
                ));
            }
        };
        secrets::resolve(&place)
    }
}

/// What the configuration says of signatures.
#[derive(Default)]
struct Known {
    gate: Option<Gate>,
    tag: Option<String>,
    algorithm: Option<String>,
    /// Whether a nonce, or else the signature, is taken once.
    remembers: bool,
    /// Of a shared secret: where it is, as the configuration writes it.
    secret: Option<Value>,
    /// The same, where the key's id is a webhook's.
    webhook: Option<Value>,
}

impl Known {
    fn read(sign: &Sign) -> Result<Known, Failure> {
        let Some(config) = &sign.config else {
            return Ok(Known::default());
        };
        let file = GateFile::read(config)?;
        // Checked as a whole, so that what is signed for is a gate that loads.
        let gate = file.gate(&secrets::OrPlaceholder)?;
        let Some(signatures) = file.document.get("signatures") else {
            let message = format!("{}: has no `signatures`", config.display());
            return Err(Failure::new(message));
        };
        let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
        let keys = signatures.get("keys").and_then(Value::as_array);
        let keys = || keys.into_iter().flatten();
        let hooks = signatures.get("webhooks").and_then(Value::as_array);
        let hooks = || hooks.into_iter().flatten();
        let ids = || keys().chain(hooks()).filter_map(|key| text(key.get("id")));
        let is_meant = |key: &&Value| sign.key_id.is_some() && text(key.get("id")) == sign.key_id;
        let webhook = hooks().find(is_meant);
        let key = match &sign.key_id {
            _ if webhook.is_some() => None,
            None => None,
            Some(id) => Some(keys().find(is_meant).ok_or_else(|| {
                let known: Vec<String> = ids().collect();
                Failure::new(format!("{}: has no key `{id}`", config.display()))
                    .hint(format!("it has {}", known.join(", ")))
            })?),
        };
        Ok(Known {
            gate: Some(gate),
            tag: text(signatures.get("tag")),
            algorithm: key.and_then(|key| text(key.get("algorithm"))),
            remembers: text(signatures.get("nonce")).as_deref() != Some("off"),
            secret: key.and_then(|key| key.get("secret").cloned()),
            webhook: webhook.and_then(|hook| hook.get("secrets")?.get(0).cloned()),
        })
    }

    /// What is asked for, else what the configuration requires of this request, else the usual.
    fn components(&self, asked: &[String], request: &HttpFile) -> Result<Vec<Component>, Failure> {
        if let (Some(gate), []) = (&self.gate, asked) {
            let required = request.required_components(gate).map_err(Failure::new)?;
            if !required.is_empty() {
                return Ok(required);
            }
        }
        let usual = ["@method", "@authority", "@path", "@query"].map(String::from);
        let texts = if asked.is_empty() { &usual } else { asked };
        let parse = |text: &String| {
            Component::parse(text)
                .map_err(|error| Failure::new(format!("--component '{text}': it {error}")))
        };
        texts.iter().map(parse).collect()
    }
}

const DIGEST: &str = "content-digest";

/// Of 128 bits: no two are alike, on however many machines they are made.
fn new_nonce(random: &mut impl FnMut(&mut [u8])) -> String {
    let mut nonce = [0; 16];
    random(&mut nonce);
    BASE64_URL_SAFE_NO_PAD.encode(nonce)
}

fn is_digest(component: &Component) -> bool {
    component.is_of_field(DIGEST)
}

fn algorithm(name: &str) -> Result<Algorithm, Failure> {
    Algorithm::parse_http(name).ok_or_else(|| {
        Failure::new(format!("--algorithm {name}: not known"))
            .hint(format!("one of {}", algorithms()))
    })
}

fn algorithms() -> String {
    let names: Vec<&str> = Algorithm::HTTP.iter().map(|(_, name)| *name).collect();
    names.join(", ")
}
