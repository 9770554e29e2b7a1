//! Everything that stands in a rule, as one flat list: what most lints want to look at.

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Rule, RuleAssign, RuleHead, Span};

use crate::syntax;

#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// A name, or a reference as long as it goes.
    Reference(&'a Expr),
    /// What a call calls.
    Function(&'a Expr),
    /// Any other expression.
    Expr(&'a Expr),
    /// What `with` replaces.
    Replaced(&'a Expr),
    Statement(&'a LiteralStmt),
    /// A name that is declared here.
    Declared(&'a Span),
}

/// In the order they are written, outer ones first.
pub(super) fn of_rule(rule: &Rule) -> Vec<Node<'_>> {
    let mut nodes = Nodes(Vec::new());
    match rule {
        Rule::Spec { head, bodies, .. } => {
            let (refr, assign) = match head {
                RuleHead::Compr { refr, assign, .. } => (refr, assign.as_ref()),
                RuleHead::Set { refr, key, .. } => {
                    key.iter().for_each(|key| nodes.expr(key));
                    (refr, None)
                }
                RuleHead::Func {
                    refr, args, assign, ..
                } => {
                    for argument in args {
                        nodes.declared(argument);
                        nodes.expr(argument);
                    }
                    (refr, assign.as_ref())
                }
            };
            for key in syntax::dynamic_keys(refr) {
                nodes.expr(key);
            }
            nodes.assign(assign);
            for body in bodies {
                nodes.assign(body.assign.as_ref());
                nodes.query(&body.query);
            }
        }
        Rule::Default { args, value, .. } => {
            args.iter().for_each(|argument| nodes.expr(argument));
            nodes.expr(value);
        }
    }
    nodes.0
}

pub(super) fn of_statement(statement: &LiteralStmt) -> Vec<Node<'_>> {
    let mut nodes = Nodes(Vec::new());
    nodes.statement(statement);
    nodes.0
}

pub(super) fn of_expr(expr: &Expr) -> Vec<Node<'_>> {
    let mut nodes = Nodes(Vec::new());
    nodes.expr(expr);
    nodes.0
}

/// The first name of a reference.
pub(super) fn root(expr: &Expr) -> Option<&Span> {
    match expr {
        Expr::Var { span, .. } => Some(span),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        _ => None,
    }
}

struct Nodes<'a>(Vec<Node<'a>>);

impl<'a> Nodes<'a> {
    fn assign(&mut self, assign: Option<&'a RuleAssign>) {
        if let Some(assign) = assign {
            self.expr(&assign.value);
        }
    }

    fn query(&mut self, query: &'a Query) {
        for statement in &query.stmts {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a LiteralStmt) {
        self.0.push(Node::Statement(statement));
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                self.0.extend(vars.iter().map(Node::Declared));
            }
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                for pattern in key.iter().chain([value]) {
                    self.declared(pattern);
                    self.expr(pattern);
                }
                self.expr(collection);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
            Literal::Every {
                key,
                value,
                domain,
                query,
                ..
            } => {
                self.0.extend(key.iter().chain([value]).map(Node::Declared));
                self.expr(domain);
                self.query(query);
            }
        }
        for modifier in &statement.with_mods {
            self.0.push(Node::Replaced(&modifier.refr));
            self.keys(&modifier.refr);
            self.expr(&modifier.r#as);
        }
    }

    /// The variables of a pattern.
    fn declared(&mut self, pattern: &'a Expr) {
        match pattern {
            Expr::Var { span, .. } => self.0.push(Node::Declared(span)),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.declared(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.declared(value));
            }
            _ => {}
        }
    }

    fn children(&mut self, expr: &'a Expr) {
        for child in syntax::children(expr) {
            self.expr(child);
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.0.push(Node::Reference(expr));
                self.keys(expr);
                return;
            }
            _ => self.0.push(Node::Expr(expr)),
        }
        match expr {
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term);
                self.query(query);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => {
                self.expr(key);
                self.expr(value);
                self.query(query);
            }
            Expr::Call { fcn, .. } => {
                self.0.push(Node::Function(fcn));
                self.children(expr);
            }
            Expr::AssignExpr { op, lhs, .. } => {
                if *op == regorus::unstable::AssignOp::ColEq {
                    self.declared(lhs);
                }
                self.children(expr);
            }
            _ => self.children(expr),
        }
    }

    /// What stands in the brackets of a reference, and before the first where that is no name.
    fn keys(&mut self, reference: &'a Expr) {
        match reference {
            Expr::Var { .. } => {}
            Expr::RefDot { refr, .. } => self.keys(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.keys(refr);
                self.expr(index);
            }
            other => self.expr(other),
        }
    }
}
