//! One finding as it is shown, whatever room it came from.

use super::kinds::{self, Kind, LOAD};
use portcullis_gatefile::{Finding as LoadFinding, Place};
use portcullis_rego::tools::lint::{self, Severity};
use std::path::{Component, Path, PathBuf};

/// Something found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: &'static Kind,
    pub severity: Severity,
    pub place: Place,
    /// How many characters of the line it is about; 0 where the line is not shown: a line of a
    /// configuration may hold a secret.
    pub width: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Finding {
    /// Of a configuration, which shows no line.
    pub fn new(kind: &'static Kind, place: Place, message: impl Into<String>) -> Finding {
        Finding {
            kind,
            severity: kind.severity,
            place,
            width: 0,
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(self, hint: impl Into<String>) -> Finding {
        Finding {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// What would not load.
    pub fn load(finding: LoadFinding) -> Finding {
        let is_rego = is_rego(&finding.place.file) && finding.place.column > 0;
        Finding {
            hint: finding.hint,
            width: usize::from(is_rego),
            ..Finding::new(&LOAD, finding.place, finding.message)
        }
    }

    /// A lint's, in a place of its own.
    pub fn lint(found: lint::Finding, place: Place, shows_line: bool) -> Finding {
        let width = usize::try_from(found.width).unwrap_or_default();
        Finding {
            kind: kinds::find(found.lint.name()).unwrap_or(&LOAD),
            severity: found.severity,
            place,
            width: match shows_line {
                true => width,
                false => 0,
            },
            message: found.message,
            hint: found.hint,
        }
    }
}

fn is_rego(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "rego")
}

/// By file and line, each once; of two that differ in severity only, the worse.
pub fn in_order(findings: &mut Vec<Finding>) {
    for finding in findings.iter_mut() {
        if let Some(file) = straight(&finding.place.file) {
            finding.place.file = file;
        }
    }
    findings.sort_by(|one, other| {
        let place = |it: &Finding| (it.place.file.clone(), it.place.line, it.place.column);
        let what = |it: &Finding| (it.kind.name, it.message.clone(), it.severity);
        let same_place = place(one).cmp(&place(other));
        same_place.then_with(|| what(one).cmp(&what(other)))
    });
    findings.dedup_by(|later, earlier| {
        later.place == earlier.place
            && later.kind.name == earlier.kind.name
            && later.message == earlier.message
    });
}

/// `./envoy/../policies` as `policies`, where that is the same file.
fn straight(file: &Path) -> Option<PathBuf> {
    let mut straight = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir if matches!(last(&straight), Some(Component::Normal(_))) => {
                straight.pop();
            }
            Component::CurDir => {}
            part => straight.push(part),
        }
    }
    let same = straight.canonicalize().ok()? == file.canonicalize().ok()?;
    same.then_some(straight)
}

fn last(path: &Path) -> Option<Component<'_>> {
    path.components().next_back()
}
