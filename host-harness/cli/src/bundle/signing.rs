//! The key that signs a bundle. It is in a file or in the environment: a command line is seen by others.
//! Each algorithm here makes the same signature of the same bytes, so a bundle that is signed twice is
//! the same one: HMAC, RSA (PSS with a salt of key and message), ECDSA (RFC 6979), Ed25519.

use super::{
    archive::{Files, SIGNATURES},
    signature::{self, Key},
};
use crate::{failure::Failure, place as at};
use clap::Args;
use portcullis_crypto::{
    Algorithm, KeyType, Material, VerificationKey, pem,
    private::PrivateKey,
    public::{Hash, Padding, mac},
};

#[derive(Args)]
#[group(skip)]
pub struct Signing {
    /// Sign it, with a private key in PEM or a shared secret: a file, or `env:NAME` for a variable
    #[arg(long, value_name = "FILE|env:NAME")]
    signing_key: Option<String>,
    /// Such as ES256 [default: the usual one for the key; a shared secret has none]
    #[arg(long, value_name = "ALG", requires = "signing_key", value_parser = algorithm)]
    signing_alg: Option<Algorithm>,
    /// The name by which gates know the key
    #[arg(long, value_name = "ID", requires = "signing_key")]
    key_id: Option<String>,
    /// What the signature is for; gates may insist on one
    #[arg(long, requires = "signing_key")]
    scope: Option<String>,
    /// The signature's `iss`
    #[arg(long, value_name = "NAME", requires = "signing_key")]
    issuer: Option<String>,
}

pub fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Algorithm::ALL.iter().map(|known| known.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

impl Signing {
    pub fn is_asked(&self) -> bool {
        self.signing_key.is_some()
    }

    /// Puts a signature over all files among them, in the place of one that is there.
    pub fn sign(&self, files: &mut Files) -> Result<(), Failure> {
        let Some(place) = &self.signing_key else {
            return Ok(());
        };
        let key_id = self
            .key_id
            .as_deref()
            .ok_or_else(|| Failure::new("there is no --key-id").hint("gates find the key by it"))?;
        let key = SigningKey::read(place, self.signing_alg)?;
        files.remove(SIGNATURES);
        let document = signature::make(
            files,
            &key,
            key_id,
            self.scope.as_deref(),
            self.issuer.as_deref(),
        )?;
        files.insert(SIGNATURES.to_owned(), document);
        // By the gate's own code: a key that it would not take signs nothing.
        let packed = super::archive::pack(files)?;
        let key = key.public(place)?;
        let verification = signature::verification(
            Key {
                id: key_id.to_owned(),
                key,
            },
            self.scope.clone(),
            false,
        );
        super::opened::read(packed, Some(verification))
            .map(|_| ())
            .map_err(|fault| Failure::new(fault.to_string()))
    }
}

/// It has no `Debug`: it is secret.
pub struct SigningKey {
    pub algorithm: Algorithm,
    key: Held,
}

enum Held {
    Private(PrivateKey),
    Secret(Vec<u8>),
}

impl SigningKey {
    fn read(place: &str, algorithm: Option<Algorithm>) -> Result<SigningKey, Failure> {
        let content = match algorithm.is_some_and(Algorithm::is_symmetric) {
            true => at::secret("--signing-key", place)?,
            false => at::content(place)?,
        };
        let wrong = |what: &str| Failure::new(format!("--signing-key {place}: {what}"));
        if let Some(algorithm) = algorithm.filter(|it| it.is_symmetric()) {
            if is_pem(&content) {
                let what = format!("it is a key in PEM, and {algorithm} takes a shared secret");
                return Err(wrong(&what));
            }
            let key = Held::Secret(secret(&content).to_vec());
            return Ok(SigningKey { algorithm, key });
        }
        if !is_pem(&content) {
            return Err(wrong("it is no private key in PEM")
                .hint("a shared secret is named by its algorithm: --signing-alg HS256"));
        }
        let mut rest = content.as_slice();
        let mut found = None;
        while let Some((block, behind)) = pem::decode(rest) {
            if let Some(key) =
                PrivateKey::from_pem_block(&block.label, &block.bytes).map_err(wrong)?
            {
                found = Some(key);
                break;
            }
            rest = behind;
        }
        let key = found.ok_or_else(|| {
            wrong("it holds no private key: PKCS #8, SEC 1 or PKCS #1, and not encrypted")
        })?;
        let (usual, kind) = match &key {
            PrivateKey::Rsa(_) => (Algorithm::RS256, KeyType::Rsa),
            PrivateKey::Ec(key) => match key.d.len() {
                32 => (Algorithm::ES256, KeyType::P256),
                48 => (Algorithm::ES384, KeyType::P384),
                _ => (Algorithm::ES512, KeyType::P521),
            },
            PrivateKey::Ed25519(_) => (Algorithm::EdDSA, KeyType::Ed25519),
            PrivateKey::X25519 => return Err(wrong("it is an X25519 key, which signs nothing")),
        };
        let algorithm = algorithm.unwrap_or(usual);
        if algorithm.key_type() != kind {
            return Err(wrong(&format!("the key is none for {algorithm}"))
                .hint(format!("{usual} is usual for it")));
        }
        let key = Held::Private(key);
        Ok(SigningKey { algorithm, key })
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let hash = match self.algorithm {
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 | Algorithm::HS384 => {
                Hash::Sha384
            }
            Algorithm::RS512 | Algorithm::PS512 | Algorithm::ES512 | Algorithm::HS512 => {
                Hash::Sha512
            }
            _ => Hash::Sha256,
        };
        let signed = match &self.key {
            Held::Secret(secret) => Ok(mac(hash, secret, message)),
            Held::Private(PrivateKey::Rsa(key)) => {
                let padding = match self.algorithm {
                    Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => Padding::Pss,
                    _ => Padding::Pkcs1,
                };
                key.sign(padding, hash, message)
            }
            Held::Private(PrivateKey::Ec(key)) => key.sign(hash, message),
            Held::Private(PrivateKey::Ed25519(key)) => Ok(key.sign(message)),
            Held::Private(PrivateKey::X25519) => return Err(Failure::new("X25519 signs nothing")),
        };
        signed.map_err(|_| Failure::new(format!("the key does not sign {}", self.algorithm)))
    }

    /// The key that verifies.
    fn public(&self, place: &str) -> Result<VerificationKey, Failure> {
        let ed25519;
        let material = match &self.key {
            Held::Secret(secret) => Material::Octets(secret),
            Held::Private(PrivateKey::Rsa(key)) => Material::Rsa {
                n: &key.public.n,
                e: &key.public.e,
            },
            Held::Private(PrivateKey::Ec(key)) => Material::Ec {
                x: &key.public.x,
                y: &key.public.y,
            },
            Held::Private(PrivateKey::Ed25519(key)) => {
                ed25519 = key.public();
                Material::Okp { x: &ed25519 }
            }
            Held::Private(PrivateKey::X25519) => return Err(Failure::new("X25519 signs nothing")),
        };
        VerificationKey::new(self.algorithm, &material).map_err(|wrong| {
            Failure::new(format!("--signing-key {place}: the key {wrong}"))
                .hint("no gate would take it")
        })
    }
}

pub fn is_pem(content: &[u8]) -> bool {
    content.windows(BEGIN.len()).any(|part| part == BEGIN)
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// Without the line break that editors put at the end of a file.
pub fn secret(content: &[u8]) -> &[u8] {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    content.strip_suffix(b"\r").unwrap_or(content)
}
