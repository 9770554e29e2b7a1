//! What is asked and told of the decision log.

use super::{
    Remote, count, log,
    upload::{self, Upload},
};
use crate::{config::Config, words::counter};

impl Remote {
    /// Has an event wait for its upload, if there is one; `smaller` is the same with less in it. True where
    /// there is one, but nothing is uploaded any more.
    pub fn log(
        &mut self,
        config: &Config,
        event: &str,
        smaller: impl FnOnce() -> String,
        now: u64,
    ) -> bool {
        let (Some(upload), Some(config)) = (&mut self.upload, log(config)) else {
            return false;
        };
        let now = now.max(self.latest);
        let waits = upload.push(config, event, smaller, now, &mut self.counts);
        if !waits {
            count(&mut self.counts, counter::LOG_DROPPED_SHUTDOWN, 1);
        }
        !waits
    }

    /// Names this worker's gate in events; the first `seed` decides.
    pub fn log_id(&mut self, seed: &str) -> String {
        let id = self.log_id.get_or_insert_with(|| upload::instance(seed));
        id.clone()
    }

    /// The gate goes away. Whether events wait that are sent before.
    pub fn end_log(&mut self, now: u64) -> bool {
        self.tell_time(now);
        self.upload.as_mut().is_some_and(|upload| upload.end(now))
    }

    /// Whether a gate that goes away waits for nothing more.
    pub fn log_has_ended(&mut self, now: u64) -> bool {
        let upload = self.upload.as_mut();
        upload.is_none_or(|upload| upload.has_ended(now))
    }

    /// The events that could not be sent.
    pub fn leave_log(&mut self) -> Vec<String> {
        let left = self.upload.as_mut().map(Upload::leave).unwrap_or_default();
        let number = u64::try_from(left.len()).unwrap_or(u64::MAX);
        count(&mut self.counts, counter::LOG_DROPPED_SHUTDOWN, number);
        left
    }
}
