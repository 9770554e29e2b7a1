//! A value of Envoy's configuration and its path in the document. A field may be called as the
//! protobuf has it, or in camel case.

use serde_json::Value;

#[derive(Clone)]
pub struct Node<'d> {
    pub value: &'d Value,
    /// As [`portcullis_gatefile::Document::place`] takes it.
    pub path: String,
}

impl<'d> Node<'d> {
    pub fn root(value: &'d Value) -> Node<'d> {
        Node {
            value,
            path: String::new(),
        }
    }

    /// A field that is there and not null.
    pub fn field(&self, name: &str) -> Option<Node<'d>> {
        let object = self.value.as_object()?;
        let camel = camel(name);
        let (name, value) = object
            .get_key_value(name)
            .or_else(|| object.get_key_value(&camel))?;
        (!value.is_null()).then(|| self.child(name, value))
    }

    /// A field of a field.
    pub fn at(&self, names: &[&str]) -> Option<Node<'d>> {
        names
            .iter()
            .try_fold(self.clone(), |node, name| node.field(name))
    }

    pub fn items(&self) -> Vec<Node<'d>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items
            .map(|(index, value)| Node {
                value,
                path: format!("{}[{index}]", self.path),
            })
            .collect()
    }

    pub fn fields(&self) -> Vec<(&'d str, Node<'d>)> {
        let fields = self.value.as_object().into_iter().flatten();
        fields
            .map(|(name, value)| (name.as_str(), self.child(name, value)))
            .collect()
    }

    pub fn text(&self) -> Option<&'d str> {
        self.value.as_str()
    }

    pub fn is_true(&self) -> bool {
        self.value.as_bool() == Some(true)
    }

    /// Whether this is an enum's value, by its name or its number.
    pub fn is_enum(&self, name: &str, number: u64) -> bool {
        self.text() == Some(name) || self.value.as_u64() == Some(number)
    }

    /// What kind of HTTP filter this configures, such as `lua` of
    /// `envoy.extensions.filters.http.lua.v3.Lua`.
    pub fn filter_kind(&self) -> Option<&'d str> {
        let name = self.value.get("@type")?.as_str()?;
        let (_, rest) = name.split_once("envoy.extensions.filters.http.")?;
        rest.split('.').next()
    }

    /// What a route tells the filter of that name.
    pub fn for_filter(&self, name: &str) -> Option<Node<'d>> {
        let all = self.field("typed_per_filter_config")?;
        let (_, own) = all.fields().into_iter().find(|(key, _)| *key == name)?;
        Some(own)
    }

    /// Looks at this and at everything below it.
    pub fn walk(&self, look: &mut impl FnMut(&Node<'d>)) {
        look(self);
        for (_, child) in self.fields() {
            child.walk(look);
        }
        for child in self.items() {
            child.walk(look);
        }
    }

    fn child(&self, name: &str, value: &'d Value) -> Node<'d> {
        let path = match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        };
        Node { value, path }
    }
}

/// `normalizePath` for `normalize_path`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
