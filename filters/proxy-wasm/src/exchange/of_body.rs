//! A request's body: held until it can be looked at, or checked while it passes.

use super::{Exchange, State, record};
use crate::{
    asked::{Asked, Unknown},
    body::{self, Held},
    host,
};
use portcullis_engine::{BodyCheck, Decision, HeaderEdit, Reason, Record, host_failure};

const NO_BODY: &str = "the host gave less of a body than it said";

impl Exchange {
    /// A piece of the body has come: `size` is of all that the host holds, or of what passes.
    pub fn take_body(&self, size: usize, is_end: bool) {
        match self.state.replace(State::Undecided) {
            State::Waiting(mut asked, waiting) => match self.take(&mut asked, size, is_end) {
                Ok(()) => drop(self.state.replace(State::Waiting(asked, waiting))),
                Err(host::Refused) => self.fail_at_body(asked),
            },
            State::Reading(mut asked) => match self.take(&mut asked, size, is_end) {
                Ok(()) => self.read(asked),
                Err(host::Refused) => self.fail_at_body(asked),
            },
            State::Passing {
                asked,
                record,
                place,
                mut check,
                response,
            } => match body::pass(&mut check, size) {
                Err(host::Refused) => self.fail_at_body(asked),
                Ok(Err(reason)) => self.refuse_body(asked, reason),
                Ok(Ok(())) if is_end => self.passed(asked, *record, *check, response),
                Ok(Ok(())) => {
                    self.state.replace(State::Passing {
                        asked,
                        record,
                        place,
                        check,
                        response,
                    });
                }
            },
            other => drop(self.state.replace(other)),
        }
    }

    /// Trailers have come: there is no more of the body.
    pub fn end_body(&self) {
        match self.state.replace(State::Undecided) {
            State::Waiting(mut asked, waiting) => {
                asked.body.end();
                self.state.replace(State::Waiting(asked, waiting));
            }
            State::Reading(mut asked) => {
                asked.body.end();
                self.read(asked);
            }
            State::Passing {
                asked,
                record,
                check,
                response,
                ..
            } => self.passed(asked, *record, *check, response),
            other => drop(self.state.replace(other)),
        }
    }

    fn take(&self, asked: &mut Asked, size: usize, is_end: bool) -> Result<(), host::Refused> {
        if let Some(accepted) = &self.accepted {
            accepted.bodies.came();
        }
        asked.body.take(size, is_end)
    }

    /// Goes on with the body, if all of it is there.
    fn read(&self, asked: Box<Asked>) {
        match asked.body {
            Held::Read(_) => self.step(asked, None),
            _ => drop(self.state.replace(State::Reading(asked))),
        }
    }

    /// The whole body has passed, but for its last piece.
    fn passed(
        &self,
        asked: Box<Asked>,
        record: Record,
        check: BodyCheck,
        response: Vec<HeaderEdit>,
    ) {
        match check.finish() {
            Ok(()) => {
                self.state.replace(State::Allowed { response });
                self.tell(record, Some(asked));
            }
            Err(reason) => self.refuse_body(asked, reason),
        }
    }

    pub(super) fn refuse_body(&self, asked: Box<Asked>, reason: Reason) {
        let refused = asked.ask(|gate, request, moment| gate.refuse_body(request, moment, reason));
        let decision = match refused {
            Ok(decision) => decision,
            Err(Unknown(detail)) => host_failure(&asked.decision_id, detail),
        };
        self.enforce(decision, Some(asked));
    }

    /// The request goes on, and its body is checked while it passes.
    pub(super) fn let_pass(
        &self,
        mut decision: Decision,
        asked: Box<Asked>,
        check: Box<BodyCheck>,
    ) {
        record(&decision.record);
        let room = self.accepted.as_ref().map(|accepted| &accepted.room);
        let place = room.and_then(|room| room.of(&asked, &decision.record));
        if place.is_none() {
            // What it was decided by is held by nobody as long as its body takes.
            decision.record.evidence = None;
        }
        match self.carry_out(decision.effect, &decision.record) {
            Ok(State::Allowed { response }) => {
                self.state.replace(State::Passing {
                    asked,
                    record: Box::new(decision.record),
                    place,
                    check,
                    response,
                });
            }
            Ok(other) => {
                self.state.replace(other);
                self.tell(decision.record, Some(asked));
            }
            Err(failed) => self.enforce(*failed, Some(asked)),
        }
    }

    /// The host gave less of a body than it said.
    fn fail_at_body(&self, asked: Box<Asked>) {
        let decision = host_failure(&asked.decision_id, NO_BODY);
        self.enforce(decision, Some(asked));
    }
}
