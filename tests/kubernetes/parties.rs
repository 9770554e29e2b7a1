//! Who asks and who is asked: services with certificates of a mesh, and an identity provider. They live as long as the
//! test, so that no private key stands in a file.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis_crypto::{Algorithm, Hasher, SigningKey, encoding::to_standard};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the environment of every proxy has: of any use as a key.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

pub struct Parties {
    authority: CertifiedIssuer<'static, KeyPair>,
    tokens: KeyPair,
}

impl Parties {
    pub fn new() -> Parties {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // What has the subject of its issuer would be taken for self-signed.
        params
            .distinguished_name
            .push(DnType::CommonName, "the authority");
        Parties {
            authority: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
            tokens: KeyPair::generate().unwrap(),
        }
    }

    /// Whom everybody trusts.
    pub fn authority(&self) -> Value {
        json!({"inline_string": self.authority.pem()})
    }

    /// A certificate of a name or, with a scheme, of an identity.
    pub fn certificate(&self, of: &str) -> Value {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(match of.contains("://") {
            true => SanType::URI(of.try_into().unwrap()),
            false => SanType::DnsName(of.try_into().unwrap()),
        });
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.authority).unwrap();
        json!([{
            "certificate_chain": {"inline_string": chain.pem()},
            "private_key": {"inline_string": key.serialize_pem()},
        }])
    }

    /// The provider's key set.
    pub fn keys(&self) -> String {
        let point = self.tokens.public_key_raw();
        let coordinate = |from: usize| BASE64_URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "test",
            "x": coordinate(1), "y": coordinate(33),
        });
        json!({"keys": [key]}).to_string()
    }

    /// One that it made for alice.
    pub fn token(&self, scope: &str) -> String {
        let claims = json!({
            "iss": "https://idp.example.com", "aud": "orders", "sub": "alice",
            "scope": scope, "exp": now() + 600,
        });
        let header = json!({"alg": "ES256", "kid": "test"});
        let part = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = SigningKey::from_pem(Algorithm::ES256, &self.tokens.serialize_pem()).unwrap();
        let signature = signature(&key, &signed);
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `Content-Digest` (RFC 9530 section 2).
pub fn digest(body: &str) -> String {
    let mut hash = Hasher::sha256();
    hash.update(body.as_bytes());
    format!("sha-256=:{}:", to_standard(&hash.finish()))
}

/// What `orders` puts on a request to `payments` (RFC 9421 section 2.5).
pub fn signed(method: &str, path: &str, digest: &str) -> Vec<(String, String)> {
    let nonce = KeyPair::generate().unwrap().public_key_raw().to_vec();
    let parameters = format!(
        "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created={};nonce=\"{}\";keyid=\"orders-2026\";alg=\"hmac-sha256\"",
        now(),
        to_standard(&nonce)
    );
    let base = format!(
        "\"@method\": {method}\n\"@authority\": shop\n\"@path\": {path}\n\"@query\": ?\n\"content-digest\": {digest}\n\"@signature-params\": {parameters}"
    );
    let signature = signature(&SigningKey::from_secret(SECRET.into()), &base);
    vec![
        ("content-digest".into(), digest.into()),
        ("signature-input".into(), format!("sig={parameters}")),
        (
            "signature".into(),
            format!("sig=:{}:", to_standard(&signature)),
        ),
    ]
}

fn signature(key: &SigningKey, message: &str) -> Vec<u8> {
    let signed = key.sign(message.as_bytes(), &mut |_| ());
    signed.unwrap_or_else(|_| panic!("no signature"))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}
