//! What those who try a gate may ask of it beyond a decision.

use super::{Gate, Moment};
use crate::{
    credential::signature::{self, Report, webhook},
    decision::Decision,
    message_signature::{Component, Message},
    pass::{Asked, Pass},
    request::Request,
    words::Reason,
};
use portcullis_rego::Reach;

impl Gate {
    /// The whole document that the policy would be asked about. A decision makes as much of it as the
    /// policy can look at.
    ///
    /// # Errors
    /// The decision that ends the request before the policy is asked.
    pub fn input(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
    ) -> Result<serde_json::Value, Box<Decision>> {
        let pass = Pass {
            reach: &Reach::Whole,
            ..self.pass(request, moment, moment.now_ns)
        };
        match pass.asked()? {
            Asked::Policy(question) => Ok(portcullis_rego::value::to_json(&question.input)),
            Asked::Off(_) | Asked::Body(_) => Err(Box::new(self.decide(request, moment))),
        }
    }

    /// What became of each of the request's signatures, and whether the gate takes them: at least one
    /// holds, and none refuses the request. `None` where the configuration has no `signatures`.
    ///
    /// # Errors
    /// What is wrong with the request, or with its signature fields.
    pub fn signatures(
        &self,
        request: &Request<'_>,
        moment: &Moment<'_>,
    ) -> Result<Option<(Vec<Report>, bool)>, String> {
        let Some(config) = &self.config.signatures else {
            return Ok(None);
        };
        let settings = self.settings(request)?;
        let message = Message::new(request.headers, request.attributes.scheme)
            .ok_or_else(|| Reason::HeadersInvalid.to_string())?;
        let now_ns = moment.now_ns;
        let pass = self.pass(request, moment, now_ns);
        let required = &pass.components(settings);
        let reports = signature::explain(config, required, now_ns, &message)?;
        let judged = signature::verify(config, required, true, now_ns, &message);
        let webhooks = pass.webhooks(settings);
        let taken = webhooks.iter().map(|(_, judged)| judged.is_ok());
        let taken: Vec<bool> = judged.iter().map(Result::is_ok).chain(taken).collect();
        let hooks = webhooks.into_iter().map(|(report, _)| report);
        let reports = reports.into_iter().chain(hooks).collect();
        Ok(Some((
            reports,
            !taken.is_empty() && taken.iter().all(|it| *it),
        )))
    }

    /// The headers that make a request the webhook's of this id, signed with the first of its secrets, for
    /// those who try a gate; at `now`, in seconds since the Unix epoch. `None` where there is no such one.
    ///
    /// # Errors
    /// Why there are none.
    pub fn sign_as_webhook(
        &self,
        id: &str,
        request: &Request<'_>,
        body: &[u8],
        now: i64,
    ) -> Option<Result<Vec<(String, String)>, &'static str>> {
        let mut hooks = self.config.signatures.iter().flat_map(|it| &it.webhooks);
        let hook = hooks.find(|hook| hook.id == id)?;
        Some(webhook::sign(hook, request, body, now))
    }

    /// What a signature of this request must cover.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn required_components(&self, request: &Request<'_>) -> Result<&[Component], String> {
        Ok(&self.settings(request)?.components)
    }
}
