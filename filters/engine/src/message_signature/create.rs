//! Making a signature (RFC 9421 section 3.1), and asking for one (section 5).

use super::{
    component::Component,
    message::{Message, Unavailable, base},
};
use crate::crypto::{CannotSign, SigningKey};
use sfv::{BareItem, Integer, KeyRef, Parameters};
use std::fmt;

/// What a signature shall say of itself. Times are seconds since the Unix epoch.
#[derive(Clone, Copy)]
pub struct Proposal<'p> {
    pub label: &'p str,
    pub components: &'p [Component],
    pub key_id: &'p str,
    pub created: Option<i64>,
    pub expires: Option<i64>,
    pub nonce: Option<&'p str>,
    pub tag: Option<&'p str>,
    /// Whether the algorithm is named, so that a verifier that knows another refuses.
    pub name_algorithm: bool,
}

/// The two fields to add to the message, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub signature_input: String,
    pub signature: String,
    pub base: String,
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateError {
    Unavailable(Unavailable),
    /// A label or parameter that structured fields do not take.
    Parameter(&'static str),
    Algorithm,
}

/// Signs a message. `random` fills a buffer with randomness, which RSA asks for.
///
/// # Errors
/// A component that the message does not have, or a parameter that cannot be written.
pub fn sign(
    message: &Message<'_>,
    proposal: &Proposal<'_>,
    key: &SigningKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Signed, CreateError> {
    let label = key_of(proposal.label, "label")?;
    let mut parameters = Parameters::new();
    for (name, seconds) in [("created", proposal.created), ("expires", proposal.expires)] {
        if let Some(seconds) = seconds {
            let seconds = Integer::try_from(seconds).map_err(|_| CreateError::Parameter("time"))?;
            parameters.insert(key_of(name, name)?.to_owned(), BareItem::Integer(seconds));
        }
    }
    let algorithm = key.algorithm().http_name().ok_or(CreateError::Algorithm)?;
    for (name, value) in [
        ("keyid", Some(proposal.key_id)),
        ("alg", proposal.name_algorithm.then_some(algorithm)),
        ("nonce", proposal.nonce),
        ("tag", proposal.tag),
    ] {
        if let Some(value) = value {
            parameters.insert(key_of(name, name)?.to_owned(), string(value, name)?);
        }
    }
    let list = list(proposal.components, &parameters)?;
    let base = base(message, proposal.components, &list).map_err(CreateError::Unavailable)?;
    let signature = key
        .sign(base.as_bytes(), random)
        .map_err(|CannotSign| CreateError::Algorithm)?;
    let mut field = sfv::DictSerializer::new();
    let _ = field.bare_item(label, signature.as_slice());
    Ok(Signed {
        signature_input: format!("{}={list}", proposal.label),
        signature: field.finish().unwrap_or_default(),
        base,
    })
}

/// The value of `Accept-Signature`: what a client's next try must cover, and that it says when it
/// was made.
pub fn accept(components: &[Component], tag: Option<&str>) -> Option<String> {
    let mut parameters = Parameters::new();
    parameters.insert(
        KeyRef::from_str("created").ok()?.to_owned(),
        BareItem::Boolean(true),
    );
    if let Some(tag) = tag {
        let tag = string(tag, "tag").ok()?;
        parameters.insert(KeyRef::from_str("tag").ok()?.to_owned(), tag);
    }
    Some(format!("sig1={}", list(components, &parameters).ok()?))
}

fn list(components: &[Component], parameters: &Parameters) -> Result<String, CreateError> {
    let mut list = sfv::ListSerializer::new();
    let mut items = list.inner_list();
    for component in components {
        let item: sfv::Item = sfv::Parser::new(component.identifier())
            .parse()
            .map_err(|_| CreateError::Parameter("component"))?;
        items.items([&item]);
    }
    let _ = items.finish().parameters(parameters);
    list.finish().ok_or(CreateError::Parameter("component"))
}

fn key_of<'k>(text: &'k str, what: &'static str) -> Result<&'k KeyRef, CreateError> {
    KeyRef::from_str(text).map_err(|_| CreateError::Parameter(what))
}

fn string(text: &str, what: &'static str) -> Result<BareItem, CreateError> {
    let text = sfv::String::from_string(text.to_owned());
    text.map(BareItem::String)
        .map_err(|_| CreateError::Parameter(what))
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreateError::Unavailable(why) => f.write_str(why.message()),
            CreateError::Parameter(name) => {
                write!(
                    f,
                    "the {name} holds what a structured field cannot (RFC 9651)"
                )
            }
            CreateError::Algorithm => f.write_str("the key signs with no algorithm of RFC 9421"),
        }
    }
}

impl std::error::Error for CreateError {}
