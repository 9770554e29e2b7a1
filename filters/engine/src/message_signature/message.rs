//! The message that a signature is over, and the text that is signed (RFC 9421 section 2.5).

use super::{
    component::{Component, Derived, Form, What},
    field, sf,
};
use crate::{fields::is_twin, query};
use sfv::{Dictionary, ListEntry};
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, btree_map::Entry},
};

/// A request as it was received: nothing was removed from it yet.
pub struct Message<'m> {
    headers: Vec<(&'m str, &'m str)>,
    scheme: Option<&'m str>,
    /// Fields that were read as dictionaries, each once, however many members are covered.
    dictionaries: RefCell<BTreeMap<String, Option<Dictionary>>>,
    /// The query's parameters, read once too.
    parameters: OnceCell<Parameters>,
}

/// By name, percent-encoded; `None` where the query cannot be read.
type Parameters = Option<BTreeMap<String, Parameter>>;

enum Parameter {
    /// Percent-encoded.
    Once(String),
    /// More than one stands under the name.
    Several,
    /// Its bytes are not UTF-8, and have no one form to be signed in.
    NotText,
}

/// Why a covered component has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(String);

impl Unavailable {
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl<'m> Message<'m> {
    /// Of header lines in order, pseudo-headers among them. `scheme` is for hosts that have no
    /// `:scheme`. `None` where a value is not UTF-8.
    pub fn new(headers: &[(&'m str, &'m [u8])], scheme: Option<&'m str>) -> Option<Message<'m>> {
        let text =
            |(name, value): &(&'m str, &'m [u8])| Some((*name, std::str::from_utf8(value).ok()?));
        Some(Message {
            headers: headers.iter().map(text).collect::<Option<_>>()?,
            scheme,
            dictionaries: RefCell::default(),
            parameters: OnceCell::new(),
        })
    }

    /// Every line of a field, without the white space around its value.
    fn lines(&self, name: &str) -> impl Iterator<Item = &'m str> {
        self.headers
            .iter()
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| value.trim_matches([' ', '\t']))
    }

    /// All lines of a field as one (section 2.1); `None` where there is none.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut lines: Vec<&str> = self.lines(name).collect();
        // A proxy that speaks HTTP/2 has made `:authority` of it (RFC 9113 section 8.3.1).
        if lines.is_empty() && name == "host" {
            lines.extend(self.lines(":authority"));
        }
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// Whether the request has this part: `CONNECT` and `OPTIONS *` have no path. One that is there may
    /// still have no value that could be signed.
    pub(crate) fn has(&self, component: &Component) -> bool {
        let lines = |name| self.lines(name).next();
        match component.what() {
            What::Field { name, .. } => self.field(name).is_some(),
            What::Derived(Derived::Path | Derived::Query | Derived::TargetUri) => {
                lines(":method") != Some("CONNECT") && lines(":path") != Some("*")
            }
            What::Derived(_) => true,
        }
    }

    fn value(&self, component: &Component) -> Result<String, Unavailable> {
        let value = match component.what() {
            What::Derived(derived) => self.derived(derived),
            What::Field { name, form } => self.of_field(name, form),
        };
        match value {
            // It would end the component's line early, and start another of the sender's choice.
            Ok(value) if value.contains(['\n', '\r']) => Err("holds the end of a line"),
            // A signature base is ASCII; what is not is covered as bytes (section 2.1.3).
            Ok(value) if !value.is_ascii() => Err("is not ASCII, and was not covered with `bs`"),
            other => other,
        }
        .map_err(|why| Unavailable(format!("{} {why}", component.identifier())))
    }

