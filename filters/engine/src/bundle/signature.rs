//! The signature of a bundle, as OPA has it: `.signatures.json` holds one JWT, whose claim `files`
//! says each file's digest (OPA's `v1/bundle/verify.go`).

use super::{
    Verification,
    fault::{Fault, shown},
    json::{Members, Node},
};
use crate::{
    credential::jwt::Jws,
    crypto::{Algorithm, Hasher},
};
use std::{collections::BTreeMap, sync::Arc};

/// What the signature says of one file.
pub struct Signed {
    algorithm: Digest,
    digest: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Signed {
    pub fn hasher(&self) -> Hasher {
        match self.algorithm {
            Digest::Sha256 => Hasher::sha256(),
            Digest::Sha384 => Hasher::sha384(),
            Digest::Sha512 => Hasher::sha512(),
        }
    }

    pub fn is(&self, digest: &[u8]) -> bool {
        self.digest == digest
    }
}

/// Who signed, and the scope that it must be for.
#[derive(Clone)]
pub struct Signer {
    pub key_id: String,
    pub scope: String,
}

/// Of a token's header, and of its signature.
const MAX_PART: usize = 4 * 1024;

/// The one token that `.signatures.json` holds.
pub fn token(document: &Node) -> Result<&Arc<str>, Fault> {
    if let Some(plugin) = document.member("plugin")
        && !matches!(plugin, Node::Null)
        && plugin.text().is_none_or(|plugin| !plugin.is_empty())
    {
        return Err(Fault::verify(
            "`.signatures.json` names a `plugin`, and there are none here",
        ));
    }
    match document.member("signatures") {
        Some(Node::Array(tokens)) => match tokens.as_slice() {
            [Node::String(token)] => Ok(token),
            [_] => Err(Fault::verify(
                "`.signatures.json` has a signature that is no text",
            )),
            tokens => Err(Fault::verify(format!(
                "`.signatures.json` has {} signatures, and exactly one is taken",
                tokens.len()
            ))),
        },
        _ => Err(Fault::verify("`.signatures.json` has no list `signatures`")),
    }
}

/// Its claims, and who signed them where the configuration or its header says whose key is meant: else
/// nobody has proven them yet.
pub fn open(token: &str, verification: &Verification) -> Result<(Option<Signer>, Vec<u8>), Fault> {
    let jws = parse(token)?;
    let named = verification.key_id.as_deref().or_else(|| {
        let kid = jws.header.get("kid");
        kid.and_then(serde_json::Value::as_str)
    });
    let signer = match named.filter(|named| !named.is_empty()) {
        Some(key_id) => Some(signer(&jws, key_id, verification)?),
        None => None,
    };
    Ok((signer, jws.payload))
}

/// That the key of this id signed the token.
pub fn verify(token: &str, key_id: &str, verification: &Verification) -> Result<Signer, Fault> {
    signer(&parse(token)?, key_id, verification)
}

fn signer(jws: &Jws<'_>, key_id: &str, verification: &Verification) -> Result<Signer, Fault> {
    let key = verification.keys.get(key_id).ok_or_else(|| {
        let known: Vec<String> = verification.keys.keys().map(|key| shown(key)).collect();
        let why = format!(
            "it is signed with the key {}, and the keys here are {}",
            shown(key_id),
            known.join(", ")
        );
        Fault::verify(why)
    })?;
    let own = key.key.algorithm();
    let algorithm = jws.header.get("alg").and_then(serde_json::Value::as_str);
    if algorithm.and_then(Algorithm::parse) != Some(own) {
        let found = algorithm.map_or("absent".to_owned(), shown);
        let why = format!("its signature's `alg` is {found}, and the key's is `{own}`");
        return Err(Fault::verify(why));
    }
    if !jws.is_signed_by(&key.key, &verification.verifier) {
        let why = format!("its signature is not the key {}'s", shown(key_id));
        return Err(Fault::verify(why));
    }
    let scope = verification
        .scope
        .as_ref()
        .filter(|scope| !scope.is_empty());
    let scope = scope.or(key.scope.as_ref()).cloned().unwrap_or_default();
    Ok(Signer {
        key_id: key_id.to_owned(),
        scope,
    })
}

fn parse(token: &str) -> Result<Jws<'_>, Fault> {
    // What is signed with is known before what is signed is read.
    let header = token.split('.').next().unwrap_or_default();
    let signature = token.rsplit('.').next().unwrap_or_default();
    if header.len() > MAX_PART || signature.len() > MAX_PART {
        let why = format!("its signature has a header or a tag of more than {MAX_PART} bytes");
        return Err(Fault::verify(why));
    }
    Jws::parse(token).ok_or_else(|| Fault::verify("its signature is no JWT"))
}

