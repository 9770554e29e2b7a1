//! Signatures that the host checks, where it can: its code is native, and ours is WebAssembly, which
//! takes some twenty times as long. What it takes and refuses is the same.

use crate::{Algorithm, BadSignature, VerificationKey, probe};
use std::{fmt, sync::Arc};

/// A signature to check, in the form that hosts take it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// `sha256`, `sha384` or `sha512`.
    pub hash: &'static str,
    /// SubjectPublicKeyInfo in DER (RFC 5280 section 4.1).
    pub key: &'a [u8],
    /// RSASSA-PKCS1-v1_5 as it is (RFC 8017 section 8.2), ECDSA as Ecdsa-Sig-Value in DER (RFC 3279
    /// section 2.2.3).
    pub signature: &'a [u8],
    pub message: &'a [u8],
}

/// Code of the host's that checks signatures.
pub trait NativeVerifier: Send + Sync {
    /// Whether the signature is the key's over the message. `None` where the host did not say: the
    /// caller then finds out by itself.
    fn verify(&self, question: &Question<'_>) -> Option<bool>;
}

/// How signatures are checked: by the host where it was found to do so, else by [`VerificationKey`]'s
/// own code, which is the default.
#[derive(Clone, Default)]
pub struct Verifier(Option<Native>);

#[derive(Clone)]
struct Native {
    host: Arc<dyn NativeVerifier>,
    algorithms: Vec<Algorithm>,
}

impl Verifier {
    /// Asks the host to check a signature that is good and one that is not, of each algorithm that
    /// hosts may have: where it does not tell them apart, it is not asked again.
    pub fn probing(host: Arc<dyn NativeVerifier>) -> Verifier {
        let mut algorithms = probe::algorithms();
        algorithms.retain(|algorithm| probe::is_told_apart(&*host, *algorithm));
        let native = Native { host, algorithms };
        Verifier((!native.algorithms.is_empty()).then_some(native))
    }

    /// The algorithms that the host serves.
    pub fn served(&self) -> &[Algorithm] {
        self.0.as_ref().map_or(&[], |native| &native.algorithms)
    }

    /// As [`VerificationKey::verify`], whoever does the arithmetic.
    ///
    /// # Errors
    /// That the signature is not this key's over the message.
    pub fn verify(
        &self,
        key: &VerificationKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        match self.by_host(key, message, signature) {
            Some(said) => said,
            None => key.verify(message, signature),
        }
    }

    /// `None` where it is not the host that tells.
    fn by_host(
        &self,
        key: &VerificationKey,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Result<(), BadSignature>> {
        let native = self.0.as_ref()?;
        if !native.algorithms.contains(&key.algorithm()) {
            return None;
        }
        ask(&*native.host, key, message, signature)
    }
}

/// What the host says; `None` where it is not to be asked, or does not say.
pub(crate) fn ask(
    host: &dyn NativeVerifier,
    key: &VerificationKey,
    message: &[u8],
    signature: &[u8],
) -> Option<Result<(), BadSignature>> {
    let (hash, info) = (hash(key.algorithm())?, key.info()?);
    let Ok(signature) = key.in_der(signature) else {
        return Some(Err(BadSignature));
    };
    let question = Question {
        hash,
        key: info,
        signature: &signature,
        message,
    };
    let good = host.verify(&question)?;
    Some(good.then_some(()).ok_or(BadSignature))
}

/// The hash of those algorithms that hosts have: neither RSASSA-PSS nor Ed25519 is among them.
fn hash(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => Some("sha256"),
        Algorithm::RS384 | Algorithm::ES384 => Some("sha384"),
        Algorithm::RS512 => Some("sha512"),
        _ => None,
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.served()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Material, encoding,
        private::EcPrivateKey,
        public::{Curve, Hash},
    };
    use std::sync::Mutex;

