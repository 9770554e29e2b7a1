//! The key that a bundle's signature is verified with.

use super::{
    opened::Opened,
    signature::{self, Key},
    signing,
};
use crate::{failure::Failure, place as at};
use clap::Args;
use portcullis_crypto::{Algorithm, Material, VerificationKey};
use portcullis_engine::bundle::{Bundle, Fault};
use std::str;

#[derive(Args)]
#[group(skip)]
pub struct Verifying {
    /// The public key in PEM, or the shared secret: a file, or `env:NAME` for a variable
    #[arg(long, value_name = "FILE|env:NAME")]
    verification_key: Option<String>,
    /// Such as ES256 [default: the usual one for the key; a shared secret has none]
    #[arg(long, value_name = "ALG", requires = "verification_key", value_parser = signing::algorithm)]
    verification_alg: Option<Algorithm>,
    /// The name that the signature must give the key [default: any]
    #[arg(long, value_name = "ID", requires = "verification_key")]
    key_id: Option<String>,
    /// What the signature must be for [default: nothing]
    #[arg(long, requires = "verification_key")]
    scope: Option<String>,
}

/// How a key goes with a bundle.
pub struct Verified {
    pub bundle: Result<Bundle, Fault>,
    pub algorithm: Algorithm,
    pub scope: Option<String>,
}

/// Of a signature that names no key.
const NAMELESS: &str = "(without a name)";

impl Verifying {
    pub fn is_asked(&self) -> bool {
        self.verification_key.is_some()
    }

    /// By the code that the filter runs. `None` where no key was given.
    pub fn verify(&self, opened: &Opened) -> Result<Option<Verified>, Failure> {
        let Some(place) = &self.verification_key else {
            return Ok(None);
        };
        let key = self.key(place)?;
        let algorithm = key.algorithm();
        let told = opened.told().and_then(|told| told.key_id);
        let anonymous = told.as_ref().is_none_or(String::is_empty);
        // What it says counts where nobody asked for a name: the key alone decides then.
        let id = self.key_id.clone().or(told);
        let id = id.unwrap_or_else(|| NAMELESS.to_owned());
        let verification = signature::verification(Key { id, key }, self.scope.clone(), anonymous);
        Ok(Some(Verified {
            bundle: super::opened::read(opened.packed.clone(), Some(verification)),
            algorithm,
            scope: self.scope.clone(),
        }))
    }

    fn key(&self, place: &str) -> Result<VerificationKey, Failure> {
        let content = match self.verification_alg.is_some_and(Algorithm::is_symmetric) {
            true => at::secret(OPTION, place)?,
            false => at::content(place)?,
        };
        let wrong = |what: &str| Failure::new(format!("--verification-key {place}: {what}"));
        let of_key = |what: &str| wrong(&format!("the key {what}"));
        if let Some(algorithm) = self.verification_alg.filter(|it| it.is_symmetric()) {
            let secret = Material::Octets(signing::secret(&content));
            return VerificationKey::new(algorithm, &secret).map_err(of_key);
        }
        // A public key that were taken for a secret would let everybody sign.
        if !signing::is_pem(&content) {
            return Err(wrong("it is no public key in PEM")
                .hint("a shared secret is named by its algorithm: --verification-alg HS256"));
        }
        match self.verification_alg {
            Some(algorithm) => public_key(&content, &[algorithm], OPTION, place),
            None => public_key(&content, &USUAL, OPTION, place)
                .map_err(|failure| failure.hint("--verification-alg names what it is for")),
        }
    }
}

const OPTION: &str = "--verification-key";

/// A public key in PEM, for the first of the algorithms that it is for.
pub fn public_key(
    content: &[u8],
    algorithms: &[Algorithm],
    option: &str,
    place: &str,
) -> Result<VerificationKey, Failure> {
    let wrong = |what: &str| Failure::new(format!("{option} {place}: {what}"));
    let text = str::from_utf8(content)
        .ok()
        .filter(|_| signing::is_pem(content));
    let text = text.ok_or_else(|| {
        wrong("it is no public key in PEM").hint("`openssl pkey -pubout` prints one")
    })?;
    let mut failed = None;
    for algorithm in algorithms {
        match VerificationKey::from_pem(*algorithm, text) {
            Ok(key) => return Ok(key),
            // What is wrong with the key itself is the same for all.
            Err(why) if why.contains("private key") => {
                return Err(wrong(&format!("the key {why}")));
            }
            // The first one is told.
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    Err(wrong(&format!("the key {}", failed.unwrap_or("is none"))))
}

/// One for each kind of key.
const USUAL: [Algorithm; 5] = [
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];
