//! The machine on its own: a server that is told what to answer, and a clock.

use super::{Answer, CallId, Upload};
use crate::{
    config::{decision_log::Upload as Config, remote::Endpoint},
    words::counter,
};
use std::{collections::BTreeMap, time::Duration};

const SECOND: u64 = 1_000_000_000;

struct Bench {
    config: Config,
    upload: Upload,
    now: u64,
    last: u64,
    counts: BTreeMap<&'static str, u64>,
    faults: Vec<String>,
    pushed: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench::of(2048, 16 * 1024)
    }

    fn of(max_batch: usize, buffer: usize) -> Bench {
        let config = Config {
            endpoint: Endpoint {
                cluster: "logs".into(),
                authority: "logs.test".into(),
                path: "/logs?key=s3cr3t".into(),
            },
            token: None,
            timeout: Duration::from_secs(5),
            interval: Duration::from_secs(10),
            max_batch,
            buffer,
        };
        Bench {
            upload: Upload::new(&config),
            config,
            now: 1_000 * SECOND,
            last: 0,
            counts: BTreeMap::new(),
            faults: Vec::new(),
            pushed: 0,
        }
    }

    /// An event that compresses to no less than half of this.
    fn push(&mut self, length: usize) {
        self.pushed += 1;
        let mut state = self.pushed;
        let noise = (0..length).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        });
        let event = format!(
            "{{\"n\":{},\"x\":\"{}\"}}",
            self.pushed,
            noise.collect::<String>()
        );
        let smaller = || format!("{{\"n\":{}}}", self.pushed);
        let counts = &mut self.counts;
        assert!(
            self.upload
                .push(&self.config, &event, smaller, self.now, counts)
        );
    }

    fn calls(&mut self) -> Vec<CallId> {
        let last = &mut self.last;
        let mut next_id = || {
            *last += 1;
            CallId(*last)
        };
        let (calls, faults) =
            self.upload
                .calls(&self.config, self.now, 0, &mut next_id, &mut self.counts);
        self.faults.extend(faults);
        calls.iter().map(|call| call.id).collect()
    }

    fn answer(&mut self, id: CallId, status: Option<u16>) {
        let answer = match status {
            None => Answer::Failed,
            Some(status) => Answer::Response {
                headers: vec![(":status".into(), status.to_string().into_bytes())],
                body: b"nonsense".to_vec(),
            },
        };
        let counts = &mut self.counts;
        let told = self
            .upload
            .was_answered(&self.config, id, &answer, self.now, 0, counts);
        self.faults.extend(told.unwrap());
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// Every event is somewhere.
    fn balance(&self) {
        let gone: u64 = [
            counter::LOG_UPLOADED,
            counter::LOG_DROPPED_BUFFER,
            counter::LOG_DROPPED_SIZE,
            counter::LOG_DROPPED_REFUSED,
            counter::LOG_DROPPED_SHUTDOWN,
        ]
        .iter()
        .map(|name| self.count(name))
        .sum();
        assert_eq!(gone + self.upload.buffer.events(), self.pushed);
    }
}

#[test]
fn what_comes_waits_for_others_and_goes_in_one_call() {
    let mut bench = Bench::new();
    assert_eq!(bench.upload.next(), None);
    bench.push(10);
    // The first ones are soon seen.
    let due = bench.now + SECOND;
    assert_eq!(bench.upload.next(), Some(due));
    bench.push(10);
    assert!(bench.calls().is_empty());
    bench.now = due;
    let calls = bench.calls();
    assert_eq!(calls.len(), 1);
    bench.push(10);
    assert!(bench.calls().is_empty());
    bench.answer(calls[0], Some(204));
    assert_eq!(bench.count(counter::LOG_UPLOADED), 2);
    assert_eq!(bench.count(counter::LOG_UPLOADS), 1);
    // Later ones have their time.
    assert_eq!(bench.upload.next(), Some(bench.now + SECOND));
    bench.now += SECOND;
    let calls = bench.calls();
    bench.answer(calls[0], Some(200));
    bench.push(10);
    assert_eq!(bench.upload.next(), Some(bench.now + 10 * SECOND));
    assert!(bench.faults.is_empty());
    bench.balance();
}