    type Says = fn(&Question<'_>) -> Option<bool>;

    /// Answers as it is told, and remembers what it was asked.
    struct Host {
        says: Says,
        asked: Mutex<Vec<Vec<u8>>>,
    }

    impl NativeVerifier for Host {
        fn verify(&self, question: &Question<'_>) -> Option<bool> {
            let mut asked = self.asked.lock().expect("no panic before");
            asked.push(question.signature.to_vec());
            (self.says)(question)
        }
    }

    fn host(says: Says) -> Arc<Host> {
        Arc::new(Host {
            says,
            asked: Mutex::default(),
        })
    }

    /// Tells apart what it is probed with, and says this of the rest.
    fn passes(question: &Question<'_>, of_the_rest: Option<bool>) -> Option<bool> {
        match question.message {
            b"portcullis" => Some(true),
            b"Portcullis" => Some(false),
            _ => of_the_rest,
        }
    }

    /// A P-256 key, and its signature over `message`.
    fn signed() -> (VerificationKey, Vec<u8>) {
        let key = EcPrivateKey::new(Curve::P256, &[7; 32]).expect("a key");
        let signature = key.sign(Hash::Sha256, b"message").expect("a signature");
        let (x, y) = (&key.public.x, &key.public.y);
        let material = Material::Ec { x, y };
        let key = VerificationKey::new(Algorithm::ES256, &material);
        (key.expect("a key"), signature)
    }

    #[test]
    fn a_host_that_does_not_tell_signatures_apart_is_not_asked() {
        let liars: [Says; 5] = [
            |_| Some(true),
            |_| Some(false),
            |_| None,
            |it| passes(it, None).filter(|good| *good),
            |it| passes(it, None).filter(|good| !*good),
        ];
        for says in liars {
            let verifier = Verifier::probing(host(says));
            assert_eq!(verifier.served(), []);
            let (key, signature) = signed();
            assert_eq!(verifier.verify(&key, b"message", &signature), Ok(()));
            assert_eq!(
                verifier.verify(&key, b"massage", &signature),
                Err(BadSignature)
            );
        }
    }

    #[test]
    fn a_host_serves_what_it_was_found_to_serve() {
        let only_256 = |it: &Question<'_>| passes(it, None).filter(|_| it.hash == "sha256");
        let verifier = Verifier::probing(host(only_256));
        assert_eq!(verifier.served(), [Algorithm::RS256, Algorithm::ES256]);
        let all = Verifier::probing(host(|it| passes(it, None)));
        assert_eq!(all.served(), probe::algorithms());
    }

    #[test]
    fn what_the_host_says_holds_and_where_it_says_nothing_our_own_code_does() {
        let (key, good) = signed();
        let bad = [&[1; 32][..], &[1; 32]].concat();
        // What the host says, of which signature, what comes of it.
        let table: [(Says, &[u8], bool); 6] = [
            (|it| passes(it, Some(true)), &good, true),
            (|it| passes(it, Some(true)), &bad, true),
            (|it| passes(it, Some(false)), &good, false),
            (|it| passes(it, Some(false)), &bad, false),
            (|it| passes(it, None), &good, true),
            (|it| passes(it, None), &bad, false),
        ];
        for (says, signature, expected) in table {
            let verifier = Verifier::probing(host(says));
            let found = verifier.verify(&key, b"message", signature);
            assert_eq!(found.is_ok(), expected);
        }
    }

    #[test]
    fn the_host_is_asked_in_der_and_not_of_what_has_another_form() {
        let (key, good) = signed();
        let host = host(|it| passes(it, Some(true)));
        let verifier = Verifier::probing(Arc::clone(&host) as Arc<dyn NativeVerifier>);
        let probes = host.asked.lock().expect("no panic before").len();
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let order = base16ct::lower::decode_vec(order).expect("hexadecimal");
        let (r, s) = good.split_at(32);
        let odd = [
            Vec::new(),
            good[..63].to_vec(),
            [&good, &[0][..]].concat(),
            [&[0], &good[..]].concat(),
            [&[0; 32], s].concat(),
            [r, &[0; 32]].concat(),
            [&order, s].concat(),
            [r, &order].concat(),
            [r, &[0xff; 32]].concat(),
            encoding::to_hex(&good).into_bytes(),
        ];
        for signature in odd {
            let found = verifier.verify(&key, b"message", &signature);
            assert_eq!(found, Err(BadSignature), "{signature:02x?}");
        }
        // A number below 128 takes a byte, and one whose first bit is set a zero before it.
        let small = [&[0; 31][..], &[1], &[0x80], &[0; 31]].concat();
        assert_eq!(verifier.verify(&key, b"message", &small), Ok(()));
        let asked = host.asked.lock().expect("no panic before");
        let in_der = [&[0x30, 0x26, 2, 1, 1, 2, 0x21, 0, 0x80][..], &[0; 31]].concat();
        assert_eq!(asked[probes..], [in_der]);
    }
}
