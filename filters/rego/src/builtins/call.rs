//! What a builtin is given and what may come of it.

use std::{
    borrow::Cow,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{policy::Moment, value::Value};

/// A function of ours. It stands before regorus's of the same name, on both evaluators.
pub(crate) struct Own {
    /// As OPA names it.
    pub name: &'static str,
    pub arity: usize,
    pub call: fn(&[Value], &World<'_>) -> Outcome,
}

pub(super) const fn own(
    name: &'static str,
    arity: usize,
    call: fn(&[Value], &World<'_>) -> Outcome,
) -> Own {
    Own { name, arity, call }
}

/// None is undefined, and no error to OPA either.
pub(crate) type Outcome = Result<Option<Value>, Failure>;

/// Why a builtin gives no value.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A builtin's error, as OPA calls it: undefined, unless [`Moment::strict_builtin_errors`].
    Error(Cow<'static, str>),
    /// What OPA would do and this does not: never undefined, since under `not` it would be true.
    Unsupported(&'static str),
    /// One evaluation would take more than the budget lets it take.
    Exceeded,
}

impl Failure {
    /// The interpreter hands an error on as its text.
    pub const EXCEEDED: &str = "a builtin exceeded the budget";

    pub(crate) fn error(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::Error(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(message) => f.write_str(message),
            Failure::Unsupported(what) => write!(f, "{what} is not supported"),
            Failure::Exceeded => f.write_str(Failure::EXCEEDED),
        }
    }
}

impl std::error::Error for Failure {}

/// What a builtin knows of the evaluation that calls it.
pub(crate) struct World<'a> {
    pub moment: Moment,
    pub meter: &'a Meter,
}

impl World<'_> {
    /// Takes so many bytes of work or of result from what the evaluation may still use.
    ///
    /// # Errors
    /// Where there are not so many left.
    pub fn charge(&self, bytes: usize) -> Result<(), Failure> {
        self.meter.charge(bytes)
    }

    /// How many bytes there are still.
    pub fn left(&self) -> usize {
        usize::try_from(self.meter.0.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// [`World::charge`] for so many members of a collection.
    ///
    /// # Errors
    /// As [`World::charge`].
    pub fn charge_members(&self, members: usize) -> Result<(), Failure> {
        self.meter.charge(members.saturating_mul(MEMBER))
    }
}

/// What the builtins of one evaluation may still take. Atomic only because the interpreter's
/// extensions have to be shareable; one evaluation runs on one thread.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

/// Bytes of builtins' work that come with each instruction of the budget.
const BYTES_PER_INSTRUCTION: u64 = 64;
/// About what a member of a collection takes.
const MEMBER: usize = 16;

impl Meter {
    pub fn new(moment: &Moment) -> Meter {
        let meter = Meter::default();
        meter.fill(moment);
        meter
    }

    pub fn fill(&self, moment: &Moment) {
        let bytes = u64::from(moment.instructions).saturating_mul(BYTES_PER_INSTRUCTION);
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn charge(&self, bytes: usize) -> Result<(), Failure> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = self.0.load(Ordering::Relaxed);
        let left = left.checked_sub(bytes).ok_or(Failure::Exceeded)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// The length of a string in bytes, of a collection in members' worth of bytes; not of what stands
/// inside, which is shared and not copied.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len().saturating_mul(MEMBER),
        Value::Set(items) => items.len().saturating_mul(MEMBER),
        Value::Object(entries) => entries.len().saturating_mul(MEMBER),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Undefined => 1,
    }
}
