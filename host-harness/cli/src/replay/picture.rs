//! Pictures of a replay, as SVG in a page. Colours are the page's.

use super::{
    html::escape,
    report::{counted, time},
    tally::OfRule,
    timeline::{Step, Timeline},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// In units of the picture.
const WIDTH: f64 = 800.0;
const LEFT: f64 = 64.0;
const BARS: f64 = WIDTH - LEFT - 16.0;
const HEIGHT: f64 = 160.0;
const TOP: f64 = 16.0;
const STRIP: f64 = 28.0;
/// Of a rule.
const ROW: f64 = 30.0;
const MAX_RULES: usize = 12;
const MAX_NAME: usize = 60;

/// Flips in stacks, a stack for each step, above how much was replayed then.
pub fn over_time(timeline: &Timeline) -> String {
    let steps = filled(timeline);
    let most = steps.iter().map(|(_, step)| flips(step)).max().unwrap_or(0);
    let most_replayed = steps.iter().map(|(_, step)| step.replayed).max();
    let all = steps.iter().map(|(_, step)| flips(step));
    let all = all.fold(0, u64::saturating_add);
    let bottom = TOP + HEIGHT;
    let strip = bottom + 8.0;
    let mut picture = begin(
        "over-time",
        strip + STRIP + 28.0,
        "Flips over time",
        &format!(
            "{} in steps of {} seconds, {most} in one step at most.",
            counted(all, "flip", "flips"),
            timeline.width()
        ),
    );
    let _ = writeln!(
        picture,
        "<text class=\"axis\" x=\"{x}\" y=\"{TOP}\" dy=\"4\" text-anchor=\"end\">{most}</text>\
         <text class=\"axis\" x=\"{x}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
         <text class=\"axis\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">replayed</text>\
         <line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{end}\" y2=\"{bottom}\"/>",
        x = LEFT - 8.0,
        y = strip + STRIP / 2.0 + 4.0,
        end = LEFT + BARS,
    );
    let width = BARS / real(steps.len().max(1));
    let bar = (width * 0.85).min(40.0);
    for (index, (second, step)) in steps.iter().enumerate() {
        let x = LEFT + width * real(index) + (width - bar) / 2.0;
        let _ = write!(
            picture,
            "<g><title>{}: {} to allow, {} to deny, {} uncertain, {} replayed</title>",
            time(second.saturating_mul(1_000_000_000)),
            step.to_allow,
            step.to_deny,
            step.uncertain,
            step.replayed
        );
        let mut y = bottom;
        for (class, count) in [
            ("to-deny", step.to_deny),
            ("to-allow", step.to_allow),
            ("uncertain", step.uncertain),
        ] {
            let height = HEIGHT * share(count, most);
            y -= height;
            rectangle(&mut picture, class, (x, y), (bar, height));
        }
        let height = STRIP * share(step.replayed, most_replayed.unwrap_or(0));
        rectangle(&mut picture, "replayed", (x, strip), (bar, height));
        picture.push_str("</g>\n");
    }
    let ends = steps.first().zip(steps.last());
    if let Some(((first, _), (last, _))) = ends {
        let last = last.saturating_add(timeline.width());
        let y = strip + STRIP + 20.0;
        for (x, anchor, second) in [(LEFT, "start", *first), (LEFT + BARS, "end", last)] {
            let _ = write!(
                picture,
                "<text class=\"axis\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
                time(second.saturating_mul(1_000_000_000))
            );
        }
    }
    picture.push_str("</svg>\n");
    picture
}

/// A bar for each rule; those with most flips first.
pub fn by_rule(rules: &BTreeMap<String, OfRule>) -> String {
    let flips = |rule: &OfRule| {
        rule.to_allow
            .saturating_add(rule.to_deny)
            .saturating_add(rule.uncertain_flips)
    };
    let mut all: Vec<(&String, &OfRule)> = rules.iter().collect();
    all.sort_by(|a, b| flips(b.1).cmp(&flips(a.1)).then_with(|| a.0.cmp(b.0)));
    let most = all.first().map_or(0, |(_, rule)| flips(rule));
    let shown = all.len().min(MAX_RULES);
    let described = all.iter().take(MAX_RULES).map(|(name, rule)| {
        format!(
            "{name}: {} to allow, {} to deny, {} uncertain, of {}.",
            rule.to_allow, rule.to_deny, rule.uncertain_flips, rule.replayed
        )
    });
    let described: Vec<String> = described.collect();
    let mut picture = begin(
        "by-rule",
        ROW * real(shown.max(1)) + TOP,
        "Flips by rule",
        &described.join(" "),
    );
    for (index, (name, rule)) in all.iter().take(MAX_RULES).enumerate() {
        let y = ROW * real(index) + TOP;
        let short: String = name.chars().take(MAX_NAME).collect();
        let _ = write!(
            picture,
            "<g><title>{}</title><text x=\"{LEFT}\" y=\"{}\">{}: {} of {}</text>",
            escape(described.get(index).map_or("", String::as_str)),
            y - 2.0,
            escape(&short),
            flips(rule),
            rule.replayed,
        );
        let mut x = LEFT;
        for (class, count) in [
            ("to-deny", rule.to_deny),
            ("to-allow", rule.to_allow),
            ("uncertain", rule.uncertain_flips),
        ] {
            let width = BARS * share(count, most);
            rectangle(&mut picture, class, (x, y + 3.0), (width, 8.0));
            x += width;
        }
        picture.push_str("</g>\n");
    }
    picture.push_str("</svg>\n");
    picture
}

fn begin(id: &str, height: f64, title: &str, described: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         id=\"{id}\" aria-labelledby=\"{id}-title {id}-text\">\n<title id=\"{id}-title\">{}</title>\n\
         <desc id=\"{id}-text\">{}</desc>\n",
        escape(title),
        escape(described)
    )
}

fn rectangle(picture: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    // What is there is seen.
    if width > 0.0 && height > 0.0 {
        let _ = write!(
            picture,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
}

/// With the steps in which nothing came.
fn filled(timeline: &Timeline) -> Vec<(u64, Step)> {
    let ends = timeline
        .steps
        .keys()
        .next()
        .zip(timeline.steps.keys().next_back());
    let Some((first, last)) = ends else {
        return Vec::new();
    };
    let width = timeline.width();
    let next = |at: &u64| at.checked_add(width).filter(|at| at <= last);
    std::iter::successors(Some(*first), next)
        .map(|at| (at, timeline.steps.get(&at).copied().unwrap_or_default()))
        .collect()
}

fn flips(step: &Step) -> u64 {
    step.to_allow
        .saturating_add(step.to_deny)
        .saturating_add(step.uncertain)
}

/// From 0 to 1; what is there at all is a little.
fn share(count: u64, most: u64) -> f64 {
    match count {
        0 => 0.0,
        _ => (count as f64 / most.max(1) as f64).max(0.01),
    }
}

fn real(number: usize) -> f64 {
    number as f64
}
