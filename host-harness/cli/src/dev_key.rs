//! A development key: a JWK with its private part in a file of mode 0600 (RFC 7517).

use crate::{failure::Failure, moment};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jwt_simple::prelude::*;
use portcullis_engine::SigningKey;
use serde_json::{Map, Value, json};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What a development key signs with; the name is the JWK's `alg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    #[value(name = "ES256")]
    Es256,
    #[value(name = "ES384")]
    Es384,
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "RS384")]
    Rs384,
    #[value(name = "RS512")]
    Rs512,
    #[value(name = "PS256")]
    Ps256,
    #[value(name = "PS384")]
    Ps384,
    #[value(name = "PS512")]
    Ps512,
    #[value(name = "HS256")]
    Hs256,
    #[value(name = "HS384")]
    Hs384,
    #[value(name = "HS512")]
    Hs512,
}

/// Debug is left out: it would print the private part.
pub struct DevKey {
    jwk: Map<String, Value>,
    algorithm: Algorithm,
}

/// The header fields that can be chosen.
#[derive(Default)]
pub struct Header {
    pub kid: Option<String>,
    pub typ: Option<String>,
    pub cty: Option<String>,
}

const RSA_BITS: usize = 2048;

/// Runs the same code with whichever key type an algorithm has.
macro_rules! with_pair {
    ($algorithm:expr, $rsa:ident, $ec:ident => $rsa_body:expr, $ec_body:expr) => {
        match $algorithm {
            Algorithm::Es256 => {
                type $ec = ES256KeyPair;
                $ec_body
            }
            Algorithm::Es384 => {
                type $ec = ES384KeyPair;
                $ec_body
            }
            Algorithm::EdDsa => {
                type $ec = Ed25519KeyPair;
                $ec_body
            }
            Algorithm::Rs256 => {
                type $rsa = RS256KeyPair;
                $rsa_body
            }
            Algorithm::Rs384 => {
                type $rsa = RS384KeyPair;
                $rsa_body
            }
            Algorithm::Rs512 => {
                type $rsa = RS512KeyPair;
                $rsa_body
            }
            Algorithm::Ps256 => {
                type $rsa = PS256KeyPair;
                $rsa_body
            }
            Algorithm::Ps384 => {
                type $rsa = PS384KeyPair;
                $rsa_body
            }
            Algorithm::Ps512 => {
                type $rsa = PS512KeyPair;
                $rsa_body
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                return Err(Failure::new("a symmetric key has no pair"));
            }
        }
    };
}

/// Begins the id of each; eight digits of a UUID follow.
const ID: &str = "dev-";

/// Whether a key of that id was made here.
pub fn is_id(id: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let rest = id.strip_prefix(ID);
    rest.is_some_and(|rest| rest.len() == 8 && rest.bytes().all(is_digit))
}

impl DevKey {
    pub fn generate(algorithm: Algorithm) -> Result<DevKey, Failure> {
        let mut jwk = match algorithm.symmetric() {
            true => {
                let bytes = match algorithm {
                    Algorithm::Hs256 => HS256Key::generate().to_bytes(),
                    Algorithm::Hs384 => HS384Key::generate().to_bytes(),
                    _ => HS512Key::generate().to_bytes(),
                };
                Map::from_iter([
                    ("kty".to_owned(), "oct".into()),
                    ("k".to_owned(), BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
                ])
            }
            false => object(&pair_jwk(algorithm)?)?,
        };
        jwk.insert("alg".into(), algorithm.name().into());
        jwk.insert("use".into(), "sig".into());
        let kid = moment::unique_id();
        let kid = kid.split('-').next().unwrap_or_default();
        jwk.insert("kid".into(), format!("{ID}{kid}").into());
        Ok(DevKey { jwk, algorithm })
    }

    /// The key in the file; where there is none, a new one is put there. And whether it is new.
    pub fn read_or_create(
        file: &Path,
        wanted: Option<Algorithm>,
    ) -> Result<(DevKey, bool), Failure> {
        match fs::read_to_string(file) {
            Ok(text) => DevKey::parse(&text, wanted)
                .map(|key| (key, false))
                .map_err(|message| Failure::new(format!("{}: {message}", file.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = DevKey::generate(wanted.unwrap_or(Algorithm::Es256))?;
                key.write(file)?;
                Ok((key, true))
            }
            Err(error) => Err(Failure::io(file.display(), &error)),
        }
    }

    /// The key in the file.
    pub fn read(file: &Path) -> Result<DevKey, Failure> {
        let text = fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
        DevKey::parse(&text, None)
            .map_err(|message| Failure::new(format!("{}: {message}", file.display())))
    }

    /// The key for HTTP messages (RFC 9421), with its id.
    pub fn signing_key(
        &self,
        wanted: Option<portcullis_engine::Algorithm>,
    ) -> Result<(SigningKey, Option<String>), Failure> {
        let own = self.algorithm.name();
        let algorithm = portcullis_engine::Algorithm::parse(&own)
            .filter(|own| own.http_name().is_some() && wanted.is_none_or(|wanted| wanted == *own))
            .ok_or_else(|| {
                let wanted = wanted.and_then(portcullis_engine::Algorithm::http_name);
                let wanted = wanted.unwrap_or("HTTP messages");
                Failure::new(format!("a key for {own} does not sign {wanted}"))
                    .hint("ES256, ES384, EdDSA, RS256, PS512 and HS256 do")
            })?;
        let kid = self
            .jwk
            .get("kid")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if self.algorithm.symmetric() {
            return Ok((SigningKey::from_secret(self.secret()?), kid));
        }
        let wrong =
            |error: jwt_simple::Error| Failure::new(format!("the key does not sign: {error}"));
        let jwk = Value::Object(self.jwk.clone()).to_string();
        let pem = with_pair!(self.algorithm, Rsa, Ec =>
            Rsa::from_jwk(&jwk).and_then(|pair| pair.to_pem()).map_err(wrong)?,
            Ec::from_jwk(&jwk).map_err(wrong)?.to_pem().written().map_err(wrong)?);
        // Some write the public key behind the private one.
        let end = "-----END PRIVATE KEY-----";
        let private = pem.split_inclusive(end).next().unwrap_or_default();
        let key = SigningKey::from_pem(algorithm, private)
            .map_err(|message| Failure::new(format!("the key {message}")))?;
        Ok((key, kid))
    }

    fn secret(&self) -> Result<Vec<u8>, Failure> {
        let k = self.jwk.get("k").and_then(Value::as_str);
        BASE64_URL_SAFE_NO_PAD
            .decode(k.unwrap_or_default())
            .map_err(|_| Failure::new("the key's `k` is not base64url"))
    }

    /// Never over another file; readable by its owner only.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = format!("{:#}", Value::Object(self.jwk.clone()));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .and_then(|mut file| writeln!(file, "{text}"))
            .map_err(|error| Failure::io(file.display(), &error))
    }

    fn parse(text: &str, wanted: Option<Algorithm>) -> Result<DevKey, String> {
        let hint = "a key is a private JWK with `alg`; `portcullis token --key NEW_FILE` makes one";
        let jwk: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| format!("this is not a key: {hint}"))?;
        let name = jwk.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm = Algorithm::named(name)
            .ok_or_else(|| format!("`alg` is `{name}`, which is not known: {hint}"))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != algorithm) {
            return Err(format!(
                "this is a key for {name}, and {} was asked for; name another file",
                wanted.name()
            ));
        }
        Ok(DevKey { jwk, algorithm })
    }

