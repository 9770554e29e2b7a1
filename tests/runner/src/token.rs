//! A scenario's tokens, keys and certificates: specifications become texts, each once, when first named.

use crate::{
    certificates::Authority,
    error::Error,
    folder::Scenario,
    keys::{Key, Keyring, Private},
    mint::{self, Content, Minter, Order},
    pipe::Pipe,
    scenario::{
        CasesFile, MacEncoding, MacSpec, MinterName, SecretSpec, SignSpec, SignerName, Tamper,
        TokenSpec,
    },
    servers,
    sign::{self, Fields, SignOrder, Signer},
    subject::{Exchange, Tls},
    template::{self, Names},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

/// What templates of one scenario stand for.
pub struct Purse<'a> {
    scenario: &'a Scenario,
    file: &'a CasesFile,
    keys: BTreeMap<String, Key>,
    clients: BTreeMap<String, Tls>,
    minters: &'a RefCell<Minters>,
    now: u64,
    minted: RefCell<HashMap<String, String>>,
}

/// Those there are; Python signs unless a token or a signature says otherwise.
pub struct Minters {
    pub python: Option<Pipe>,
    pub node: Option<Pipe>,
    pub native_minter: mint::Native,
    pub native_signer: sign::Native,
}

impl Minters {
    fn minter(&mut self, wanted: Option<MinterName>) -> Result<&mut dyn Minter, String> {
        match (wanted, &mut self.python) {
            (Some(MinterName::Native), _) | (None, None) => Ok(&mut self.native_minter),
            (_, Some(python)) => Ok(python),
            (Some(MinterName::Pyjwt), None) => Err("needs PyJWT, which is not there".into()),
        }
    }

    fn signer(&mut self, wanted: SignerName, twin: bool) -> Result<&mut dyn Signer, String> {
        match (wanted, &mut self.python, &mut self.node) {
            (SignerName::Pypi, Some(python), _) => Ok(python),
            (SignerName::Pypi, None, _) if twin => Err("needs Python, which is not there".into()),
            (SignerName::Npm, _, Some(node)) => Ok(node),
            (SignerName::Native, ..) | (SignerName::Pypi, None, _) => Ok(&mut self.native_signer),
            (SignerName::Npm, _, None) => Err("needs Node and npm, which are not there".into()),
        }
    }
}

