//! What a scenario says of its servers is held to what it has: a slip in a name would expect nothing.

use super::Scenario;
use std::fs;

#[test]
fn what_is_said_of_servers_is_checked() {
    let servers = "servers: {idp: {paths: {/keys: {keys: [a]}}}}";
    let case = |more: &str| format!("cases: [{{name: a case, expect: {{reason: x{more}}}}}]");
    for (cases, message) in [
        (format!("{servers}\n{}", case("")), None),
        (
            format!("{servers}\n{}", case(", fetches: {idp: {/keys: 1}}")),
            None,
        ),
        (
            format!("{servers}\n{}", case(", fetches: {idq: {/keys: 1}}")),
            Some("`idq` is not among the `servers`"),
        ),
        (
            format!("{servers}\n{}", case("}, before: {idq: {dead: true}")),
            Some("`idq` is not among the `servers`"),
        ),
        (
            format!("{servers}\n{}", case("}, wait: soon, before: {")),
            Some("cases[0].wait"),
        ),
        (
            format!("servers: {{idp: {{alive: true}}}}\n{}", case("")),
            Some("servers.idp"),
        ),
        (
            format!(
                "servers: {{idp: {{paths: {{/: {{key: [a]}}}}}}}}\n{}",
                case("")
            ),
            Some("servers.idp.paths./"),
        ),
        (
            format!(
                "servers: {{idp: {{paths: {{/: {{keys: [a], body: b}}}}}}}}\n{}",
                case("")
            ),
            Some("more than one body"),
        ),
        (
            format!(
                "servers: {{idp: {{paths: {{/: {{body: b, padding: 9}}}}}}}}\n{}",
                case("")
            ),
            Some("without `keys`"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gate.yaml"), "policy: {}").unwrap();
        let cases = format!("about: servers\n{cases}\n");
        fs::write(folder.path().join("cases.yaml"), &cases).unwrap();
        let read = Scenario::read(folder.path(), folder.path());
        let error = read.err().map(|error| error.to_string());
        match (message, &error) {
            (None, None) => {}
            (Some(message), Some(error)) if error.contains(message) => {}
            _ => panic!("{cases}\nexpected {message:?}, found {error:?}"),
        }
    }
}