    /// The key set a gate verifies with. That of a symmetric key holds the secret itself.
    pub fn jwks(&self) -> Value {
        let public = ["kty", "crv", "x", "y", "n", "e", "alg", "kid", "use"];
        let is_public = |name: &str| public.contains(&name) || self.algorithm.symmetric();
        let jwk: Map<String, Value> = self
            .jwk
            .iter()
            .filter(|(name, _)| is_public(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        json!({ "keys": [jwk] })
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: Map<String, Value>, header: Header) -> Result<String, Failure> {
        let kid = header.kid.or_else(|| {
            let kid = self.jwk.get("kid").and_then(Value::as_str);
            kid.map(str::to_owned)
        });
        let kid = kid.as_deref().unwrap_or_default();
        let options = HeaderOptions {
            content_type: header.cty,
            signature_type: header.typ,
        };
        let claims = only(claims);
        let wrong =
            |error: jwt_simple::Error| Failure::new(format!("the key does not sign: {error}"));
        if self.algorithm.symmetric() {
            let secret = self.secret()?;
            return match self.algorithm {
                Algorithm::Hs256 => HS256Key::from_bytes(&secret)
                    .with_key_id(kid)
                    .authenticate_with_options(claims, &options),
                Algorithm::Hs384 => HS384Key::from_bytes(&secret)
                    .with_key_id(kid)
                    .authenticate_with_options(claims, &options),
                _ => HS512Key::from_bytes(&secret)
                    .with_key_id(kid)
                    .authenticate_with_options(claims, &options),
            }
            .map_err(wrong);
        }
        let jwk = Value::Object(self.jwk.clone()).to_string();
        with_pair!(self.algorithm, Rsa, Ec =>
            Rsa::from_jwk(&jwk).map_err(wrong)?.with_key_id(kid).sign_with_options(claims, &options),
            Ec::from_jwk(&jwk).map_err(wrong)?.with_key_id(kid).sign_with_options(claims, &options))
        .map_err(wrong)
    }
}

impl Algorithm {
    fn symmetric(self) -> bool {
        matches!(self, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512)
    }

    fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn named(name: &str) -> Option<Algorithm> {
        <Algorithm as clap::ValueEnum>::from_str(name, false).ok()
    }
}

fn pair_jwk(algorithm: Algorithm) -> Result<String, Failure> {
    let wrong = |error: jwt_simple::Error| Failure::new(format!("no key could be made: {error}"));
    Ok(with_pair!(algorithm, Rsa, Ec =>
        Rsa::generate(RSA_BITS).map_err(wrong)?.to_jwk(),
        Ec::generate().to_jwk()))
}

/// Most key types can fail to be written, Ed25519's cannot.
trait Pem {
    fn written(self) -> Result<String, jwt_simple::Error>;
}

impl Pem for String {
    fn written(self) -> Result<String, jwt_simple::Error> {
        Ok(self)
    }
}

impl Pem for Result<String, jwt_simple::Error> {
    fn written(self) -> Result<String, jwt_simple::Error> {
        self
    }
}

fn object(json: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::new(format!("no key could be made: {error}")))
}

fn only(custom: Map<String, Value>) -> JWTClaims<Map<String, Value>> {
    JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom,
    }
}
