//! The parts of a condition that have values of their own.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt};

use super::{is_text, text};
use crate::syntax;

/// Whether a statement can be asked where so many variables have values.
pub(super) fn is_ready(
    statement: &LiteralStmt,
    bound: &BTreeSet<String>,
    names: &[(String, String)],
) -> bool {
    let parts = Parts::new(bound, names);
    match &statement.literal {
        Literal::SomeVars { .. } => true,
        Literal::SomeIn { collection, .. } => parts.is_safe(collection),
        Literal::Every { domain, .. } => parts.is_safe(domain),
        Literal::NotExpr { expr, .. } => parts.is_safe(expr),
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr {
                op: AssignOp::ColEq,
                rhs,
                ..
            } => parts.is_safe(rhs),
            Expr::AssignExpr { lhs, rhs, .. } => parts.is_safe(lhs) || parts.is_safe(rhs),
            expr => parts.is_safe(expr),
        },
    }
}

/// What may be asked for by itself, where everything before it held.
pub(super) struct Parts<'a> {
    pub bound: &'a BTreeSet<String>,
    pub names: &'a [(String, String)],
    pub variables: BTreeSet<String>,
    pub texts: Vec<String>,
    pub uses: Vec<String>,
    pub calls: Vec<(String, Vec<String>)>,
}

impl<'a> Parts<'a> {
    pub fn new(bound: &'a BTreeSet<String>, names: &'a [(String, String)]) -> Parts<'a> {
        Parts {
            bound,
            names,
            variables: BTreeSet::new(),
            texts: Vec::new(),
            uses: Vec::new(),
            calls: Vec::new(),
        }
    }

    pub fn pattern(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => {
                self.variables.insert(span.text().to_owned());
            }
            Expr::Array { items, .. } => items.iter().for_each(|item| self.pattern(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.pattern(value));
            }
            _ => {}
        }
    }

    fn has_value(&self, name: &str) -> bool {
        self.bound.contains(name) || self.is_global(name)
    }

    fn is_global(&self, name: &str) -> bool {
        matches!(name, "input" | "data") || self.names.iter().any(|(known, _)| known == name)
    }

    /// Whether an expression is safe by itself, as far as can be told.
    fn is_safe(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Var { span, .. } => self.has_value(span.text()),
            Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => self.is_safe(refr),
            Expr::AssignExpr { .. } => false,
            _ => syntax::children(expr)
                .into_iter()
                .all(|part| self.is_safe(part)),
        }
    }

    fn show(&mut self, expr: &Expr) {
        let text = text(expr);
        if self.is_safe(expr) && !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    pub fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            Expr::Call { fcn, params, .. } => {
                if let Some(name) = syntax::name(fcn)
                    && let Some(path) = self.path(&name)
                {
                    let arguments = params.iter().map(|argument| text(argument)).collect();
                    self.calls.push((path, arguments));
                }
                self.show(expr);
                params.iter().for_each(|argument| self.expr(argument));
            }
            // Of what is inside a comprehension there are many.
            Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => {
                self.show(expr);
            }
            _ => {
                for part in syntax::children(expr) {
                    self.expr(part);
                }
            }
        }
    }

    fn reference(&mut self, expr: &Expr) {
        let Some((root, segments)) = syntax::reference(expr) else {
            self.show(expr);
            return;
        };
        if !self.is_global(&root) {
            self.variables.insert(root.clone());
        }
        self.show(expr);
        let known: Vec<String> = segments.into_iter().map_while(|segment| segment).collect();
        let root = match root.as_str() {
            "data" | "input" => root,
            _ => match self.path(&root) {
                Some(path) => path,
                None => return,
            },
        };
        self.uses.push(if known.is_empty() {
            root
        } else {
            format!("{root}.{}", known.join("."))
        });
        for index in syntax::dynamic_keys(expr) {
            if !is_text(&index) {
                self.index(index);
            }
        }
    }

    /// An index may be a variable that takes the keys one after another.
    fn index(&mut self, index: &Expr) {
        match index {
            Expr::Var { span, .. } if !self.has_value(span.text()) => {
                self.variables.insert(span.text().to_owned());
            }
            other => self.expr(other),
        }
    }

    /// What a name that is no variable stands for.
    fn path(&self, name: &str) -> Option<String> {
        let (root, rest) = match name.split_once('.') {
            Some((root, rest)) => (root, Some(rest)),
            None => (name, None),
        };
        if root == "data" {
            return Some(name.to_owned());
        }
        let (_, path) = self.names.iter().find(|(known, _)| known == root)?;
        Some(match rest {
            Some(rest) => format!("{path}.{rest}"),
            None => path.clone(),
        })
    }
}
