//! Whether a rule's bodies may succeed more than once.

use std::collections::BTreeSet;

use regorus::unstable::Rule;

use crate::{visit::Visitor, walk};

/// Whether a rule's body, or what stands in its head, may succeed more than once.
pub(crate) fn in_rule(of: &Rule, names: &BTreeSet<String>) -> bool {
    finder(of, usize::MAX, names).found
}

/// The same of the bodies that an `else` follows; what iterates inside of `not` counts too.
pub(crate) fn before_else(of: &Rule, names: &BTreeSet<String>) -> bool {
    match of {
        Rule::Spec { bodies, .. } if bodies.len() > 1 => {
            let found = finder(of, bodies.len().saturating_sub(1), names);
            found.found || found.in_not
        }
        _ => false,
    }
}

fn finder<'a>(of: &Rule, most: usize, names: &'a BTreeSet<String>) -> Finder<'a> {
    let mut finder = Finder {
        names,
        found: false,
        in_not: false,
    };
    walk::bodies(of, most, &mut finder);
    finder
}

struct Finder<'a> {
    names: &'a BTreeSet<String>,
    found: bool,
    in_not: bool,
}

impl Finder<'_> {
    fn is_loop(&self, variable: Option<&str>) -> bool {
        !variable.is_some_and(|name| name != "_" && self.names.contains(name))
    }
}

impl Visitor for Finder<'_> {
    fn iterates(&mut self, variable: Option<&str>) {
        self.found |= self.is_loop(variable);
    }

    fn iterates_in_not(&mut self, variable: Option<&str>) {
        self.in_not |= self.is_loop(variable);
    }
}
