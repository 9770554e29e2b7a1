//! Variables that a head or a comprehension gives out and no body binds. regorus finds them where it is
//! asked for their rule, and no earlier; those of bodies it finds when it analyzes a policy.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Rule, RuleHead};

use crate::{
    check::at,
    error::LoadError,
    syntax::{children, dynamic_keys},
};

/// The errors of a rule in a module that has these names for what is no variable.
pub(crate) fn unsafe_variables(rule: &Rule, names: &BTreeSet<String>) -> Vec<LoadError> {
    let mut safety = Safety {
        names,
        scopes: Vec::new(),
        errors: Vec::new(),
    };
    match rule {
        Rule::Spec { head, bodies, .. } => {
            let (arguments, mut outputs, assign) = match head {
                RuleHead::Compr { refr, assign, .. } => {
                    (&[][..], dynamic_keys(refr), assign.as_ref())
                }
                RuleHead::Set { refr, key, .. } => {
                    let keys = dynamic_keys(refr).into_iter();
                    (&[][..], keys.chain(key.as_deref()).collect(), None)
                }
                RuleHead::Func { args, assign, .. } => {
                    (args.as_slice(), Vec::new(), assign.as_ref())
                }
            };
            outputs.extend(assign.map(|assign| assign.value.as_ref()));
            let mut bound = BTreeSet::new();
            for argument in arguments {
                occurring(argument, &mut bound);
            }
            safety.scopes.push(bound);
            if bodies.is_empty() {
                safety.query(None, &outputs);
            }
            for body in bodies {
                let value = body.assign.as_ref().map(|assign| assign.value.as_ref());
                match body.is_else {
                    true => safety.query(Some(&body.query), value.as_slice()),
                    false => safety.query(Some(&body.query), &outputs),
                }
            }
        }
        Rule::Default { value, .. } => safety.query(None, &[value]),
    }
    safety.errors
}

struct Safety<'a> {
    names: &'a BTreeSet<String>,
    /// What may be bound, from the outside in. What regorus would find is not looked for: a variable
    /// that stands in a body is taken for one that it binds.
    scopes: Vec<BTreeSet<String>>,
    errors: Vec<LoadError>,
}

impl Safety<'_> {
    fn query(&mut self, query: Option<&Query>, outputs: &[&Expr]) {
        let mut bound = BTreeSet::new();
        let statements = query.map_or(&[][..], |query| query.stmts.as_slice());
        for statement in statements {
            for expr in binding(statement) {
                occurring(expr, &mut bound);
            }
        }
        for output in outputs {
            indices(output, &mut bound);
        }
        self.scopes.push(bound);
        for statement in statements {
            self.statement(statement);
        }
        for output in outputs {
            self.output(output);
        }
        self.scopes.pop();
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        for expr in binding(statement) {
            self.comprehensions(expr);
        }
        match &statement.literal {
            Literal::NotExpr { expr, .. } => self.comprehensions(expr),
            Literal::Every {
                key, value, query, ..
            } => {
                let names = key.iter().chain([value]);
                self.scopes
                    .push(names.map(|name| name.text().to_owned()).collect());
                self.query(Some(query), &[]);
                self.scopes.pop();
            }
            Literal::Expr { .. } | Literal::SomeIn { .. } | Literal::SomeVars { .. } => {}
        }
    }

    /// Those that stand in an expression.
    fn comprehensions(&mut self, expr: &Expr) {
        match expr {
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(Some(query), &[term]);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => self.query(Some(query), &[key, value]),
            _ => {
                for child in children(expr) {
                    self.comprehensions(child);
                }
            }
        }
    }

    fn output(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { span, .. } => {
                let name = span.text();
                let is_known = matches!(name, "input" | "data")
                    || self.names.contains(name)
                    || self.scopes.iter().any(|scope| scope.contains(name));
                if !is_known {
                    self.errors
                        .push(at(span, format!("var {name} is unsafe")).hint("nothing binds it"));
                }
            }
            Expr::RefBrack { refr, index, .. } => {
                self.output(refr);
                if !matches!(index.as_ref(), Expr::Var { .. }) {
                    self.output(index);
                }
            }
            Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => {
                self.comprehensions(expr);
            }
            _ => {
                for child in children(expr) {
                    self.output(child);
                }
            }
        }
    }
}

/// The expressions by which a statement may bind variables for what stands around it.
fn binding(statement: &LiteralStmt) -> Vec<&Expr> {
    let mut exprs: Vec<&Expr> = match &statement.literal {
        Literal::SomeIn {
            key,
            value,
            collection,
            ..
        } => {
            let key = key.iter().map(AsRef::as_ref);
            key.chain([value.as_ref(), collection]).collect()
        }
        Literal::Expr { expr, .. } => vec![expr],
        Literal::Every { domain, .. } => vec![domain],
        Literal::NotExpr { .. } | Literal::SomeVars { .. } => Vec::new(),
    };
    let modifiers = statement.with_mods.iter();
    exprs.extend(modifiers.map(|modifier| modifier.r#as.as_ref()));
    exprs
}

/// The variables of an expression, without those of comprehensions in it.
fn occurring(expr: &Expr, names: &mut BTreeSet<String>) {
    if let Expr::Var { span, .. } = expr
        && span.text() != "_"
    {
        names.insert(span.text().to_owned());
    }
    for child in children(expr) {
        occurring(child, names);
    }
}

/// The variables that an expression binds itself: `input[x]` does.
fn indices(expr: &Expr, names: &mut BTreeSet<String>) {
    if let Expr::RefBrack { index, .. } = expr
        && !matches!(index.as_ref(), Expr::Call { .. })
    {
        occurring(index, names);
    }
    for child in children(expr) {
        indices(child, names);
    }
}
