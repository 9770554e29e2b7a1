//! What is asked and told of the bundle.

use super::{
    Answer, Arrived, BUNDLE, CallId, Fault, Remote,
    bundle::{Came, FetchedBundle},
    count, of_bundle, seconds,
};
use crate::{
    config::Config,
    words::{counter, gauge},
};

impl Remote {
    /// The bundle that has come, for somebody who then says what became of it.
    pub fn take_bundle(&mut self) -> Option<Arrived> {
        self.bundle.as_mut()?.take()
    }

    /// The bundle that was taken is the active one.
    pub fn bundle_is_same(&mut self, config: &Config, etag: Option<String>, now: u64, random: u64) {
        if let (Some(bundle), Some(config)) = (&mut self.bundle, &config.bundle) {
            bundle.is_same(etag, config, now, random);
            count(&mut self.counts, counter::BUNDLE_UNCHANGED, 1);
        }
    }

    /// Whether one has come that nobody took yet.
    pub fn has_bundle(&self) -> bool {
        self.bundle.as_ref().is_some_and(FetchedBundle::has_arrived)
    }

    /// The next one is asked for whole.
    pub fn forget_etag(&mut self) {
        if let Some(bundle) = &mut self.bundle {
            bundle.forget_etag();
        }
    }

    /// What became of the bundle that was taken: its `ETag`, revision and kind, or why it is refused.
    pub fn bundle_settled(
        &mut self,
        config: &Config,
        became: Result<(Option<String>, &str, &'static str), &str>,
        now: u64,
        random: u64,
    ) {
        let (Some(bundle), Some(config)) = (&mut self.bundle, &config.bundle) else {
            return;
        };
        match became {
            Ok((etag, revision, kind)) => {
                bundle.report.activated(revision, kind, now);
                bundle.took(etag, config, now, random);
            }
            Err(what) => {
                bundle.report.failed(what, None);
                bundle.refused(config, now, random);
            }
        }
    }

    /// It is active without having come, so nothing of it changes when the server is asked.
    pub fn bundle_was_kept(&mut self, revision: &str, kind: &'static str, now: u64) {
        if let Some(bundle) = &mut self.bundle {
            bundle.report.activated(revision, kind, now);
        }
    }

    /// `None` where it was no answer to a call for the bundle.
    pub(super) fn of_bundle(
        &mut self,
        config: &Config,
        id: CallId,
        answer: Answer,
        now: u64,
        random: u64,
    ) -> Option<Fault> {
        let (Some(bundle), Some(config)) = (&mut self.bundle, &config.bundle) else {
            return None;
        };
        if let Some(to) = &config.status
            && let Some(told) = bundle.report.was_answered(id, &answer, to)
        {
            let what = told.err()?;
            count(&mut self.counts, counter::BUNDLE_STATUS_FAILURES, 1);
            return Some(Fault {
                path: format!("{BUNDLE}.status"),
                what,
            });
        }
        match bundle.answered(id, answer, config, now, random)? {
            Came::Bundle => {
                self.times
                    .insert(gauge::BUNDLE_CHECKED_AT.to_owned(), seconds(now));
                None
            }
            Came::Unchanged => {
                self.times
                    .insert(gauge::BUNDLE_CHECKED_AT.to_owned(), seconds(now));
                count(&mut self.counts, counter::BUNDLE_UNCHANGED, 1);
                None
            }
            Came::Failed(what) => {
                count(&mut self.counts, counter::BUNDLE_DOWNLOAD_FAILURES, 1);
                Some(of_bundle(what))
            }
        }
    }
}
