//! Structured fields (RFC 9651), read more strictly than they have to be: a member or a parameter
//! that stands twice is refused, where the RFC lets the last one win. Two parsers that choose
//! differently are a hole.

use sfv::{
    BareItemFromInput, Dictionary, Item, KeyRef, List,
    visitor::{
        DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ListVisitor,
        MakeItemVisitor as _, ParameterVisitor,
    },
};
use std::fmt;

/// Reads a dictionary.
pub fn dictionary(text: &str) -> Result<Dictionary, sfv::Error> {
    sfv::Parser::new(text).parse_dictionary_with_visitor(Once(Dictionary::new()))
}

/// Reads a list.
pub fn list(text: &str) -> Result<List, sfv::Error> {
    sfv::Parser::new(text).parse_list_with_visitor(Once(List::new()))
}

/// Reads an item.
pub fn item(text: &str) -> Result<Item, sfv::Error> {
    sfv::Parser::new(text).parse_item_with_visitor(Once(Item::make_item_visitor()))
}

/// Hands everything on to another visitor, and ends where something stands twice.
struct Once<V>(V);

struct OnceEach<'de, V> {
    visitor: V,
    seen: Vec<&'de KeyRef>,
}

#[derive(Debug)]
enum Fault {
    Twice(String),
    Visitor(String),
}

fn once<'de, V>(visitor: V) -> OnceEach<'de, V> {
    OnceEach {
        visitor,
        seen: Vec::new(),
    }
}

fn visitor(error: impl std::error::Error) -> Fault {
    Fault::Visitor(error.to_string())
}

impl<'de> DictionaryVisitor<'de> for Once<Dictionary> {
    type Out = Dictionary;
    type Error = Fault;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Fault> {
        if self.0.contains_key(key) {
            return Err(Fault::Twice(key.as_str().to_owned()));
        }
        DictionaryVisitor::entry(&mut self.0, key)
            .map(Once)
            .map_err(visitor)
    }

    fn finish(self) -> Result<Dictionary, Fault> {
        Ok(self.0)
    }
}

impl<'de> ListVisitor<'de> for Once<List> {
    type Out = List;
    type Error = Fault;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Fault> {
        ListVisitor::entry(&mut self.0).map(Once).map_err(visitor)
    }

    fn finish(self) -> Result<List, Fault> {
        Ok(self.0)
    }
}

impl<'de, V: EntryVisitor<'de>> EntryVisitor<'de> for Once<V> {
    type Error = Fault;

    fn item(self) -> Result<impl ItemVisitor<'de>, Fault> {
        self.0.item().map(Once).map_err(visitor)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Fault> {
        self.0.inner_list().map(Once).map_err(visitor)
    }
}

impl<'de, V: ItemVisitor<'de>> ItemVisitor<'de> for Once<V> {
    type Out = V::Out;
    type Error = Fault;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = V::Out>, Fault> {
        self.0.bare_item(item).map(once).map_err(visitor)
    }
}

impl<'de, V: InnerListVisitor<'de>> InnerListVisitor<'de> for Once<V> {
    type Error = Fault;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Fault> {
        self.0.item().map(Once).map_err(visitor)
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Fault> {
        self.0.finish().map(once).map_err(visitor)
    }
}

impl<'de, V: ParameterVisitor<'de>> ParameterVisitor<'de> for OnceEach<'de, V> {
    type Out = V::Out;
    type Error = Fault;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Fault> {
        // A list: nobody has many, and more than a few end here.
        if self.seen.contains(&key) || self.seen.len() >= MAX_PARAMETERS {
            return Err(Fault::Twice(key.as_str().to_owned()));
        }
        self.seen.push(key);
        self.visitor.parameter(key, value).map_err(visitor)
    }

    fn finish(self) -> Result<V::Out, Fault> {
        self.visitor.finish().map_err(visitor)
    }
}

/// RFC 9421 has six; the rest is for what will come.
const MAX_PARAMETERS: usize = 16;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Twice(key) => write!(f, "`{key}` stands twice, or is one of too many"),
            Fault::Visitor(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::{dictionary, item, list};
    use sfv::FieldType as _;

    #[test]
    fn reads_what_stands_once() {
        for text in ["a=1, b=(x y;q=1);z", "a, b;c;d=2, e=:AA==:"] {
            assert_eq!(dictionary(text).unwrap().serialize().unwrap(), text);
        }
    }

    #[test]
    fn refuses_what_stands_twice() {
        for text in [
            "a=1, a=1",
            "a=1, b, a=()",
            "a;x;x",
            "a=(b;x=1;x=2)",
            "a=(b);x;x",
        ] {
            assert!(dictionary(text).is_err(), "{text}");
        }
        for text in ["a;x;x", "(a;x=1;x=2)", "a, (b);x;x"] {
            assert!(list(text).is_err(), "{text}");
        }
        assert!(list("a;x, a;x").is_ok() && item("a;x;y").is_ok());
        assert!(item(":AA==:;x=9;x=2").is_err());
    }
}