impl<'a> Purse<'a> {
    pub fn new(
        scenario: &'a Scenario,
        keyring: &Keyring,
        authority: &Authority,
        minters: &'a RefCell<Minters>,
        now: u64,
    ) -> Result<Self, Error> {
        let file = &scenario.file;
        let keys = file
            .keys
            .iter()
            .map(|(name, spec)| Ok((name.clone(), keyring.key(name, spec)?)))
            .collect::<Result<_, Error>>()?;
        let clients = file
            .certificates
            .iter()
            .map(|(name, spec)| Ok((name.clone(), authority.somebody(name, spec)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Purse {
            scenario,
            file,
            keys,
            clients,
            minters,
            now,
            minted: RefCell::default(),
        })
    }

    /// The client that shows this certificate.
    pub fn client(&self, certificate: &str) -> Result<&Tls, Error> {
        self.clients.get(certificate).ok_or_else(|| {
            Error::Certificate(
                certificate.to_owned(),
                format!("is not among {:?}", self.clients.keys()),
            )
        })
    }

    /// A token as the one of that name, with these claims over its own.
    pub fn like(&self, name: &str, claims: Map<String, Value>) -> Result<String, Error> {
        let mut spec = self.spec(name)?.clone();
        spec.claims.extend(claims);
        self.make(name, &spec)
    }

    fn spec(&self, name: &str) -> Result<&TokenSpec, Error> {
        self.file.tokens.get(name).ok_or_else(|| {
            Error::Token(
                name.to_owned(),
                format!("is not among {:?}", self.file.tokens.keys()),
            )
        })
    }

    pub fn find(&self, name: &str) -> Result<&Key, Error> {
        self.keys.get(name).ok_or_else(|| {
            Error::Key(
                name.to_owned(),
                format!("is not among the keys {:?}", self.keys.keys()),
            )
        })
    }

    fn make(&self, name: &str, spec: &TokenSpec) -> Result<String, Error> {
        if let Some(raw) = &spec.raw {
            return template::text(self, raw);
        }
        if let Some(from) = &spec.from {
            let token = self.token(from)?;
            let changed = spec
                .tamper
                .map_or_else(|| Some(token.clone()), |how| tamper(&token, how));
            return changed
                .ok_or_else(|| Error::Token(name.to_owned(), "cannot be changed".into()));
        }
        if let Some(segments) = &spec.segments
            && let Some(signature) = &segments.signature
        {
            let [header, payload] = self.segments(&segments.header, &segments.payload)?;
            let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
            return Ok(format!(
                "{}.{}.{signature}",
                encode(&header),
                encode(&payload)
            ));
        }
        self.sign(name, spec)
    }

    fn sign(&self, name: &str, spec: &TokenSpec) -> Result<String, Error> {
        let from_secret;
        let key = match (&spec.key, &spec.secret) {
            (_, Some(secret)) => {
                from_secret = Key {
                    algorithm: "HS256".into(),
                    private: Private::Secret(self.secret(name, secret)?),
                    jwk: Map::new(),
                    public_pem: None,
                };
                &from_secret
            }
            (Some(key), None) => self.find(key)?,
            (None, None) => {
                let message = "needs `key`, `secret`, `raw`, `from` or a signature of its own";
                return Err(Error::Token(name.to_owned(), message.into()));
            }
        };
        let algorithm = spec.algorithm.as_deref().unwrap_or(&key.algorithm);
        let mut usual = Map::new();
        usual.insert("typ".into(), "JWT".into());
        if let Some(kid) = key.jwk.get("kid") {
            usual.insert("kid".into(), kid.clone());
        }
        let header = overlay(usual, &template::deep_map(self, &spec.header)?);
        let claims = template::deep_map(self, &self.file.claims)?;
        let claims = overlay(claims, &template::deep_map(self, &spec.claims)?);
        let segments = match &spec.segments {
            Some(segments) => Some(self.segments(&segments.header, &segments.payload)?),
            // PyJWT refuses to use a PEM as a secret; a forger does not.
            None if spec.secret.is_some() => {
                let mut header = header.clone();
                header.insert("alg".into(), algorithm.into());
                Some([
                    Value::Object(header).to_string(),
                    Value::Object(claims.clone()).to_string(),
                ])
            }
            None => None,
        };
        let content = match &segments {
            Some([header, payload]) => Content::Segments { header, payload },
            None => Content::Claims {
                header: &header,
                claims: &claims,
            },
        };
        let mut minters = self.minters.borrow_mut();
        let without_pyjwt = minters.python.is_none();
        minters
            .minter(spec.minter)
            .and_then(|minter| {
                minter.mint(&Order {
                    key,
                    algorithm,
                    content,
                })
            })
            .map_err(|message| match without_pyjwt {
                true => Error::Unminted(name.to_owned(), message),
                false => Error::Token(name.to_owned(), message),
            })
    }

    /// Signs a request as it stands.
    pub fn sign_request(&self, spec: &SignSpec, exchange: &Exchange) -> Result<Fields, Error> {
        let key = self.find(&spec.key)?;
        let seconds = |text: &Option<String>| -> Result<Option<i64>, Error> {
            let Some(text) = text else { return Ok(None) };
            let text = template::text(self, text)?;
            let wrong = || Error::Token(spec.label.clone(), format!("`{text}` is no time"));
            text.parse().map(Some).map_err(|_| wrong())
        };
        let created = match seconds(&spec.created)? {
            _ if !spec.dated => None,
            Some(created) => Some(created),
            None => i64::try_from(self.now).ok(),
        };
        let order = SignOrder {
            key,
            key_id: spec.keyid.as_deref().unwrap_or(&spec.key),
            label: &spec.label,
            components: &spec.components,
            created,
            expires: seconds(&spec.expires)?,
            nonce: spec.nonce.as_deref(),
            tag: spec.tag.as_deref(),
            alg: spec.alg,
            twin: spec.twin,
            exchange,
        };
        if spec.twin && spec.signer != SignerName::Pypi {
            let message = "`twin` is for the signer `pypi`".to_owned();
            return Err(Error::Token(spec.label.clone(), message));
        }
        let mut minters = self.minters.borrow_mut();
        let signer = minters
            .signer(spec.signer, spec.twin)
            .map_err(|message| Error::Unminted(spec.label.clone(), message))?;
        signer
            .sign(&order)
            .map_err(|message| Error::Token(spec.label.clone(), message))
    }

    /// The value of a header with an HMAC in it.
    pub fn mac(&self, spec: &MacSpec, body: &[u8]) -> Result<String, Error> {
        let wrong = |message: String| Error::Token(spec.header.clone(), message);
        let secret = match spec.base64 {
            false => spec.secret.clone().into_bytes(),
            true => BASE64_STANDARD
                .decode(&spec.secret)
                .map_err(|error| wrong(error.to_string()))?,
        };
        let text = template::text(self, &spec.text)?;
        let mut message = Vec::new();
        for (index, part) in text.split("{body}").enumerate() {
            if index > 0 {
                message.extend_from_slice(body);
            }
            message.extend_from_slice(part.as_bytes());
        }
        let mac = self.by_python(&spec.header, |python| {
            python.mac(spec.hash, &secret, &message)
        })?;
        let mac = match spec.encoding {
            MacEncoding::Hex => template::hex(&mac),
            MacEncoding::Base64 => BASE64_STANDARD.encode(mac),
        };
        Ok(template::text(self, &spec.value)?.replace("{mac}", &mac))
    }

    /// What only Python makes.
    pub fn by_python<T>(
        &self,
        name: &str,
        make: impl FnOnce(&mut Pipe) -> Result<T, String>,
    ) -> Result<T, Error> {
        let mut minters = self.minters.borrow_mut();
        let unminted = |message| Error::Unminted(name.to_owned(), message);
        let python = minters.python.as_mut();
        let python = python.ok_or_else(|| unminted("needs Python, which is not there".into()))?;
        make(python).map_err(unminted)
    }

    fn secret(&self, name: &str, spec: &SecretSpec) -> Result<Vec<u8>, Error> {
        match spec {
            SecretSpec::Text(text) => Ok(template::text(self, text)?.into_bytes()),
            SecretSpec::Der { der } => {
                let pem = self.pem(der)?;
                let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
                BASE64_STANDARD
                    .decode(base64)
                    .map_err(|error| Error::Token(name.to_owned(), error.to_string()))
            }
        }
    }

    fn segments(&self, header: &Value, payload: &Value) -> Result<[String; 2], Error> {
        let text = |value: &Value| match value {
            Value::String(text) => template::text(self, text),
            other => template::deep(self, other).map(|value| value.to_string()),
        };
        Ok([text(header)?, text(payload)?])
    }
}

impl Names for Purse<'_> {
    fn jwk(&self, key: &str) -> Result<Value, Error> {
        Ok(Value::Object(self.find(key)?.jwk.clone()))
    }

    fn private(&self, key: &str) -> Result<String, Error> {
        match &self.find(key)?.private {
            Private::Pem(pem) => Ok(pem.clone()),
            Private::Secret(_) => Err(Error::Key(key.to_owned(), "has no private half".into())),
        }
    }

    fn pem(&self, key: &str) -> Result<String, Error> {
        let pem = self.find(key)?.public_pem.clone();
        pem.ok_or_else(|| Error::Key(key.to_owned(), "has no public half".into()))
    }

    fn token(&self, token: &str) -> Result<String, Error> {
        if let Some(minted) = self.minted.borrow().get(token) {
            return Ok(minted.clone());
        }
        let made = self.make(token, self.spec(token)?)?;
        self.minted
            .borrow_mut()
            .insert(token.to_owned(), made.clone());
        Ok(made)
    }

    fn fingerprint(&self, certificate: &str) -> Result<String, Error> {
        let facts = self.client(certificate)?.certificate.as_ref();
        Ok(facts.map(|facts| facts.sha256.clone()).unwrap_or_default())
    }

    fn thumbprint(&self, key: &str) -> Result<String, Error> {
        let jwk = &self.find(key)?.jwk;
        // The members that a key of any kind must have, in the order of their names.
        let members: Map<String, Value> = ["crv", "e", "kty", "n", "x", "y"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), jwk.get(name)?.clone())))
            .collect();
        let text = Value::Object(members).to_string();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(text.as_bytes())))
    }

    fn cluster(&self, server: &str) -> Result<String, Error> {
        let known = &self.file.servers;
        match known.contains_key(server) {
            true => Ok(servers::cluster(self.scenario, server)),
            false => {
                let message = format!("is not among the servers {:?}", known.keys());
                Err(Error::Server(server.to_owned(), message))
            }
        }
    }

    fn now(&self) -> u64 {
        self.now
    }
}