    fn of_field(&self, name: &str, form: &Form) -> Result<String, &'static str> {
        const ABSENT: &str = "is not in the request";
        // An upstream may fold both into one, and read the one that nobody signed.
        let mut names = self.headers.iter().map(|(found, _)| *found);
        if names.any(|found| found != name && is_twin(found, name)) {
            return Err("stands beside another spelling of its name");
        }
        match form {
            Form::Plain => self.field(name).ok_or(ABSENT),
            Form::Strict => field::strict(name, &self.field(name).ok_or(ABSENT)?),
            Form::Member(key) => self.member(name, key),
            Form::Bytes => {
                let mut list = sfv::ListSerializer::new();
                for line in self.lines(name) {
                    let _ = list.bare_item(line.as_bytes());
                }
                list.finish().ok_or(ABSENT)
            }
        }
    }

    fn member(&self, name: &str, key: &str) -> Result<String, &'static str> {
        let mut read = self.dictionaries.borrow_mut();
        let dictionary = read
            .entry(name.to_owned())
            .or_insert_with(|| sf::dictionary(&self.field(name)?).ok());
        let Some(dictionary) = dictionary else {
            return Err("is of a field that is absent or no dictionary");
        };
        let mut list = sfv::ListSerializer::new();
        match dictionary.get(key) {
            None => return Err("is not in its dictionary"),
            Some(ListEntry::Item(item)) => {
                let _ = list.bare_item(&item.bare_item).parameters(&item.params);
            }
            Some(ListEntry::InnerList(inner)) => {
                let mut items = list.inner_list();
                items.items(&inner.items);
                let _ = items.finish().parameters(&inner.params);
            }
        }
        list.finish().ok_or("is not in its dictionary")
    }

    fn derived(&self, derived: &Derived) -> Result<String, &'static str> {
        let one = |name| self.lines(name).next();
        let method = one(":method").ok_or("has no value without a method")?;
        let target = || one(":path").filter(|_| method != "CONNECT");
        let path = || {
            // `OPTIONS *` has no path (RFC 9110 section 9.3.7).
            target()
                .filter(|path| path.starts_with(['/', '?']) || path.is_empty())
                .ok_or("has no value without a path")
        };
        let authority = || one(":authority").ok_or("has no value without an authority");
        let scheme = || {
            let scheme = one(":scheme").or(self.scheme);
            scheme
                .map(str::to_ascii_lowercase)
                .ok_or("has no value without a scheme")
        };
        Ok(match derived {
            Derived::Method => method.to_owned(),
            Derived::Scheme => scheme()?,
            Derived::Authority => normal_authority(authority()?, &scheme().unwrap_or_default())?,
            Derived::TargetUri => format!("{}://{}{}", scheme()?, authority()?, path()?),
            Derived::RequestTarget => match target() {
                Some(target) => target.to_owned(),
                None => authority()?.to_owned(),
            },
            Derived::Path => match query::split(path()?).0 {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
            Derived::Query => format!("?{}", query::split(path()?).1.unwrap_or("")),
            Derived::QueryParam(name) => {
                let query = query::split(path()?).1.unwrap_or("");
                let parameters = self.parameters.get_or_init(|| parameters(query));
                let parameters = parameters.as_ref();
                let parameters = parameters.ok_or("is of a query that cannot be read")?;
                match parameters.get(name) {
                    Some(Parameter::Once(value)) => value.clone(),
                    Some(Parameter::Several) => {
                        return Err("stands more than once in the query (RFC 9421 section 2.2.8)");
                    }
                    Some(Parameter::NotText) => return Err("is not UTF-8"),
                    None => return Err("is not in the query"),
                }
            }
        })
    }
}

/// The parameters of a query as the URL standard reads a form, but that what is not UTF-8 is not
/// made to be some: other bytes than were signed would have the same value.
fn parameters(query: &str) -> Parameters {
    let mut found = BTreeMap::new();
    for parameter in query::exact_parameters(query) {
        let (name, value) = parameter.ok()?;
        // One whose name is not text is none that could be covered.
        let Some(name) = name else { continue };
        let parameter = match value {
            Some(value) => Parameter::Once(query::form_encode(&value)),
            None => Parameter::NotText,
        };
        match found.entry(query::form_encode(&name)) {
            Entry::Vacant(entry) => {
                entry.insert(parameter);
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Parameter::Several);
            }
        }
    }
    Some(found)
}

/// Lower-case, without the port that goes without saying (section 2.2.3).
fn normal_authority(authority: &str, scheme: &str) -> Result<String, &'static str> {
    if authority.contains('@') {
        return Err("holds user information");
    }
    let lower = authority.to_ascii_lowercase();
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Ok(lower),
    };
    let host = lower.strip_suffix(usual);
    // Not inside the brackets of an IPv6 address, where there is no port.
    Ok(host
        .filter(|host| !host.is_empty())
        .unwrap_or(&lower)
        .to_owned())
}

/// The signature base (section 2.5): a line for each component, then the parameters.
///
/// # Errors
/// The first component that has no value.
pub fn base(
    message: &Message<'_>,
    components: &[Component],
    parameters: &str,
) -> Result<String, Unavailable> {
    let mut base = String::new();
    for component in components {
        base.push_str(component.identifier());
        base.push_str(": ");
        base.push_str(&message.value(component)?);
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    Ok(base)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
