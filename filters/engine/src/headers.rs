//! A working copy of the request's headers. Credentials and claimed identities are taken out of
//! it; what is left is what the policy sees, and what differs at the end is what the host changes.

use crate::{decision::HeaderEdit, fields, request::Request};
use std::{borrow::Cow, collections::BTreeSet};

pub struct Headers<'a> {
    lines: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Names whose values are no longer those that were received.
    touched: BTreeSet<String>,
}

/// A header that cannot be passed on safely: a name that is none, a control character, or bytes
/// that are not UTF-8 (a policy's input is JSON, and cannot hold them).
pub struct Invalid;

impl<'a> Headers<'a> {
    pub fn parse(request: &Request<'a>) -> Result<Headers<'a>, Invalid> {
        let mut lines = Vec::with_capacity(request.headers.len());
        for (name, value) in request.headers {
            let token = name.strip_prefix(':').unwrap_or(name);
            let value = std::str::from_utf8(value).map_err(|_| Invalid)?;
            // Not part of the value (RFC 9110 section 5.5), and a host may have left it there.
            let value = value.trim_matches([' ', '\t']);
            if !fields::is_lower_token(token) || !fields::is_received_value(value) {
                return Err(Invalid);
            }
            lines.push((Cow::Borrowed(*name), Cow::Borrowed(value)));
        }
        Ok(Headers {
            lines,
            touched: BTreeSet::new(),
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(name, value)| (&**name, &**value))
    }

    pub fn values<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        self.iter()
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The value of a header that stands once; `None` where it is absent.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Whom the request is for: `Host`, where a host has left it as it was.
    pub fn authority(&self) -> Option<&str> {
        self.first(":authority").or_else(|| self.first("host"))
    }

    /// Takes away every line whose name is chosen.
    pub fn remove_where(&mut self, chosen: impl Fn(&str) -> bool) {
        let touched = &mut self.touched;
        self.lines.retain(|(name, _)| {
            let goes = chosen(name);
            if goes {
                touched.insert(name.to_string());
            }
            !goes
        });
    }

    /// Takes the name away, with every spelling of it that an upstream may fold into it.
    pub fn remove(&mut self, name: &str) {
        self.remove_where(|found| fields::is_twin(found, name));
    }

    /// Puts these values in place of all the name had.
    pub fn replace(&mut self, name: &str, values: Vec<String>) {
        self.remove(name);
        for value in values {
            self.append(name, value);
        }
    }

    pub fn append(&mut self, name: &str, value: String) {
        self.touched.insert(name.to_owned());
        self.lines
            .push((Cow::Owned(name.to_owned()), Cow::Owned(value)));
    }

    /// Rewrites each value of the name; a value that becomes `None` goes.
    pub fn rewrite(&mut self, name: &str, change: impl Fn(&str) -> Option<String>) {
        let mut lines = Vec::with_capacity(self.lines.len());
        for (found, value) in std::mem::take(&mut self.lines) {
            if *found != *name {
                lines.push((found, value));
                continue;
            }
            match change(&value) {
                Some(same) if same == *value => lines.push((found, value)),
                changed => {
                    self.touched.insert(name.to_owned());
                    lines.extend(changed.map(|changed| (found, Cow::Owned(changed))));
                }
            }
        }
        self.lines = lines;
    }

    /// Names and values together.
    pub fn bytes(&self) -> usize {
        self.iter().fold(0, |sum: usize, (name, value)| {
            sum.saturating_add(name.len()).saturating_add(value.len())
        })
    }

    /// Whether the host has anything to change.
    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// What the host has to change to make its map this one.
    pub fn edits(&self, request: &Request<'_>) -> Vec<HeaderEdit> {
        let mut edits = Vec::new();
        for name in &self.touched {
            let received = request.values(name).next().is_some();
            if received || self.first(name).is_some() {
                edits.extend(HeaderEdit::replace(
                    name,
                    self.values(name).map(str::to_owned),
                ));
            }
        }
        edits
    }
}
