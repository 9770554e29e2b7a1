//! A replay for people.

use super::{
    report::{Report, counted, outcome, time},
    tally::{Example, Group, Kind},
};
use crate::terminal::{Colour, paint};

/// More groups than anybody reads in a terminal.
const MAX_GROUPS: usize = 20;
const MAX_SUBJECTS: usize = 5;

pub fn show(report: &Report, coloured: bool) -> String {
    let tally = &report.tally;
    let totals = &tally.totals;
    let mut lines = vec![format!(
        "{} held against {}",
        counted(totals.events, "decision", "decisions"),
        report.against()
    )];
    if let Some((first, last)) = tally.first_ns.zip(tally.last_ns) {
        lines.push(format!("from {} to {}", time(first), time(last)));
    }
    lines.push(String::new());
    let to = |count: u64, colour| match count {
        0 => count.to_string(),
        _ => paint(colour, &count.to_string(), coloured),
    };
    let uncertain = match totals
        .uncertain_to_allow
        .saturating_add(totals.uncertain_to_deny)
    {
        0 => totals.uncertain.to_string(),
        _ => format!(
            "{} ({} would flip to allow, {} to deny)",
            totals.uncertain, totals.uncertain_to_allow, totals.uncertain_to_deny
        ),
    };
    for (name, count, is_always) in [
        ("same", totals.same.to_string(), true),
        ("flip to allow", to(totals.to_allow, Colour::Red), true),
        ("flip to deny", to(totals.to_deny, Colour::Yellow), true),
        ("uncertain", uncertain, totals.uncertain > 0),
        (
            "not the policy's",
            totals.not_the_policys.to_string(),
            totals.not_the_policys > 0,
        ),
        (
            "not made again",
            totals
                .events
                .saturating_sub(totals.replayed)
                .saturating_sub(totals.not_the_policys)
                .to_string(),
            totals.events > totals.replayed.saturating_add(totals.not_the_policys),
        ),
        (
            "unreadable",
            tally.rest.unreadable().to_string(),
            tally.rest.unreadable() > 0,
        ),
        (
            "other lines",
            tally.rest.other.to_string(),
            tally.rest.other > 0,
        ),
    ] {
        if is_always {
            lines.push(format!("  {name:<18}{count}"));
        }
    }
    let groups = tally.sorted();
    for (kind, group) in groups.iter().take(MAX_GROUPS) {
        lines.push(String::new());
        self::group(kind, group, coloured, &mut lines);
    }
    let left = groups.get(MAX_GROUPS..).unwrap_or_default();
    if !left.is_empty() {
        let flips = left
            .iter()
            .map(|(_, group)| group.count)
            .fold(0, u64::saturating_add);
        lines.push(String::new());
        lines.push(format!(
            "and {} in {}: --format json or html shows them",
            counted(flips, "flip", "flips"),
            counted(count(left.len()), "more group", "more groups")
        ));
    }
    lines.push(String::new());
    lines.push(verdict(report, coloured));
    lines.join("\n")
}

fn verdict(report: &Report, coloured: bool) -> String {
    let flips = report.tally.totals.flips();
    let flips = match flips {
        0 => "nothing flips".to_owned(),
        _ => counted(flips, "decision flips", "decisions flip"),
    };
    let cut = report.cut_logs();
    if !cut.is_empty() {
        let all = format!("{flips}, and the end is missing of {}", cut.join(", "));
        return paint(Colour::Red, &all, coloured);
    }
    match (report.passes(), report.allow) {
        (true, 0) => paint(Colour::Green, &flips, coloured),
        (true, allow) => paint(Colour::Green, &format!("{flips}, {allow} may"), coloured),
        (false, allow) => paint(Colour::Red, &format!("{flips}, {allow} may"), coloured),
    }
}

fn group(kind: &Kind, group: &Group, coloured: bool, lines: &mut Vec<String>) {
    let colour = match kind.to_allow {
        true => Colour::Red,
        false => Colour::Yellow,
    };
    let direction = format!("{} -> {}", outcome(!kind.to_allow), outcome(kind.to_allow));
    let uncertain = match group.uncertain {
        0 => String::new(),
        all if all == group.count => ", uncertain".to_owned(),
        some => format!(", {some} uncertain"),
    };
    lines.push(format!(
        "{} {}{uncertain}  {}",
        paint(colour, &direction, coloured),
        group.count,
        route(kind)
    ));
    lines.push(format!("  {}", kind.rule));
    for ((old, new), count) in &group.reasons {
        lines.push(format!("  {old} -> {new}: {count}"));
    }
    let subjects = group.subjects.sorted();
    let mut shown: Vec<String> = subjects
        .iter()
        .take(MAX_SUBJECTS)
        .map(|(subject, count)| format!("{} {count}", subject.unwrap_or("nobody")))
        .collect();
    let rest = subjects
        .iter()
        .skip(MAX_SUBJECTS)
        .map(|(_, count)| *count)
        .fold(group.subjects.others, u64::saturating_add);
    if rest > 0 {
        shown.push(format!("others {rest}"));
    }
    lines.push(format!("  by {}", shown.join(", ")));
    lines.extend(group.examples.iter().map(example));
}

pub fn route(kind: &Kind) -> String {
    let parts = [&kind.method, &kind.host, &kind.route];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let route = parts.cloned().collect::<Vec<_>>().join(" ");
    match route.as_str() {
        "" => "(no request)".to_owned(),
        _ => route,
    }
}

fn example(example: &Example) -> String {
    let mut line = String::from("   ");
    let at = example.at_ns.map(time);
    for part in [
        at.as_deref(),
        Some(example.decision_id.as_str()),
        Some(example.method.as_str()),
        Some(example.path.as_str()),
        example.subject.as_deref(),
        example.decided_at.as_deref(),
        example.detail.as_deref(),
        example.is_uncertain.then_some("(uncertain)"),
    ]
    .into_iter()
    .flatten()
    .filter(|part| !part.is_empty())
    {
        line.push(' ');
        line.push_str(part);
    }
    line
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