#[test]
fn a_full_batch_goes_at_once_and_one_behind_the_other() {
    let mut bench = Bench::new();
    for _ in 0..30 {
        bench.push(400);
    }
    assert_eq!(bench.upload.next(), Some(0));
    let mut calls = bench.calls();
    let mut number = 0;
    while let Some(id) = calls.pop() {
        assert!(calls.is_empty());
        number += 1;
        bench.answer(id, Some(200));
        calls = bench.calls();
    }
    assert!(number > 1);
    bench.balance();
    assert!(bench.upload.buffer.events() < 30);
}

#[test]
fn what_fails_is_tried_again_later_and_later_and_told_once() {
    let mut bench = Bench::new();
    bench.push(10);
    bench.now += SECOND;
    let mut waits = Vec::new();
    for status in [
        None,
        Some(500),
        Some(503),
        Some(429),
        Some(408),
        Some(500),
        None,
        None,
    ] {
        let calls = bench.calls();
        assert_eq!(calls.len(), 1, "{status:?}");
        bench.answer(calls[0], status);
        let next = bench.upload.next().unwrap();
        waits.push((next - bench.now) / 1_000_000);
        assert!(bench.calls().is_empty());
        bench.now = next;
    }
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    let calls = bench.calls();
    bench.answer(calls[0], Some(200));
    assert_eq!(bench.count(counter::LOG_UPLOADED), 1);
    assert_eq!(bench.count(counter::LOG_UPLOAD_FAILURES), 8);
    bench.balance();
    let told = bench.faults.join("\n");
    assert!(!told.contains("s3cr3t"), "{told}");
    assert!(told.ends_with("events are uploaded again"), "{told}");
    // Once for each change.
    assert_eq!(bench.faults.len(), 8, "{told}");
}

#[test]
fn a_batch_that_is_refused_is_dropped_and_what_comes_then_is_not() {
    let mut bench = Bench::new();
    for (index, status) in [400, 413, 415, 422].into_iter().enumerate() {
        bench.push(10);
        bench.now += 20 * SECOND;
        let calls = bench.calls();
        bench.answer(calls[0], Some(status));
        let refused = u64::try_from(index).unwrap() + 1;
        assert_eq!(bench.count(counter::LOG_DROPPED_REFUSED), refused);
        bench.balance();
    }
    bench.push(10);
    bench.now += 20 * SECOND;
    let calls = bench.calls();
    bench.answer(calls[0], Some(200));
    assert_eq!(bench.count(counter::LOG_UPLOADED), 1);
    bench.balance();
}

/// Sends what waits, and has it answered so, when it is due.
fn answered(bench: &mut Bench, status: u16) {
    // What there is to say may be due before.
    let mut calls = bench.calls();
    while calls.is_empty() {
        bench.now = bench.now.max(bench.upload.next().unwrap());
        calls = bench.calls();
    }
    assert_eq!(calls.len(), 1, "{status}");
    bench.answer(calls[0], Some(status));
    bench.balance();
}

#[test]
fn whoever_is_refused_tries_again_and_not_for_ever() {
    for status in [301, 302, 401, 403, 404, 407, 451] {
        let mut bench = Bench::new();
        bench.push(10);
        for _ in 1..10 {
            answered(&mut bench, status);
        }
        // The server is set right just in time; or was away, which is no refusal.
        answered(&mut bench, 503);
        for _ in 1..10 {
            answered(&mut bench, status);
        }
        assert_eq!(bench.count(counter::LOG_DROPPED_REFUSED), 0, "{status}");
        answered(&mut bench, 200);
        assert_eq!(bench.count(counter::LOG_UPLOADED), 1, "{status}");

        // And never: then the next batch has its turn.
        bench.push(10);
        let since = bench.now;
        for _ in 0..10 {
            answered(&mut bench, status);
        }
        assert_eq!(bench.count(counter::LOG_DROPPED_REFUSED), 1, "{status}");
        let minutes = (bench.now - since) / (60 * SECOND);
        assert!((1..10).contains(&minutes), "{minutes}");
        bench.push(10);
        answered(&mut bench, 200);
        assert_eq!(bench.count(counter::LOG_UPLOADED), 2, "{status}");
    }
}

#[test]
fn what_is_refused_at_the_end_is_left() {
    let mut bench = Bench::of(512, 16 * 1024);
    for _ in 0..12 {
        bench.push(400);
    }
    assert!(bench.upload.end(bench.now));
    let calls = bench.calls();
    assert!(calls.len() >= 10, "{}", calls.len());
    for id in calls {
        bench.answer(id, Some(401));
    }
    bench.balance();
    assert_eq!(bench.upload.leave().len(), 12);
}