/// The key's id, where it stands among the claims (deprecated in OPA).
pub fn claimed(claims: &Node) -> Result<String, Fault> {
    let key_id = claims.member("keyid").and_then(Node::text);
    key_id
        .filter(|key_id| !key_id.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            Fault::verify(
                "its signature names no key: neither `key_id` here, nor `kid` in its header, nor \
                 the claim `keyid`",
            )
        })
}

/// What it says of files, once it is proven: not read yet.
pub fn files(claims: Node, signer: &Signer) -> Result<Vec<Node>, Fault> {
    let scope = match claims.member("scope") {
        None | Some(Node::Null) => "",
        Some(Node::String(scope)) => scope,
        Some(_) => return Err(Fault::verify("its signature's `scope` is no text")),
    };
    if scope != signer.scope {
        let why = format!(
            "its signature's `scope` is {}, and {} is wanted",
            shown(scope),
            shown(&signer.scope)
        );
        return Err(Fault::verify(why));
    }
    match claims.take("files") {
        Some(Node::Array(files)) => Ok(files),
        _ => Err(Fault::verify("its signature has no list `files`")),
    }
}

/// One of them into the others.
pub fn file(file: &Node, files: &mut BTreeMap<String, Signed>) -> Result<(), Fault> {
    let text = |name| file.member(name).and_then(Node::text);
    let name =
        text("name").ok_or_else(|| Fault::verify("its signature has a file without a `name`"))?;
    let algorithm = match text("algorithm") {
        Some("SHA-256") => Digest::Sha256,
        Some("SHA-384") => Digest::Sha384,
        Some("SHA-512") => Digest::Sha512,
        other => {
            let why = format!(
                "its signature has {} by {}; SHA-256, SHA-384 and SHA-512 are taken",
                shown(name),
                other.map_or("no `algorithm`".to_owned(), shown)
            );
            return Err(Fault::verify(why));
        }
    };
    let no_digest = || {
        let why = format!("its signature has no digest of {} in hex", shown(name));
        Fault::verify(why)
    };
    let digest = text("hash").and_then(|hash| base16ct::mixed::decode_vec(hash).ok());
    let signed = Signed {
        algorithm,
        digest: digest.ok_or_else(no_digest)?,
    };
    match files.insert(name.to_owned(), signed) {
        None => Ok(()),
        Some(_) => Err(Fault::verify(format!(
            "its signature has {} twice",
            shown(name)
        ))),
    }
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match self {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn member(&self, name: &str) -> Option<&Node> {
        let Node::Object(members) = self else {
            return None;
        };
        match members {
            Members::Few(few) => few
                .binary_search_by(|(own, _)| (**own).cmp(name))
                .ok()
                .and_then(|at| few.get(at))
                .map(|(_, node)| node),
            Members::Many(many) => many.get(name),
        }
    }

    fn take(self, name: &str) -> Option<Node> {
        match self {
            Node::Object(Members::Few(few)) => few
                .into_iter()
                .find(|(own, _)| **own == *name)
                .map(|(_, node)| node),
            Node::Object(Members::Many(mut many)) => many.remove(name),
            _ => None,
        }
    }
}
