//! The policy that is asked why: the one that decides, and no other.

use crate::{
    failure::Failure,
    mask,
    policy::{self, Which},
};
use portcullis_engine::Mask;
use portcullis_gatefile::GateFile;
use portcullis_rego::{
    Moment, Sources,
    tools::{Explainer, Explanation, Outcome},
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// As much as an explanation may take: more than any request is allowed.
const INSTRUCTIONS: u32 = 50_000_000;

pub struct Asked {
    sources: Sources,
    /// What its modules' paths are relative to.
    base: PathBuf,
}

impl Asked {
    /// The configuration's own; none where it comes with bundles.
    pub fn own(file: &GateFile, which: Which) -> Result<Option<Asked>, Failure> {
        let sources = policy::own_sources(file, which)?;
        Ok(sources.map(|sources| Asked {
            sources,
            base: file.base().to_owned(),
        }))
    }

    /// That of these paths, else the configuration's: without any there is nothing to say.
    pub fn named(file: &GateFile, which: Which, paths: &[PathBuf]) -> Result<Asked, Failure> {
        if paths.is_empty() {
            return Ok(Asked {
                sources: policy::needed_sources(file, which)?,
                base: file.base().to_owned(),
            });
        }
        let version = policy::version(file, which);
        Ok(Asked {
            sources: policy::of_paths(paths, version)?,
            base: PathBuf::new(),
        })
    }

    /// Why it says of an input what it says, with nothing that must not be shown.
    pub fn explain(
        &self,
        rule: &str,
        input: &Value,
        now_ns: u64,
        mask: &Mask,
    ) -> Result<Explanation, Failure> {
        let moment = Moment {
            now_ns,
            instructions: INSTRUCTIONS,
            strict_builtin_errors: false,
        };
        let input = policy::rego_value(input)?;
        let mut explainer =
            Explainer::new(&self.sources).map_err(|errors| policy::refused(errors, &self.base))?;
        let mut explanation = explainer.explain(rule, input, &moment);
        mask::explanation(mask, &mut explanation);
        based(&mut explanation, &self.base);
        Ok(explanation)
    }
}

/// Files as the user would open them.
fn based(explanation: &mut Explanation, base: &Path) {
    for attempt in &mut explanation.attempts {
        attempt.file = base.join(&attempt.file).display().to_string();
        if let Outcome::Failed(condition) = &mut attempt.outcome {
            condition.because.iter_mut().for_each(|it| based(it, base));
        }
    }
}