#[test]
fn a_host_that_forgets_a_call_loses_nothing() {
    let mut bench = Bench::new();
    bench.push(10);
    bench.now += SECOND;
    let calls = bench.calls();
    bench.now = bench.upload.next().unwrap();
    assert!(bench.calls().is_empty());
    assert!(
        bench
            .upload
            .was_answered(
                &bench.config,
                calls[0],
                &Answer::Failed,
                bench.now,
                0,
                &mut bench.counts
            )
            .is_none()
    );
    bench.now = bench.upload.next().unwrap();
    let calls = bench.calls();
    bench.answer(calls[0], Some(200));
    assert_eq!(bench.count(counter::LOG_UPLOADED), 1);
    bench.balance();
}

#[test]
fn a_dead_server_costs_the_oldest_events_and_each_is_counted_and_told() {
    let mut bench = Bench::new();
    for _ in 0..300 {
        bench.push(300);
        bench.now += SECOND / 2;
        for id in bench.calls() {
            bench.answer(id, None);
        }
        bench.balance();
    }
    let dropped = bench.count(counter::LOG_DROPPED_BUFFER);
    assert!(dropped > 200, "{dropped}");
    let told: Vec<&String> = bench
        .faults
        .iter()
        .filter(|it| it.contains("dropped"))
        .collect();
    // 150 seconds, at most once a minute.
    assert!((2..=3).contains(&told.len()), "{told:?}");
    let number = |text: &String| -> u64 {
        let text = text.trim_start_matches("events were dropped: ");
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let all: u64 = told.iter().map(|text| number(text)).sum();
    let untold: u64 = bench.upload.dropped.values().sum();
    assert_eq!(all + untold, dropped);
}

#[test]
fn one_that_is_too_large_goes_with_less_in_it_or_not_at_all() {
    let mut bench = Bench::new();
    bench.push(50_000);
    assert_eq!(bench.upload.buffer.events(), 1);
    bench.pushed += 1;
    let large = || "x".repeat(50_000);
    let counts = &mut bench.counts;
    bench
        .upload
        .push(&bench.config, &large(), large, bench.now, counts);
    assert_eq!(bench.count(counter::LOG_DROPPED_SIZE), 1);
    bench.balance();
}

#[test]
fn at_the_end_all_of_it_goes_at_once_within_a_bound() {
    let mut bench = Bench::new();
    assert!(!bench.upload.end(bench.now));

    let mut bench = Bench::new();
    for _ in 0..30 {
        bench.push(400);
    }
    assert!(bench.upload.end(bench.now));
    let calls = bench.calls();
    assert!(calls.len() > 2);
    assert!(!bench.upload.has_ended(bench.now));
    for (index, id) in calls.iter().enumerate() {
        bench.answer(*id, if index == 0 { None } else { Some(200) });
    }
    assert!(!bench.upload.has_ended(bench.now));
    bench.now = bench.upload.next().unwrap();
    let again = bench.calls();
    assert_eq!(again.len(), 1);
    bench.answer(again[0], Some(200));
    assert!(bench.upload.has_ended(bench.now));
    assert!(bench.upload.leave().is_empty());
    assert_eq!(bench.count(counter::LOG_UPLOADED), 30);
    // What comes then has nowhere to wait.
    let counts = &mut bench.counts;
    assert!(
        !bench
            .upload
            .push(&bench.config, "{}", String::new, bench.now, counts)
    );

    let mut bench = Bench::new();
    for _ in 0..30 {
        bench.push(400);
    }
    assert!(bench.upload.end(bench.now));
    bench.calls();
    bench.now += super::LAST;
    assert!(bench.upload.has_ended(bench.now));
    let left = bench.upload.leave();
    assert_eq!(left.len(), 30);
    assert!(left[0].starts_with("{\"n\":1,"));
}

#[test]
fn a_clock_that_is_set_back_does_not_hold_events_back() {
    let mut bench = Bench::new();
    bench.push(10);
    let due = bench.upload.next().unwrap();
    bench.now -= 500 * SECOND;
    bench.upload.set_back(500 * SECOND);
    assert_eq!(bench.upload.next(), Some(due - 500 * SECOND));
}
