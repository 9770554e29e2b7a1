//! A replay as a page: one file that asks nobody for anything, and runs nothing.

use super::{
    picture,
    report::{Report, counted, outcome, time},
    tally::{Counted, Example, Group, Kind},
    text::route,
    timeline::Step,
};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
/// Of a group, and of all flips.
const MAX_SUBJECTS: usize = 10;

pub fn show(report: &Report) -> String {
    let tally = &report.tally;
    let totals = &tally.totals;
    let flips = totals.flips();
    let verdict = match flips {
        0 => "Nothing flips".to_owned(),
        _ => counted(flips, "decision flips", "decisions flip"),
    };
    let mut page = String::new();
    // Only this style is one; nothing else is fetched, sent or run, whatever stands in the page.
    let _ = write!(
        page,
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\"/>
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\"/>
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>
<meta name=\"referrer\" content=\"no-referrer\"/>
<meta name=\"color-scheme\" content=\"light dark\"/>
<title>{} against {}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{}</h1>
<p>{} of {}, held against <strong>{}</strong>{}.</p>
</header>
",
        style_digest(),
        escape(&verdict),
        escape(&report.against()),
        escape(&verdict),
        counted(totals.events, "decision", "decisions"),
        escape(&report.logs.join(", ")),
        escape(&report.against()),
        match tally.first_ns.zip(tally.last_ns) {
            Some((first, last)) => format!(", from {} to {}", time(first), time(last)),
            None => String::new(),
        },
    );
    numbers(report, &mut page);
    if !report.notes.is_empty() {
        page.push_str("<section aria-labelledby=\"notes\"><h2 id=\"notes\">To know</h2>\n<ul>\n");
        for note in &report.notes {
            let _ = writeln!(page, "<li>{}</li>", escape(note));
        }
        page.push_str("</ul></section>\n");
    }
    pictures(report, &mut page);
    page.push_str(
        "<section aria-labelledby=\"groups\"><h2 id=\"groups\">Flips by route and rule</h2>\n",
    );
    let groups = tally.sorted();
    if groups.is_empty() {
        page.push_str("<p>None.</p>\n");
    }
    for (index, (kind, group)) in groups.iter().enumerate() {
        self::group(kind, group, index == 0, &mut page);
    }
    page.push_str("</section>\n");
    if flips > 0 {
        page.push_str(
            "<section aria-labelledby=\"subjects\"><h2 id=\"subjects\">Flips by subject</h2>\n",
        );
        subjects(&tally.subjects, "Flips of each subject", &mut page);
        page.push_str("</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>");
    page
}

/// As a policy for content names a style (CSP Level 3, section 2.3.1).
fn style_digest() -> String {
    let field = portcullis_engine::content_digest(STYLE.as_bytes());
    field.split(':').nth(1).unwrap_or_default().to_owned()
}

fn numbers(report: &Report, page: &mut String) {
    let totals = &report.tally.totals;
    let uncertain = totals
        .uncertain_to_allow
        .saturating_add(totals.uncertain_to_deny);
    let not_again = totals
        .events
        .saturating_sub(totals.replayed)
        .saturating_sub(totals.not_the_policys);
    page.push_str("<section aria-label=\"Totals\"><dl class=\"totals\">\n");
    for (name, class, count, more) in [
        ("Same", "same", totals.same, String::new()),
        (
            "Flip to allow",
            "to-allow",
            totals.to_allow,
            "were denied".to_owned(),
        ),
        (
            "Flip to deny",
            "to-deny",
            totals.to_deny,
            "were allowed".to_owned(),
        ),
        (
            "Uncertain",
            "uncertain",
            totals.uncertain,
            format!("{uncertain} would flip"),
        ),
        (
            "Not the policy's",
            "same",
            totals.not_the_policys,
            "decided before it".to_owned(),
        ),
        ("Not made again", "same", not_again, String::new()),
        (
            "Unreadable",
            "uncertain",
            report.tally.rest.unreadable(),
            match report.cut_logs().len() {
                0 => String::new(),
                _ => "and an end is missing".to_owned(),
            },
        ),
    ] {
        let _ = writeln!(
            page,
            "<div class=\"{class}\"><dt>{name}</dt><dd>{count}</dd><dd class=\"more\">{more}</dd></div>"
        );
    }
    page.push_str("</dl></section>\n");
}

fn pictures(report: &Report, page: &mut String) {
    let tally = &report.tally;
    page.push_str("<section aria-labelledby=\"pictures\"><h2 id=\"pictures\">Flips over time, and by rule</h2>\n");
    page.push_str(
        "<p class=\"legend\"><span class=\"key to-allow\"></span> to allow \
         <span class=\"key to-deny\"></span> to deny \
         <span class=\"key uncertain\"></span> uncertain</p>\n",
    );
    page.push_str("<figure>\n");
    page.push_str(&picture::over_time(&tally.timeline));
    page.push_str("</figure>\n<figure>\n");
    page.push_str(&picture::by_rule(&tally.rules));
    page.push_str("</figure>\n");
    page.push_str(
        "<details><summary>The same in numbers</summary>\n<div class=\"wide\"><table><caption>",
    );
    let _ = write!(page, "Steps of {} seconds", tally.timeline.width());
    page.push_str("</caption>\n<thead><tr><th scope=\"col\">from</th><th scope=\"col\">replayed</th><th scope=\"col\">to allow</th><th scope=\"col\">to deny</th><th scope=\"col\">uncertain</th></tr></thead>\n<tbody>\n");
    for (second, step) in &tally.timeline.steps {
        let Step {
            replayed,
            to_allow,
            to_deny,
            uncertain,
        } = step;
        let at = time(second.saturating_mul(1_000_000_000));
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{at}</th><td>{replayed}</td><td>{to_allow}</td><td>{to_deny}</td><td>{uncertain}</td></tr>"
        );
    }
    page.push_str("</tbody></table></div></details></section>\n");
}

