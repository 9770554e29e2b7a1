//! What is good once is taken: behind every check, so that nothing is used up by a request that would
//! be refused anyway, and before the policy is asked.

use crate::{
    config::Config,
    credential::jwt::Challenge,
    decision::{Decision, Record},
    gate::Gate,
    pass::{Pass, Question},
    replay::{Denied, Kind, ReplayStore, Why},
    words::Reason,
};
use std::time::Duration;

impl Gate {
    /// # Errors
    /// The decision that ends the request, whatever `when_invalid` says: that what it shows was good
    /// before is nothing for a policy to weigh.
    pub(crate) fn take(
        &self,
        pass: &Pass<'_>,
        question: &Question<'_>,
    ) -> Result<(), Box<Decision>> {
        // A gate that decides nothing, but tells of decisions, remembers nothing.
        let Some(store) = self.store() else {
            return Ok(());
        };
        let now_ns = pass.moment.now_ns;
        let taken =
            after_start(self.config(), store, question, now_ns).and_then(|()| {
                match question.claims.as_slice() {
                    [] => Ok(()),
                    claims => store.claim(claims, now_ns).map_err(told),
                }
            });
        taken.map_err(|(reason, detail, challenge)| {
            let record = Record {
                detail: Some(detail.to_owned()),
                subject: question.subject.clone(),
                key_id: question.key_id.clone(),
                api_key: question.api_key.clone(),
                ..pass.record(reason)
            };
            Box::new(pass.refuse_told(question.settings, record, challenge.as_ref()))
        })
    }
}

type Untaken = (Reason, &'static str, Option<Challenge>);

/// Nothing that was good before the store was there. A signer's clock may be ahead, and so is what the
/// process before may have taken.
fn after_start(
    config: &Config,
    store: &dyn ReplayStore,
    question: &Question<'_>,
    now_ns: u64,
) -> Result<(), Untaken> {
    let signatures = config.signatures.as_ref();
    let signatures = signatures.filter(|it| it.reject_before_start);
    let (Some(_), Some(good_from)) = (signatures, question.good_from) else {
        return Ok(());
    };
    let since_ns = store.since_ns(now_ns).ok_or(FAILED)?;
    let good_from = u64::try_from(good_from).map_or(Duration::ZERO, Duration::from_secs);
    match good_from > Duration::from_nanos(since_ns) {
        true => Ok(()),
        false => Err((
            Reason::SignatureReplayed,
            "it may have been taken before this gate started (`reject_before_start`)",
            None,
        )),
    }
}

const FAILED: Untaken = (
    Reason::HostError,
    "what was used before cannot be told: the store of replays does not answer",
    None,
);

fn told(Denied { kind, why }: Denied) -> Untaken {
    match (why, kind) {
        (Why::Seen, Kind::Signature) => (
            Reason::SignatureReplayed,
            "a signature, or the nonce of one, was used before",
            None,
        ),
        (Why::Seen, Kind::Proof) => (
            Reason::JwtBinding,
            "its proof was used before: the `jti` is not new",
            Some(Challenge::Proof),
        ),
        (Why::Full, Kind::Signature) => (
            Reason::ReplayFull,
            "its key has as many signatures remembered as `signatures.replay.entries` has room for",
            None,
        ),
        (Why::Full, Kind::Proof) => (
            Reason::ReplayFull,
            "as many proofs are remembered as `dpop.replay.entries` has room for",
            None,
        ),
        (Why::Failed, _) => FAILED,
    }
}
