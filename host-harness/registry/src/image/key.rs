//! The key that signs: a private key in PEM, or one of cosign's, which a password locks (sigstore's
//! `pkg/cryptoutils` and go-securesystemslib's `encrypted`).

use super::manifest::parse;
use crate::Fault;
use portcullis_crypto::{
    Algorithm, Material, VerificationKey, encoding, pem,
    private::PrivateKey,
    public::Curve,
    secretbox::{self, Cost, Locked, StaysLocked},
    sigstore,
};
use serde::Deserialize;

/// It has no `Debug`: it is secret.
pub struct SigningKey(PrivateKey);

/// What cosign and skopeo write before such a key, and what older versions wrote.
const LOCKED: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];
const KINDS: &str = "a P-256, P-384, Ed25519 or RSA key (of 2048 to 4096 bits) is taken, in PKCS #8, \
                     SEC 1 or PKCS #1";
/// PKCS #8 (RFC 5958), whose locks this does not have.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// And what OpenSSL wrote before that (RFC 1421 section 4.6.1.1).
const HEADER: &[u8] = b"\nProc-Type: 4,ENCRYPTED";
const UNLOCKED: &str = "`openssl pkey -in FILE -out NEW` writes it without; `cosign import-key-pair --key NEW` \
                        locks that with a password, which COSIGN_PASSWORD holds here";

#[derive(Deserialize)]
struct Envelope {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl SigningKey {
    /// The password is asked for only where there is something to unlock.
    ///
    /// # Errors
    /// What is wrong with the key, without quoting it; or the password.
    pub fn read(
        text: &[u8],
        password: impl FnOnce() -> Result<Vec<u8>, Fault>,
    ) -> Result<SigningKey, Fault> {
        let mut rest = text;
        let mut password = Some(password);
        let has_header = text.windows(HEADER.len()).any(|part| part == HEADER);
        while let Some((block, behind)) = pem::decode(rest) {
            rest = behind;
            let (label, der) = match (LOCKED.contains(&&*block.label), password.take()) {
                (true, Some(ask)) => ("PRIVATE KEY", unlock(&block.bytes, ask)?),
                (_, kept) => {
                    password = kept;
                    (&*block.label, block.bytes)
                }
            };
            if label == ENCRYPTED || has_header {
                return Err(wrong(
                    "a passphrase encrypts it in a way that is not cosign's",
                    UNLOCKED,
                ));
            }
            let key = PrivateKey::from_pem_block(label, &der).map_err(|why| wrong(why, KINDS))?;
            let Some(key) = key else {
                continue;
            };
            // It shows here what it signs.
            return match (&key, sigstore::sign(&key, b"")) {
                (PrivateKey::Ec(ec), _)
                    if !matches!(ec.public.curve, Curve::P256 | Curve::P384) =>
                {
                    Err(wrong(
                        &format!("it is of {}", ec.public.curve.name()),
                        KINDS,
                    ))
                }
                (_, Ok(_)) => {
                    is_taken(&key).map_err(|why| wrong(&format!("it {why}"), KINDS))?;
                    Ok(SigningKey(key))
                }
                (_, Err(_)) => Err(wrong("it signs nothing", KINDS)),
            };
        }
        Err(wrong("it holds no private key in PEM", KINDS))
    }

    /// As cosign signs a blob: the same bytes each time.
    ///
    /// # Errors
    /// That the key cannot.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        sigstore::sign(&self.0, message).map_err(|_| wrong("it signs nothing", KINDS))
    }
}

/// As whoever verifies takes its public half: what is signed with another one is signed in vain.
fn is_taken(key: &PrivateKey) -> Result<(), &'static str> {
    match key {
        PrivateKey::Rsa(key) => {
            let (n, e) = (&key.public.n, &key.public.e);
            VerificationKey::new(Algorithm::RS256, &Material::Rsa { n, e }).map(|_| ())
        }
        _ => Ok(()),
    }
}

fn unlock(
    envelope: &[u8],
    password: impl FnOnce() -> Result<Vec<u8>, Fault>,
) -> Result<Vec<u8>, Fault> {
    const HINT: &str = "`cosign generate-key-pair` makes one";
    let envelope: Envelope =
        parse(envelope).map_err(|_| wrong("what its password locks is broken", HINT))?;
    if envelope.kdf.name != "scrypt" || envelope.cipher.name != "nacl/secretbox" {
        return Err(wrong(
            "it is locked in another way than cosign's keys",
            HINT,
        ));
    }
    let bytes = |text: &str| {
        encoding::standard(text.as_bytes())
            .map_err(|_| wrong("what its password locks is broken", HINT))
    };
    let (salt, nonce) = (bytes(&envelope.kdf.salt)?, bytes(&envelope.cipher.nonce)?);
    let ciphertext = bytes(&envelope.ciphertext)?;
    let Params { n, r, p } = envelope.kdf.params;
    let locked = Locked {
        cost: Cost { n, r, p },
        salt: &salt,
        nonce: &nonce,
        ciphertext: &ciphertext,
    };
    secretbox::open(&locked, &password()?).map_err(|why| match why {
        StaysLocked::Password => wrong(
            "its password is another one, or it was changed",
            "COSIGN_PASSWORD, or what is typed on the terminal",
        ),
        StaysLocked::Cost => wrong("its scrypt asks for more work than is done here", HINT),
        StaysLocked::Form => wrong("what its password locks is broken", HINT),
    })
}

fn wrong(why: &str, hint: &str) -> Fault {
    Fault::input(format!("the key: {why}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By libsodium, with the password `open sesame`.
    const COSIGN: &str = include_str!("keys/locked.key");
    const SIGSTORE: &str = include_str!("keys/locked-sigstore.key");
    const DEAR: &str = include_str!("keys/locked-dear.key");
    const PLAIN: &str = include_str!("keys/ours.pem");
    const PUBLIC: &str = include_str!("keys/ours.pub");

    fn read(text: &str, password: &str) -> Result<SigningKey, Fault> {
        SigningKey::read(text.as_bytes(), || Ok(password.as_bytes().to_vec()))
    }

    #[test]
    fn a_password_opens_what_cosign_locked() {
        for text in [COSIGN, SIGSTORE] {
            assert!(read(text, "open sesame").is_ok());
            // Whatever stands before it.
            assert!(read(&format!("a key:\n{PUBLIC}{text}"), "open sesame").is_ok());
        }
        let nobody = || Err(Fault::input("nobody was to be asked", ""));
        assert!(SigningKey::read(PLAIN.as_bytes(), nobody).is_ok());
    }

    #[test]
    fn what_is_no_key_is_told_without_quoting_it() {
        let changed = COSIGN.replacen("eyJ", "eyI", 1);
        let curve = include_str!("keys/p521.pem");
        for (text, password, wanted) in [
            (COSIGN, "open", "its password is another one"),
            (DEAR, "open sesame", "more work"),
            (&*changed, "open sesame", "broken"),
            (PUBLIC, "", "holds no private key"),
            ("", "", "holds no private key"),
            (curve, "", "it is of P-521"),
        ] {
            let fault = read(text, password).err().map(|fault| fault.to_string());
            let fault = fault.unwrap_or_default();
            assert!(fault.contains(wanted), "{wanted}: {fault}");
            let lines = text.lines().filter(|line| line.len() > 30);
            for line in lines {
                assert!(!fault.contains(line), "{fault}");
            }
        }
    }
}
