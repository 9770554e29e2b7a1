//! The forms that regorus's virtual machine compiles and gets wrong: left to the interpreter.

use std::fmt;

use regorus::unstable::{Expr, Rule, RuleHead, Span};

use crate::walk;

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
            line: walk::place(span).0,
            what,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.file, self.line, self.what)
    }
}

/// The forms that one definition shows by itself.
pub(crate) fn of_rule(rule: &Rule) -> Vec<Form> {
    let mut forms = Vec::new();
    match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { span, refr, .. } => match refr.as_ref() {
                Expr::Var { .. } => {}
                Expr::RefBrack { refr, .. } if matches!(refr.as_ref(), Expr::Var { .. }) => {}
                _ => forms.push(Form::new(span, "has a head of several parts")),
            },
            RuleHead::Set { span, refr, .. } => {
                if !matches!(refr.as_ref(), Expr::Var { .. }) {
                    forms.push(Form::new(span, "has a head of several parts"));
                }
            }
            RuleHead::Func {
                span, refr, args, ..
            } => {
                if !matches!(refr.as_ref(), Expr::Var { .. }) {
                    forms.push(Form::new(span, "has a head of several parts"));
                }
                if args.len() > 8 {
                    forms.push(Form::new(span, "is a function of more than 8 arguments"));
                }
            }
        },
        Rule::Default { span, args, .. } => {
            if !args.is_empty() {
                forms.push(Form::new(span, "is a function with a default"));
            }
        }
    }
    forms
}
