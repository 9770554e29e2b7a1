//! The pages, and what stands in them.

use portcullis_tests::root;
use std::{fs, path::Path};

pub fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "DATA-HANDLING.md",
        "filters/engine/ATTACKS.md",
    ]
    .map(String::from)
    .into();
    pages_below(Path::new("policies"), &mut pages);
    pages_below(Path::new("envoy"), &mut pages);
    pages
}

pub fn pages_below(folder: &Path, pages: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            pages_below(&path, pages);
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.push(path.to_str().unwrap().to_owned());
        }
    }
}

pub fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

pub fn marked(page: &str, name: &str) -> Vec<String> {
    let marker = format!("<!-- test: {name} -->");
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == marker {
            found.push(block(&mut lines));
        }
    }
    assert!(!found.is_empty(), "no block is marked `{name}`");
    found
}

/// The fenced block that the next line opens.
pub fn block<'l>(lines: &mut impl Iterator<Item = &'l str>) -> String {
    assert_eq!(lines.next(), Some("```sh"));
    lines
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

pub fn fenced(page: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == open {
            found.push(
                lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .map(|line| format!("{line}\n"))
                    .collect(),
            );
        }
    }
    found
}

/// The cells of the first table below a heading, without its head.
pub fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    page.lines()
        .skip_while(|line| *line != heading)
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

pub fn links(page: &str) -> Vec<String> {
    page.split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .collect()
}

/// What GitHub calls a heading in links.
pub fn anchor(line: &str) -> Option<String> {
    let words = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .trim()
        .to_lowercase();
    Some(words.replace(' ', "-").replace([',', '.', '`', '\''], ""))
}
