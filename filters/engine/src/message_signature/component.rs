//! Component identifiers (RFC 9421 section 2): the parts of a message that a signature can cover.

use crate::fields;
use sfv::{BareItem, Parameters, StringRef};
use std::fmt;

/// One component with its parameters.
#[derive(Clone, Debug)]
pub struct Component {
    what: What,
    /// As it stands in a signature base, parameters in the order they were given in.
    identifier: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Field { name: String, form: Form },
    Derived(Derived),
}

/// How the value of a field is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All lines, joined (section 2.1).
    Plain,
    /// `sf`: parsed as a structured field and written again (section 2.1.1).
    Strict,
    /// `key`: one member of a dictionary (section 2.1.2).
    Member(String),
    /// `bs`: each line as bytes (section 2.1.3).
    Bytes,
}

/// Section 2.2, as far as requests have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Derived {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// The parameter's name, percent-encoded.
    QueryParam(String),
}

/// Why a component cannot be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadComponent(String);

impl Component {
    /// Reads `@method`, `content-type`, or an identifier with parameters as RFC 9421 writes it:
    /// `"@query-param";name="id"`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Component, BadComponent> {
        if !text.starts_with('"') {
            return Component::new(text, &Parameters::new());
        }
        let item: sfv::Item = sfv::Parser::new(text)
            .parse()
            .map_err(|_| BadComponent("is no structured field item (RFC 9651)".into()))?;
        Component::from_item(&item)
    }

    pub(super) fn from_item(item: &sfv::Item) -> Result<Component, BadComponent> {
        match &item.bare_item {
            BareItem::String(name) => Component::new(name.as_str(), &item.params),
            _ => Err(BadComponent("is not a string".into())),
        }
    }

    fn new(name: &str, parameters: &Parameters) -> Result<Component, BadComponent> {
        let given = Given::read(parameters)?;
        let what = match name.strip_prefix('@') {
            Some(derived) => What::Derived(given.derived(derived)?),
            None => What::Field {
                form: given.form(name)?,
                name: name.to_owned(),
            },
        };
        let written = StringRef::from_str(name)
            .map_err(|_| BadComponent("has a name that is not ASCII".into()))?;
        Ok(Component {
            what,
            identifier: sfv::ItemSerializer::new()
                .bare_item(written)
                .parameters(parameters)
                .finish(),
        })
    }

    pub(super) fn what(&self) -> &What {
        &self.what
    }

    /// As it stands in a signature base.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// As a configuration and a policy spell it: the bare name where there are no parameters.
    pub fn spelled(&self) -> &str {
        let bare = self.identifier.strip_prefix('"');
        let bare = bare.and_then(|rest| rest.strip_suffix('"'));
        bare.filter(|name| !name.contains('"'))
            .unwrap_or(&self.identifier)
    }

    /// Whether both name the same part in the same form, parameters in whatever order.
    pub fn is_same(&self, other: &Component) -> bool {
        self.what == other.what
    }

    /// Whether covering this covers all of what is required. `bs` covers a field byte for byte;
    /// `sf` does not: of a member that stands twice it covers the last, and the upstream may read
    /// the first.
    pub fn covers(&self, required: &Component) -> bool {
        match (&self.what, &required.what) {
            (
                What::Field {
                    name,
                    form: Form::Bytes,
                },
                What::Field {
                    name: wanted,
                    form: Form::Plain,
                },
            ) => name == wanted,
            (own, wanted) => own == wanted,
        }
    }

    /// The field that it stands for as it is.
    pub(crate) fn plain_field(&self) -> Option<&str> {
        match &self.what {
            What::Field {
                name,
                form: Form::Plain,
            } => Some(name),
            _ => None,
        }
    }

    /// Whether it is derived, and takes no parameter.
    pub(crate) fn is_plain_derived(&self) -> bool {
        matches!(&self.what, What::Derived(what) if !matches!(what, Derived::QueryParam(_)))
    }

    /// Whether it stands for a field of this lower-case name, in whatever form.
    pub fn is_of_field(&self, wanted: &str) -> bool {
        matches!(&self.what, What::Field { name, .. } if name == wanted)
    }
}

/// The parameters that RFC 9421 gives components, each of its type.
#[derive(Default)]
struct Given {
    sf: bool,
    bs: bool,
    key: Option<String>,
    name: Option<String>,
}

impl Given {
    fn read(parameters: &Parameters) -> Result<Given, BadComponent> {
        let mut given = Given::default();
        for (name, value) in parameters {
            match (name.as_str(), value) {
                ("sf", BareItem::Boolean(true)) => given.sf = true,
                ("bs", BareItem::Boolean(true)) => given.bs = true,
                ("key", BareItem::String(key)) => given.key = Some(key.as_str().to_owned()),
                ("name", BareItem::String(name)) => given.name = Some(name.as_str().to_owned()),
                ("req", _) => {
                    return Err(BadComponent(
                        "has `req`, which only a response's signature has".into(),
                    ));
                }
                ("tr", _) => {
                    return Err(BadComponent(
                        "has `tr`, and trailers are not there when a request is decided".into(),
                    ));
                }
                (name, _) => {
                    return Err(BadComponent(format!(
                        "has a parameter `{name}` that is not known, or not of its type"
                    )));
                }
            }
        }
        Ok(given)
    }

    fn derived(&self, name: &str) -> Result<Derived, BadComponent> {
        if self.sf || self.bs || self.key.is_some() {
            return Err(BadComponent("has a parameter that only fields have".into()));
        }
        if self.name.is_some() != (name == "query-param") {
            return Err(BadComponent(
                "`name` goes with `@query-param`, and it with `name`".into(),
            ));
        }
        Ok(match (name, &self.name) {
            ("method", _) => Derived::Method,
            ("target-uri", _) => Derived::TargetUri,
            ("authority", _) => Derived::Authority,
            ("scheme", _) => Derived::Scheme,
            ("request-target", _) => Derived::RequestTarget,
            ("path", _) => Derived::Path,
            ("query", _) => Derived::Query,
            ("query-param", Some(name)) => Derived::QueryParam(name.clone()),
            ("status", _) => return Err(BadComponent("is of responses".into())),
            _ => return Err(BadComponent("is no derived component of RFC 9421".into())),
        })
    }

    fn form(&self, name: &str) -> Result<Form, BadComponent> {
        if !fields::is_token(name) || name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(BadComponent("is no field name in lower case".into()));
        }
        match (&self.key, self.sf, self.bs, &self.name) {
            (_, _, _, Some(_)) => Err(BadComponent("`name` goes with `@query-param`".into())),
            (None, false, true, None) => Ok(Form::Bytes),
            // Section 2.1: they exclude each other.
            (_, _, true, None) => Err(BadComponent("has `bs` beside `sf` or `key`".into())),
            (Some(key), _, false, None) => Ok(Form::Member(key.clone())),
            (None, true, false, None) => Ok(Form::Strict),
            (None, false, false, None) => Ok(Form::Plain),
        }
    }
}

impl fmt::Display for BadComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
