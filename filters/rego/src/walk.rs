//! A walk over a rule's syntax tree that knows which names are variables.

use std::collections::BTreeSet;

use regorus::unstable::{
    ArithOp, AssignOp, BinOp, BoolOp, Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign,
    RuleHead, Span,
};

use crate::{
    forms::Form,
    syntax::{dynamic_keys, name, reference, text_of},
    visit::{Call, Operation, Visitor},
};

pub(crate) fn rule(rule: &Rule, visitor: &mut dyn Visitor) {
    bodies(rule, usize::MAX, visitor);
}

/// A rule with no more than so many of its bodies.
pub(crate) fn bodies(rule: &Rule, most: usize, visitor: &mut dyn Visitor) {
    let mut walk = Walk {
        visitor,
        scopes: vec![BTreeSet::new()],
        guarded: 0,
        every: 0,
        negated: 0,
    };
    match rule {
        Rule::Spec { head, bodies, .. } => {
            let (arguments, key, assign) = match head {
                RuleHead::Compr { refr, assign, .. } => {
                    (&[][..], dynamic_keys(refr), assign.as_ref())
                }
                RuleHead::Set { refr, key, .. } => {
                    let mut keys = dynamic_keys(refr);
                    if let Some(key) = key.as_deref() {
                        walk.visitor.contained(key);
                    }
                    keys.extend(key.as_deref());
                    (&[][..], keys, None)
                }
                RuleHead::Func { args, assign, .. } => {
                    (args.as_slice(), Vec::new(), assign.as_ref())
                }
            };
            for argument in arguments {
                walk.declare(argument);
            }
            for argument in arguments {
                walk.expr(argument);
            }
            if bodies.is_empty() {
                walk.body(None, &key, assign);
            }
            for body in bodies.iter().take(most) {
                // The head's key and value see the variables of the bodies that are no `else`.
                if body.is_else {
                    walk.body(Some(&body.query), &[], body.assign.as_ref());
                } else {
                    walk.body(Some(&body.query), &key, assign);
                }
            }
        }
        Rule::Default { value, .. } => walk.expr(value),
    }
}

struct Walk<'a> {
    visitor: &'a mut dyn Visitor,
    scopes: Vec<BTreeSet<String>>,
    /// How many `not`s, comprehensions and `every`s we are in.
    guarded: usize,
    /// How many `every`s we are in.
    every: usize,
    /// How many `not`s we are in.
    negated: usize,
}

