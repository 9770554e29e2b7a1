//! Whether a request's body is looked at, and what comes of it.

use super::{Gate, Moment};
use crate::{
    body::{BodyReader, Demand},
    credential::signature::webhook,
    decision::Decision,
    request::{Incoming, Request},
    words::Reason,
};

impl Gate {
    /// What takes the request's body in, where it is to be looked at.
    pub fn body_reader(&self, request: &Request<'_>) -> Option<BodyReader> {
        let mut all = self.config.every_settings();
        let webhooks = self.config.signatures.iter().flat_map(|it| &it.webhooks);
        let is_any = all.any(|it| it.body.is_looked_at()) || webhooks.count() > 0;
        if !matches!(request.body, Incoming::Coming) || !is_any || !self.has_policy() {
            return None;
        }
        let settings = self.settings(request).ok().filter(|it| !it.off)?;
        let shown = self.config.signatures.iter().flat_map(|it| {
            let counts = |hook: &_| settings.counts(hook);
            webhook::shown(&it.webhooks, counts, request, None)
        });
        let shown: Vec<webhook::Shown<'_>> = shown.flatten().collect();
        Demand::new(&settings.body, &self.shelf, request, webhook::work(&shown))
            .ok()?
            .reader()
    }

    /// Asks about a request with all of its body, which is there already.
    pub fn with_body<T>(
        &self,
        request: &Request<'_>,
        bytes: &[u8],
        question: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        // One that is coming may be empty still: chunks without any.
        if bytes.is_empty() && matches!(request.body, Incoming::None) {
            return question(request);
        }
        let coming = Request {
            body: Incoming::Coming,
            ..*request
        };
        let body = self.body_reader(&coming).map(|mut reader| {
            reader.push(bytes);
            reader.finish()
        });
        question(&Request {
            body: body.as_ref().map_or(Incoming::Coming, Incoming::Read),
            ..coming
        })
    }

    /// The decision on a request that was let through, and whose body is not what it must be.
    pub fn refuse_body(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
        reason: Reason,
    ) -> Decision {
        let pass = self.pass(request, moment, moment.now_ns);
        let settings = self.settings(request).unwrap_or(&self.config.settings);
        pass.refuse(settings, pass.record(reason))
    }
}