fn overlay(mut under: Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in over {
        if value.is_null() {
            under.remove(name);
        } else {
            under.insert(name.clone(), value.clone());
        }
    }
    under
}

fn tamper(token: &str, how: Tamper) -> Option<String> {
    let (signed, signature) = token.rsplit_once('.')?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let with = |bytes: Vec<u8>| Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)));
    match how {
        Tamper::Unsigned => Some(format!("{signed}.")),
        Tamper::Parted => Some(signed.to_owned()),
        Tamper::Signature => {
            let mut bytes = bytes;
            let middle = bytes.len() / 2;
            *bytes.get_mut(middle)? ^= 0x10;
            with(bytes)
        }
        Tamper::Zeros => with(vec![0; bytes.len()]),
        Tamper::Der => with(der(&bytes)?),
        Tamper::Longer => with([&bytes, &[0][..]].concat()),
        Tamper::Led => with([&[0], &bytes[..]].concat()),
        Tamper::Shorter => with(bytes.split_last()?.1.to_vec()),
        Tamper::Order => with(plus_order(&bytes)?),
        Tamper::Alphabet => {
            let other = signature.replace('-', "+").replace('_', "/");
            (other != signature).then(|| format!("{signed}.{other}"))
        }
        Tamper::Bits => {
            // The last letter of 4n + 2 has two bits that count, that of 4n + 3 four.
            let mut letters = signature.to_owned();
            let last = letters.pop()?;
            let index = LETTERS.find(last)?;
            let other = LETTERS.chars().nth(index.checked_add(1)?)?;
            letters.push(other);
            (!signature.len().is_multiple_of(4)).then(|| format!("{signed}.{letters}"))
        }
        Tamper::Payload => {
            let (header, payload) = signed.split_once('.')?;
            let mut claims: Map<String, Value> =
                serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
            claims.insert("admin".into(), true.into());
            let payload = BASE64_URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
            Some(format!("{header}.{payload}.{signature}"))
        }
    }
}

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Ecdsa-Sig-Value (RFC 3279 section 2.2.3) of r || s; curves up to P-384, so lengths fit a byte.
fn der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let digits = bytes.get(start..)?;
        let positive = digits.first().filter(|first| **first >= 0x80).map(|_| 0);
        let digits: Vec<u8> = positive.into_iter().chain(digits.iter().copied()).collect();
        Some([&[2, u8::try_from(digits.len()).ok()?], &digits[..]].concat())
    };
    let both = [integer(r)?, integer(s)?].concat();
    Some([&[0x30, u8::try_from(both.len()).ok()?], &both[..]].concat())
}

/// S + L in little endian (RFC 8032 section 5.1): it satisfies the equation as S does.
fn plus_order(signature: &[u8]) -> Option<Vec<u8>> {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (r, s) = signature.split_at_checked(32)?;
    let mut carry = 0u16;
    let mut sum = Vec::new();
    for (a, b) in s.iter().zip(L) {
        carry += u16::from(*a) + u16::from(b);
        sum.push((carry & 0xff) as u8);
        carry >>= 8;
    }
    (carry == 0).then(|| [r, &sum].concat())
}
