//! A replay for programs.

use super::{
    report::{Report, outcome, time},
    tally::{Counted, Example, Group, Kind},
    timeline::Step,
};
use crate::policy::Which;
use serde_json::{Map, Value, json};

/// Of all flips, and of a group.
const MAX_SUBJECTS: usize = 100;

pub fn show(report: &Report) -> Value {
    let tally = &report.tally;
    let (totals, lines) = (&tally.totals, &tally.rest);
    let rules = tally.rules.iter().map(|(rule, of_it)| {
        json!({
            "rule": rule,
            "replayed": of_it.replayed,
            "flips_to_allow": of_it.to_allow,
            "flips_to_deny": of_it.to_deny,
            "uncertain": of_it.uncertain,
            "uncertain_flips": of_it.uncertain_flips,
        })
    });
    let reasons: Map<String, Value> = tally
        .reasons
        .iter()
        .map(|(reason, count)| ((*reason).to_owned(), (*count).into()))
        .collect();
    let steps = tally.timeline.steps.iter().map(step);
    let groups = tally.sorted();
    json!({
        "logs": report.logs,
        "policy": report.policy,
        "section": report.which.map(Which::path),
        "from": tally.first_ns.map(time),
        "to": tally.last_ns.map(time),
        "totals": {
            "events": totals.events,
            "replayed": totals.replayed,
            "same": totals.same,
            "flips_to_allow": totals.to_allow,
            "flips_to_deny": totals.to_deny,
            "uncertain": totals.uncertain,
            "uncertain_flips_to_allow": totals.uncertain_to_allow,
            "uncertain_flips_to_deny": totals.uncertain_to_deny,
            "not_the_policys": totals.not_the_policys,
            "without_input": totals.without_input,
            "without_rule": totals.without_rule,
            "without_outcome": totals.without_outcome,
        },
        "unreadable": {
            "broken": lines.broken,
            "cut": lines.cut,
            "too_long": lines.too_long,
        },
        "cut_logs": report.cut_logs(),
        "other_lines": lines.other,
        "reasons": reasons,
        "rules": rules.collect::<Value>(),
        "groups": groups.iter().map(|(kind, it)| group(kind, it)).collect::<Value>(),
        "flips_in_no_group": tally.other_flips,
        "subjects": subjects(&tally.subjects),
        "other_subjects": others(&tally.subjects),
        "timeline": {
            "step_seconds": tally.timeline.width(),
            "steps": steps.collect::<Value>(),
        },
        "notes": report.notes,
        "allow": report.allow,
        "passes": report.passes(),
    })
}

fn group(kind: &Kind, group: &Group) -> Value {
    let reasons = group
        .reasons
        .iter()
        .map(|((old, new), count)| json!({"old": old, "new": new, "count": count}));
    json!({
        "old": outcome(!kind.to_allow),
        "new": outcome(kind.to_allow),
        "count": group.count,
        "uncertain": group.uncertain,
        "rule": kind.rule,
        "method": kind.method,
        "host": kind.host,
        "route": kind.route,
        "reasons": reasons.collect::<Value>(),
        "subjects": subjects(&group.subjects),
        "other_subjects": others(&group.subjects),
        "examples": group.examples.iter().map(example).collect::<Value>(),
    })
}

fn subjects(counted: &Counted) -> Value {
    let subjects = counted.sorted().into_iter().take(MAX_SUBJECTS);
    subjects
        .map(|(subject, count)| json!({"subject": subject, "count": count}))
        .collect()
}

/// Flips of those who are not listed.
fn others(counted: &Counted) -> u64 {
    let left = counted.sorted().into_iter().skip(MAX_SUBJECTS);
    left.map(|(_, count)| count)
        .fold(counted.others, u64::saturating_add)
}

fn example(example: &Example) -> Value {
    let mut json = json!({
        "decision_id": example.decision_id,
        "time": example.at_ns.map(time),
        "method": example.method,
        "path": example.path,
        "subject": example.subject,
        "old": example.old,
        "new": example.new,
        "decided_at": example.decided_at,
        "uncertain": example.is_uncertain,
    });
    if let (Some(json), Some(detail)) = (json.as_object_mut(), &example.detail) {
        json.insert("detail".to_owned(), detail.as_str().into());
    }
    json
}

fn step((second, step): (&u64, &Step)) -> Value {
    json!({
        "start": time(second.saturating_mul(1_000_000_000)),
        "replayed": step.replayed,
        "flips_to_allow": step.to_allow,
        "flips_to_deny": step.to_deny,
        "uncertain_flips": step.uncertain,
    })
}
