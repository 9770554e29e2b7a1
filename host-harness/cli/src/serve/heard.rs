//! What the filter's own HTTP calls were answered, so that the engine beside it knows the same keys
//! and tokens without asking for itself. It is held in memory only.

use crate::moment;
use portcullis_engine::{Answer, Call};
use portcullis_host::{HttpCall, HttpCallResponse};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Of the answers.
const REMEMBERED: usize = 50;
/// Of one: bundles are the longest.
const LONGEST: usize = 16 << 20;

/// The last good answer to each call.
#[derive(Default)]
pub struct Heard(Mutex<VecDeque<Entry>>);

struct Entry {
    question: Question,
    answer: Answer,
    at_ns: u64,
}

/// What makes two calls the same.
#[derive(PartialEq, Eq)]
pub struct Question {
    cluster: String,
    head: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// One that tells, and asks nothing.
    is_report: bool,
}

const HEAD: [&str; 3] = [":method", ":authority", ":path"];

impl Question {
    pub fn of_filter(call: &HttpCall) -> Question {
        let head = HEAD.map(|name| call.headers.get(name).unwrap_or_default().to_vec());
        Question {
            cluster: call.cluster.clone(),
            is_report: call.headers.get("content-type") == Some(b"application/json".as_slice()),
            head: head.into(),
            body: call.body.clone(),
        }
    }

    fn of_engine(call: &Call) -> Question {
        let value = |name| {
            let mut headers = call.headers.iter();
            let found = headers.find(|(found, _)| found == name);
            found.map_or_else(Vec::new, |(_, value)| value.clone().into_bytes())
        };
        Question {
            cluster: call.cluster.clone(),
            head: HEAD.map(value).into(),
            body: call.body.clone(),
            is_report: value("content-type") == b"application/json",
        }
    }
}

impl Entry {
    /// As a server answers who has it already (RFC 9110 section 13.1.2).
    fn answer_to(&self, known: Option<&[u8]>) -> Answer {
        if let Answer::Response { headers, .. } = &self.answer
            && known.is_some()
        {
            let mut headers = headers.iter();
            let tag = headers.find(|(name, _)| name == "etag").cloned();
            if let Some(tag) = tag.filter(|(_, tag)| known == Some(tag.as_slice())) {
                return Answer::Response {
                    headers: vec![(":status".to_owned(), b"304".to_vec()), tag],
                    body: Vec::new(),
                };
            }
        }
        self.answer.clone()
    }
}

impl Heard {
    /// Remembers an answer with status 200, in the place of an older one.
    pub fn remember(&self, question: Question, response: &HttpCallResponse) {
        let status = response.headers.get(":status");
        if status != Some(b"200".as_slice()) || response.body.len() > LONGEST || question.is_report
        {
            return;
        }
        let headers = response.headers.iter();
        let answer = Answer::Response {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            body: response.body.clone(),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.question != question);
        while entries.len() >= REMEMBERED {
            entries.pop_front();
        }
        entries.push_back(Entry {
            question,
            answer,
            at_ns: moment::nanoseconds(moment::now()),
        });
    }

    /// The answer to a call of the engine's, and when it came.
    pub fn answer(&self, call: &Call) -> Option<(Answer, u64)> {
        let question = Question::of_engine(call);
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.iter().find(|entry| entry.question == question)?;
        let header = |name: &str| {
            let mut headers = call.headers.iter();
            headers
                .find(|(found, _)| found == name)
                .map(|(_, value)| value)
        };
        let known = header("if-none-match").map(String::as_bytes);
        Some((entry.answer_to(known), entry.at_ns))
    }
}
