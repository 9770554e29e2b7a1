//! Which lines of a policy its tests ran, counted as OPA counts them: by the lines on which rules and
//! the conditions of their bodies begin. A rule's head is covered where the rule came to a value, a
//! condition where it was looked at.
//!
//! What is told of less exactly: a default is covered where its rule was asked, since regorus evaluates
//! it each time; and the conditions of a comprehension in a head's value do not count where the value
//! moves into the body.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use regorus::{
    Engine,
    unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule},
};

use super::heads::{self, Head};
use crate::{error::EvalError, syntax, value::Value, visit::Visitor, walk};

/// What was covered of all modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By the modules' paths.
    pub files: BTreeMap<String, Lines>,
}

/// The lines of a module that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Those that ran.
    pub covered: BTreeSet<u32>,
    /// Those that did not.
    pub not_covered: BTreeSet<u32>,
}

impl Coverage {
    /// How many lines were covered, and how many were not.
    pub fn totals(&self) -> (usize, usize) {
        let lines = self.files.values();
        lines.fold((0, 0), |(covered, not_covered), lines| {
            (
                covered.saturating_add(lines.covered.len()),
                not_covered.saturating_add(lines.not_covered.len()),
            )
        })
    }
}

impl Lines {
    /// Lines as ranges, both ends included.
    pub fn ranges(lines: &BTreeSet<u32>) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for &line in lines {
            match ranges.last_mut() {
                Some((_, end)) if end.saturating_add(1) == line => *end = line,
                _ => ranges.push((line, line)),
            }
        }
        ranges
    }
}

/// What one runner covered.
#[derive(Debug, Default)]
pub struct Covered(BTreeMap<String, BTreeSet<u32>>);

impl Covered {
    pub(crate) fn add(&mut self, engine: &Engine) {
        let files = engine.get_coverage_report().map(|report| report.files);
        for file in files.unwrap_or_default() {
            self.0.entry(file.path).or_default().extend(file.covered);
        }
    }
}

/// What there is to cover, as the interpreter sees it.
pub(crate) struct Plan {
    files: Vec<File>,
    heads: Vec<Head>,
    /// Of every head whether it came to a value.
    told: Arc<Vec<AtomicBool>>,
}

struct File {
    path: String,
    lines: Vec<Line>,
}

struct Line {
    line: u32,
    /// The line that regorus notes when it looks at what begins here; none where it notes nothing.
    noted: Option<u32>,
    /// Whether it counts where it was not covered.
    counts: bool,
}

impl Plan {
    /// Of the modules in which heads tell.
    pub fn new(heads: Vec<Head>, trees: &[Ref<Module>]) -> Plan {
        Plan {
            files: trees.iter().map(|tree| file(tree)).collect(),
            told: Arc::new(heads.iter().map(|_| AtomicBool::new(false)).collect()),
            heads,
        }
    }

    /// Has an engine take note of what it covers.
    pub fn enable(&self, engine: &mut Engine) -> Result<(), EvalError> {
        engine.set_enable_coverage(true);
        let told = Arc::clone(&self.told);
        let note = move |arguments: Vec<Value>| {
            let mut arguments = arguments.into_iter();
            let head = arguments.next().and_then(|head| head.as_u64().ok());
            let head = head.and_then(|head| told.get(usize::try_from(head).ok()?));
            if let Some(head) = head {
                head.store(true, Ordering::Relaxed);
            }
            Ok(arguments.next().unwrap_or(Value::Undefined))
        };
        engine
            .add_extension(heads::TOLD.to_owned(), 2, Box::new(note))
            .map_err(|error| EvalError::Failed(error.to_string()))
    }

    pub fn report(&self, covered: impl IntoIterator<Item = Covered>) -> Coverage {
        let mut noted: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for Covered(files) in covered {
            for (path, lines) in files {
                noted.entry(path).or_default().extend(lines);
            }
        }
        let mut coverage = Coverage::default();
        for (index, file) in self.files.iter().enumerate() {
            let nothing = BTreeSet::new();
            let noted = noted.get(&file.path).unwrap_or(&nothing);
            let mut lines = Lines::default();
            for line in &file.lines {
                let is_covered = line.noted.is_some_and(|line| noted.contains(&line));
                lines.add(line.line, is_covered, line.counts);
            }
            for (head, told) in self.heads.iter().zip(self.told.iter()) {
                if head.module == index {
                    lines.add(head.line, told.load(Ordering::Relaxed), true);
                }
            }
            let Lines {
                covered,
                not_covered,
            } = &mut lines;
            not_covered.retain(|line| !covered.contains(line));
            // Modules of ours have no place that a user knows.
            if !file.path.starts_with("__portcullis") {
                coverage.files.insert(file.path.clone(), lines);
            }
        }
        coverage
    }
}

impl Lines {
    fn add(&mut self, line: u32, is_covered: bool, counts: bool) {
        if is_covered {
            self.covered.insert(line);
        } else if counts {
            self.not_covered.insert(line);
        }
    }
}

fn file(tree: &Module) -> File {
    let mut finder = Finder { lines: Vec::new() };
    for rule in &tree.policy {
        if let Rule::Default { span, value, .. } = rule.as_ref() {
            finder.lines.push(Line {
                line: syntax::place(span).0,
                noted: Some(value.span().line),
                counts: true,
            });
        }
        walk::rule(rule, &mut finder);
    }
    File {
        path: tree.package.refr.span().source.file().clone(),
        lines: finder.lines,
    }
}

struct Finder {
    lines: Vec<Line>,
}

impl Visitor for Finder {
    fn query(&mut self, query: &Query) {
        self.lines.extend(query.stmts.iter().filter_map(line));
    }
}

fn line(statement: &LiteralStmt) -> Option<Line> {
    let (looked_at, counts) = match &statement.literal {
        // Declarations do not count in OPA, though one that iterates is covered where it did.
        Literal::SomeVars { .. } => return None,
        Literal::SomeIn { collection, .. } => (collection, false),
        Literal::Expr { expr, .. } if is_ours(expr) => return None,
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => (expr, true),
        Literal::Every { domain, .. } => (domain, true),
    };
    Some(Line {
        line: syntax::place(&statement.span).0,
        noted: noted(looked_at),
        counts,
    })
}

/// What a pass over the policy put into a body.
fn is_ours(expr: &Expr) -> bool {
    matches!(expr, Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } if heads::is_ours(lhs))
}

/// regorus reports no comprehension, but what stands in it.
fn noted(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::ArrayCompr { query, .. }
        | Expr::SetCompr { query, .. }
        | Expr::ObjectCompr { query, .. } => line(query.stmts.first()?)?.noted,
        other => Some(other.span().line),
    }
}
