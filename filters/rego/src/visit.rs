//! What a walk over a rule tells, and whom.

use regorus::unstable::{Expr, Query, Ref, Span};

use crate::forms::Form;

/// Hears of what a walk comes by; all of it is optional.
pub(crate) trait Visitor {
    /// A reference whose root is no variable. A segment is none where it is only known when it runs.
    fn reference(&mut self, _whole: &Expr, _root: &str, _segments: &[Option<String>]) {}
    fn call(&mut self, _call: &Call<'_>) {}
    /// What `with` replaces, and what by.
    fn replaced(&mut self, _target: &Expr, _by: &Expr) {}
    fn query(&mut self, _query: &Query) {}
    /// A comprehension or an `every`.
    fn nested(&mut self) {}
    /// A body may succeed more than once; by which variable, where it may be bound elsewhere.
    fn iterates(&mut self, _variable: Option<&str>) {}
    /// The same inside of `not`, which succeeds once all the same.
    fn iterates_in_not(&mut self, _variable: Option<&str>) {}
    fn array_comprehension(&mut self, _whole: &Span, _term: &Expr, _query: &Query) {}
    fn set_comprehension(&mut self, _term: &Expr, _query: &Query) {}
    fn object_comprehension(&mut self, _whole: &Span, _key: &Expr, _value: &Expr, _query: &Query) {}
    fn some_in(&mut self, _collection: &Expr) {}
    fn index(&mut self, _index: &Expr) {}
    /// The body of an `every` begins, with the names that it binds, or ends.
    fn every(&mut self, _binds: Option<Vec<String>>) {}
    /// An operator of arithmetic, of sets, or of comparison.
    fn operation(&mut self, _operation: &Operation<'_>) {}
    fn membership(
        &mut self,
        _whole: &Span,
        _key: Option<&Expr>,
        _value: &Expr,
        _collection: &Expr,
    ) {
    }
    /// `lhs = rhs`, which compares where both have values.
    fn equation(&mut self, _lhs: &Expr, _rhs: &Expr) {}
    /// A member of a set that is written out, or a key of an object.
    fn inserted(&mut self, _member: &Expr) {}
    /// What a rule collects into a set.
    fn contained(&mut self, _member: &Expr) {}
    fn form(&mut self, _form: Form) {}
}

pub(crate) struct Call<'a> {
    pub span: &'a Span,
    pub function: &'a Expr,
    /// None where it is no plain name.
    pub name: Option<String>,
    pub arguments: &'a [Ref<Expr>],
    /// A statement of its own, where the last argument may take the result.
    pub is_statement: bool,
}

/// `lhs symbol rhs`.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub span: &'a Span,
    pub symbol: &'static str,
    pub lhs: &'a Expr,
    pub rhs: &'a Expr,
}
