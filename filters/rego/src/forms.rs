//! The forms that regorus's virtual machine compiles and gets wrong: left to the interpreter.

use std::fmt;

use regorus::unstable::{Expr, Rule, RuleHead, Span};

use crate::syntax;

/// Why a rule is left to the interpreter, and where.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    file: String,
    line: u32,
    what: &'static str,
}

impl Form {
    pub fn new(span: &Span, what: &'static str) -> Self {
        Form {
            file: span.source.file().clone(),
            line: syntax::place(span).0,
            what,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.file, self.line, self.what)
    }
}

/// The forms that one definition shows by itself. A name may be a rule's, and then undefined.
pub(crate) fn of_rule(
    rule: &Rule,
    iterates_before_else: bool,
    is_rule: &dyn Fn(&str) -> bool,
) -> Vec<Form> {
    let mut forms = Vec::new();
    let (head, bodies) = match rule {
        Rule::Spec { head, bodies, .. } => (head, bodies),
        Rule::Default {
            span, args, value, ..
        } => {
            if !args.is_empty() {
                forms.push(Form::new(span, "is a function with a default"));
            }
            if !is_constant(value) {
                forms.push(Form::new(span, "has a default that is computed"));
            }
            return forms;
        }
    };
    let may_be_undefined =
        |value: Option<&Expr>| value.is_some_and(|value| !is_defined(value, is_rule));
    let (span, refr, assign) = match head {
        RuleHead::Compr { span, refr, assign } => (span, refr.as_ref(), assign.as_ref()),
        RuleHead::Set { span, refr, .. } => (span, refr.as_ref(), None),
        RuleHead::Func {
            span,
            refr,
            args,
            assign,
        } => {
            if args.is_empty() {
                forms.push(Form::new(span, "is a function without arguments"));
            }
            if args.len() > 8 {
                forms.push(Form::new(span, "is a function of more than 8 arguments"));
            }
            (span, refr.as_ref(), assign.as_ref())
        }
    };
    let value = assign.map(|assign| assign.value.as_ref());
    match (head, refr) {
        (_, Expr::Var { .. }) => {}
        (RuleHead::Compr { .. }, Expr::RefBrack { refr, index, .. })
            if matches!(refr.as_ref(), Expr::Var { .. }) =>
        {
            if may_be_undefined(Some(index.as_ref())) || may_be_undefined(value) {
                forms.push(Form::new(
                    span,
                    "is an object with an entry that may be undefined",
                ));
            }
        }
        _ => forms.push(Form::new(span, "has a head of several parts")),
    }
    if bodies.iter().filter(|body| !body.is_else).count() > 1 {
        forms.push(Form::new(span, "has several bodies"));
    }
    // A body that iterates and finds nothing passes on to the next `else`; not on the machine.
    if iterates_before_else {
        forms.push(Form::new(span, "has an `else` after a body that iterates"));
    }
    // An undefined value passes on to the next `else`; the machine stops at it.
    let before_else = std::iter::once(value)
        .chain(
            bodies
                .iter()
                .filter(|body| body.is_else)
                .map(|body| body.assign.as_ref().map(|assign| assign.value.as_ref())),
        )
        .take(bodies.len().saturating_sub(1));
    if before_else.into_iter().any(may_be_undefined) {
        forms.push(Form::new(
            span,
            "has an `else` after a value that may be undefined",
        ));
    }
    forms
}

/// Literals, alone or in collections.
fn is_constant(expr: &Expr) -> bool {
    is_defined(expr, &|_| true)
}

/// Whether an expression has a value wherever its variables have.
pub(crate) fn is_defined(expr: &Expr, is_rule: &dyn Fn(&str) -> bool) -> bool {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. } => true,
        Expr::Var { span, .. } => !is_rule(span.text()),
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().all(|item| is_defined(item, is_rule))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .all(|(_, key, value)| is_defined(key, is_rule) && is_defined(value, is_rule)),
        _ => false,
    }
}

/// Whether an expression is what OPA takes as a default: constants and comprehensions.
pub(crate) fn may_be_default(expr: &Expr) -> bool {
    match expr {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().all(|item| may_be_default(item))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .all(|(_, key, value)| may_be_default(key) && may_be_default(value)),
        other => is_constant(other),
    }
}