impl Walk<'_> {
    fn body(&mut self, query: Option<&Query>, keys: &[&Expr], assign: Option<&RuleAssign>) {
        self.scopes.push(BTreeSet::new());
        if let Some(query) = query {
            self.query(query);
        }
        for key in keys {
            self.expr(key);
        }
        if let Some(assign) = assign {
            self.expr(&assign.value);
        }
        self.scopes.pop();
    }

    /// A query's statements; its variables stay in scope for the caller.
    fn query(&mut self, query: &Query) {
        self.visitor.query(query);
        for statement in &query.stmts {
            self.declare_statement(statement);
        }
        for statement in &query.stmts {
            self.statement(statement);
        }
    }

    fn declare_statement(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                for var in vars {
                    self.declare_name(var.text());
                }
            }
            Literal::SomeIn { key, value, .. } => {
                for pattern in key.iter().chain([value]) {
                    self.declare(pattern);
                }
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr {
                    op: AssignOp::ColEq,
                    lhs,
                    ..
                } = expr.as_ref()
                {
                    self.declare(lhs);
                }
            }
            Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
    }

    /// The variables of a pattern.
    fn declare(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => self.declare_name(span.text()),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.declare(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.declare(value));
            }
            _ => {}
        }
    }

    fn declare_name(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned());
        }
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { span, .. } => {
                self.iterates(None);
                self.loops_in_every(span);
            }
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                self.iterates(None);
                self.loops_in_every(&statement.span);
                self.visitor.some_in(collection);
                for expr in key.iter().chain([value, collection]) {
                    self.expr(expr);
                }
            }
            Literal::Expr { expr, .. } => self.condition(expr),
            Literal::NotExpr { expr, .. } => self.guarded(|walk| {
                walk.negated = walk.negated.saturating_add(1);
                walk.condition(expr);
                walk.negated = walk.negated.saturating_sub(1);
            }),
            Literal::Every {
                key,
                value,
                domain,
                query,
                ..
            } => {
                self.visitor.nested();
                self.loops_in_every(&statement.span);
                self.expr(domain);
                self.guarded(|walk| {
                    walk.every = walk.every.saturating_add(1);
                    walk.scopes.push(BTreeSet::new());
                    for name in key.iter().chain([value]) {
                        walk.declare_name(name.text());
                    }
                    let names = key.iter().chain([value]).map(|it| it.text().to_owned());
                    walk.visitor.every(Some(names.collect()));
                    walk.query(query);
                    walk.visitor.every(None);
                    walk.scopes.pop();
                    walk.every = walk.every.saturating_sub(1);
                });
            }
        }
        for modifier in &statement.with_mods {
            self.visitor.replaced(&modifier.refr, &modifier.r#as);
            // This may be a function's name: a reference to it is a use.
            self.expr(&modifier.r#as);
        }
    }

    fn condition(&mut self, expr: &Expr) {
        match expr {
            Expr::Call { .. } => self.call(expr, true),
            _ => self.expr(expr),
        }
    }

    fn iterates(&mut self, variable: Option<&str>) {
        if self.guarded == 0 {
            self.visitor.iterates(variable);
        } else if self.negated > 0 {
            self.visitor.iterates_in_not(variable);
        }
    }

    /// The machine forgets a failure that a loop inside of `every` had, `input[x]` too.
    fn loops_in_every(&mut self, span: &Span) {
        if self.every > 0 {
            self.visitor.form(Form::new(
                span,
                "iterates or indexes by a variable inside `every`",
            ));
        }
    }

    fn guarded(&mut self, inner: impl FnOnce(&mut Self)) {
        self.guarded = self.guarded.saturating_add(1);
        inner(self);
        self.guarded = self.guarded.saturating_sub(1);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.expr(item)),
            Expr::Set { items, .. } => {
                for item in items {
                    self.visitor.inserted(item);
                    self.expr(item);
                }
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.visitor.inserted(key);
                    self.expr(key);
                    self.expr(value);
                }
            }
            Expr::ArrayCompr {
                span, term, query, ..
            } => {
                self.visitor.array_comprehension(span, term, query);
                self.comprehension(query, &[term]);
            }
            Expr::SetCompr { term, query, .. } => {
                self.visitor.set_comprehension(term, query);
                self.comprehension(query, &[term]);
            }
            Expr::ObjectCompr {
                span,
                key,
                value,
                query,
                ..
            } => {
                self.visitor.object_comprehension(span, key, value, query);
                self.comprehension(query, &[key, value]);
            }
            Expr::Call { .. } => self.call(expr, false),
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::ArithExpr {
                span, op, lhs, rhs, ..
            } => {
                let symbol = match op {
                    ArithOp::Add => "+",
                    ArithOp::Sub => "-",
                    ArithOp::Mul => "*",
                    ArithOp::Div => "/",
                    ArithOp::Mod => "%",
                };
                self.operation(span, symbol, lhs, rhs);
            }
            Expr::BinExpr {
                span, op, lhs, rhs, ..
            } => {
                let symbol = match op {
                    BinOp::Union => "|",
                    BinOp::Intersection => "&",
                };
                self.operation(span, symbol, lhs, rhs);
            }
            Expr::BoolExpr {
                span, op, lhs, rhs, ..
            } => {
                let symbol = match op {
                    BoolOp::Lt => "<",
                    BoolOp::Le => "<=",
                    BoolOp::Eq => "==",
                    BoolOp::Ge => ">=",
                    BoolOp::Gt => ">",
                    BoolOp::Ne => "!=",
                };
                self.operation(span, symbol, lhs, rhs);
            }
            Expr::AssignExpr {
                span, op, lhs, rhs, ..
            } => {
                if self.every > 0 && [lhs, rhs].iter().any(|side| is_pattern(side)) {
                    self.visitor
                        .form(Form::new(span, "matches a pattern inside `every`"));
                }
                if *op == AssignOp::Eq {
                    self.visitor.equation(lhs, rhs);
                }
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::Membership {
                span,
                key,
                value,
                collection,
                ..
            } => {
                self.visitor
                    .membership(span, key.as_deref(), value, collection);
                for expr in key.iter().chain([value, collection]) {
                    self.expr(expr);
                }
            }
        }
    }

    fn operation(&mut self, span: &Span, symbol: &'static str, lhs: &Expr, rhs: &Expr) {
        self.visitor.operation(&Operation {
            span,
            symbol,
            lhs,
            rhs,
        });
        self.expr(lhs);
        self.expr(rhs);
    }

    fn comprehension(&mut self, query: &Query, terms: &[&Ref<Expr>]) {
        self.visitor.nested();
        self.loops_in_every(&query.span);
        self.guarded(|walk| {
            walk.scopes.push(BTreeSet::new());
            walk.query(query);
            terms.iter().for_each(|term| walk.expr(term));
            walk.scopes.pop();
        });
    }

    fn reference(&mut self, expr: &Expr) {
        for key in dynamic_keys(expr) {
            self.visitor.index(key);
            if text_of(key).is_none() && !matches!(key, Expr::Number { .. }) {
                self.loops_in_every(expr.span());
            }
            match key {
                Expr::Var { span, .. } if !self.is_variable(span.text()) => {
                    self.iterates(Some(span.text()));
                }
                Expr::Array { .. } | Expr::Object { .. } | Expr::Set { .. } => self.iterates(None),
                _ => {}
            }
            self.expr(key);
        }
        match reference(expr) {
            Some((root, segments)) => {
                if !self.is_variable(&root) {
                    self.visitor.reference(expr, &root, &segments);
                }
            }
            None => self.expr_at_root(expr),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    /// The root of a reference that is no name, such as `f(x)` in `f(x).y`.
    fn expr_at_root(&mut self, expr: &Expr) {
        let mut here = expr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = here {
            here = refr;
        }
        self.expr(here);
    }

    fn call(&mut self, expr: &Expr, is_statement: bool) {
        let Expr::Call {
            span, fcn, params, ..
        } = expr
        else {
            return;
        };
        let name = name(fcn);
        if name.as_deref() == Some("walk") {
            self.iterates(None);
        }
        if params.len() > 8 {
            self.visitor.form(Form::new(
                span,
                "calls a function with more than 8 arguments",
            ));
        }
        self.visitor.call(&Call {
            span,
            function: fcn,
            name,
            arguments: params,
            is_statement,
        });
        params.iter().for_each(|param| self.expr(param));
    }
}

fn is_pattern(expr: &Expr) -> bool {
    matches!(expr, Expr::Array { .. } | Expr::Object { .. })
}
