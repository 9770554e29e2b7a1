//! A provider's key set that is fetched.

use super::{
    call::{Answer, Call, CallId},
    discovery,
    schedule::Schedule,
};
use crate::{
    config::{
        jwks::{self, KeySet, Place, Plan},
        remote::Endpoint,
    },
    crypto::Algorithm,
};
use std::{sync::Arc, time::Duration};

pub struct FetchedKeys {
    schedule: Schedule,
    timeout: Duration,
    /// What is under way.
    call: Option<(CallId, Stage)>,
    /// Where discovery found the keys; the next call goes there once it is known and the fetch goes on.
    found: Option<Endpoint>,
    goes_on: bool,
    current: Option<Arc<KeySet>>,
    /// Why the last fetch failed, for logs.
    pub fault: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Discovery,
    Keys,
}

/// What came of an answer.
pub enum Outcome {
    /// It was to another call.
    NotMine,
    /// The fetch goes on with another call.
    GoesOn,
    /// A new set, of which so many keys are of no use.
    Set {
        unusable: u64,
    },
    Failed(String),
}

impl FetchedKeys {
    pub fn new(plan: &Plan) -> FetchedKeys {
        FetchedKeys {
            schedule: Schedule::new(&plan.timing),
            timeout: plan.timing.timeout,
            call: None,
            found: None,
            goes_on: false,
            current: None,
            fault: None,
        }
    }

    /// The last good set, for as long as it serves.
    pub fn current(&self, now: u64) -> Option<Arc<KeySet>> {
        match self.schedule.serves(now) {
            true => self.current.clone(),
            false => None,
        }
    }

    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub fn schedule_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    pub fn next(&self) -> u64 {
        match self.goes_on {
            true => 0,
            false => self.schedule.next(),
        }
    }

    /// The call that is due.
    pub fn call(&mut self, plan: &Plan, now: u64, random: u64, id: CallId) -> Option<Call> {
        if self.call.is_some() {
            if !self.schedule.is_lost(now) {
                return None;
            }
            self.fail("the host never answered".to_owned(), now, random);
        }
        let goes_on = std::mem::take(&mut self.goes_on);
        if !goes_on {
            if !self.schedule.is_due(now) {
                return None;
            }
            // Where the keys were moves seldom; whoever waits for a new key is spared a call.
            if !self.schedule.is_out_of_turn(now) {
                self.found = None;
            }
            self.schedule.begin(now);
        } else {
            self.schedule.go_on(now);
        }
        let (stage, endpoint) = match (&plan.place, &self.found) {
            (Place::Keys(endpoint), _) => (Stage::Keys, endpoint),
            (Place::Discovery { .. }, Some(found)) => (Stage::Keys, found),
            (Place::Discovery { document, .. }, None) => (Stage::Discovery, document),
        };
        self.call = Some((id, stage));
        Some(Call::get(id, endpoint, self.timeout))
    }

    pub fn answered(
        &mut self,
        id: CallId,
        answer: &Answer,
        plan: &Plan,
        provider: (&str, &[Algorithm]),
        now: u64,
        random: u64,
    ) -> Outcome {
        let Some((_, stage)) = self.call.take_if(|(own, _)| *own == id) else {
            return Outcome::NotMine;
        };
        let (issuer, algorithms) = provider;
        let content = answer.content();
        match (stage, &plan.place) {
            (
                Stage::Discovery,
                Place::Discovery {
                    document,
                    keys_cluster,
                },
            ) => {
                let found = content.and_then(|body| {
                    discovery::keys(body, issuer, document, keys_cluster.as_deref())
                        .map_err(str::to_owned)
                });
                match found {
                    Ok(found) => {
                        self.found = Some(found);
                        self.goes_on = true;
                        Outcome::GoesOn
                    }
                    Err(fault) => self.fail(document.asked(&fault), now, random),
                }
            }
            (_, place) => match content
                .and_then(|body| jwks::fetched(body, algorithms).map_err(str::to_owned))
            {
                Ok((keys, unusable)) => {
                    self.current = Some(Arc::new(KeySet { keys }));
                    self.schedule.succeeded(now, answer.max_age(), random);
                    self.fault = None;
                    Outcome::Set { unusable }
                }
                Err(fault) => {
                    let endpoint = match (place, &self.found) {
                        (Place::Keys(endpoint), _) | (Place::Discovery { .. }, Some(endpoint)) => {
                            endpoint
                        }
                        (Place::Discovery { document, .. }, None) => document,
                    };
                    let fault = endpoint.asked(&fault);
                    self.fail(fault, now, random)
                }
            },
        }
    }

    fn fail(&mut self, fault: String, now: u64, random: u64) -> Outcome {
        self.call = None;
        self.goes_on = false;
        self.found = None;
        self.schedule.failed(now, random);
        self.fault = Some(fault.clone());
        Outcome::Failed(fault)
    }
}
