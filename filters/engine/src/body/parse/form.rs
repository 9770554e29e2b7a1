//! `application/x-www-form-urlencoded` as Go's `net/url.ParseQuery` has it: [`crate::query`] reads it.

use super::{Charset, Fields, Malformed};
use crate::query;
use portcullis_rego::value::{self, Value};

/// As many as Go takes since 1.25.6.
pub const MAX_FIELDS: usize = 10_000;

pub fn parse(body: &[u8], charset: Charset) -> Result<Value, Malformed> {
    let text = charset.text(body)?;
    let mut fields = Fields::default();
    for (index, field) in query::exact_parameters(text).enumerate() {
        if index >= MAX_FIELDS {
            return Err(Malformed("too many fields"));
        }
        let (Some(name), Some(text)) =
            field.map_err(|query::Malformed| Malformed("a broken escape, or a semicolon"))?
        else {
            return Err(Malformed("no UTF-8"));
        };
        // Escaped, other letters are ASCII in the body but not in what it says.
        let name = charset.text(name.as_bytes())?;
        let text = charset.text(text.as_bytes())?;
        fields.add(name, value::string(text))?;
    }
    Ok(fields.into())
}