fn group(kind: &Kind, group: &Group, is_open: bool, page: &mut String) {
    let class = match kind.to_allow {
        true => "to-allow",
        false => "to-deny",
    };
    let uncertain = match group.uncertain {
        0 => String::new(),
        some => format!(" <span class=\"uncertain\">{some} uncertain</span>"),
    };
    let _ = write!(
        page,
        "<details class=\"group\"{}><summary><span class=\"count\">{}</span> \
         <span class=\"{class}\">{} → {}</span>{uncertain} <code>{}</code></summary>\n\
         <p>Rule <code>{}</code></p>\n<ul>\n",
        if is_open { " open=\"open\"" } else { "" },
        group.count,
        outcome(!kind.to_allow),
        outcome(kind.to_allow),
        escape(&route(kind)),
        escape(&kind.rule),
    );
    for ((old, new), count) in &group.reasons {
        let (old, new) = (escape(old), escape(new));
        let _ = writeln!(
            page,
            "<li><code>{old}</code> → <code>{new}</code>: {count}</li>"
        );
    }
    page.push_str("</ul>\n");
    if !group.examples.is_empty() {
        page.push_str("<div class=\"wide\"><table><caption>Examples</caption>\n<thead><tr><th scope=\"col\">time</th><th scope=\"col\">decision</th><th scope=\"col\">request</th><th scope=\"col\">subject</th><th scope=\"col\">then</th><th scope=\"col\">now</th><th scope=\"col\">decided at</th></tr></thead>\n<tbody>\n");
        for example in &group.examples {
            self::example(example, page);
        }
        page.push_str("</tbody></table></div>\n");
    }
    subjects(&group.subjects, "By subject", page);
    page.push_str("</details>\n");
}

fn example(example: &Example, page: &mut String) {
    let at = example.at_ns.map(time).unwrap_or_default();
    let request = format!("{} {}", example.method, example.path);
    let mut new = example.new.clone();
    if let Some(detail) = &example.detail {
        let _ = write!(new, " ({detail})");
    }
    if example.is_uncertain {
        new.push_str(", uncertain");
    }
    page.push_str("<tr>");
    for cell in [
        at.as_str(),
        &example.decision_id,
        request.trim(),
        example.subject.as_deref().unwrap_or_default(),
        &example.old,
        &new,
        example.decided_at.as_deref().unwrap_or_default(),
    ] {
        let _ = write!(page, "<td>{}</td>", escape(cell));
    }
    page.push_str("</tr>\n");
}

fn subjects(counted: &Counted, caption: &str, page: &mut String) {
    let all = counted.sorted();
    let _ = write!(
        page,
        "<table><caption>{caption}</caption>\n<thead><tr><th scope=\"col\">subject</th><th scope=\"col\">flips</th></tr></thead>\n<tbody>\n"
    );
    for (subject, count) in all.iter().take(MAX_SUBJECTS) {
        let subject = match subject {
            Some(subject) => escape(subject),
            None => "<em>nobody</em>".to_owned(),
        };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{subject}</th><td>{count}</td></tr>"
        );
    }
    let left = all.iter().skip(MAX_SUBJECTS).map(|(_, count)| *count);
    let left = left.fold(counted.others, u64::saturating_add);
    if left > 0 {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><em>others</em></th><td>{left}</td></tr>"
        );
    }
    page.push_str("</tbody></table>\n");
}

/// A text between tags, or as the value of an attribute. What would steer its reader is shown by its
/// number; XML cannot hold all of it (XML 1.0 section 2.2).
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            steers if steers.is_control() => {
                let _ = write!(escaped, "{}", steers.escape_unicode());
            }
            other => escaped.push(other),
        }
    }
    escaped
}
