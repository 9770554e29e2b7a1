//! The file of `--decision-log` beside what the gate itself tells: an event is the same in both.

use crate::support::{
    Folder,
    gate::{Gate, upstream},
};
use crate::{READER, bearer, events};
use serde_json::{Value, json};

/// Of the host's clock, of the gate's worker, or of the file only.
const OWN: [&str; 5] = ["timestamp", "time", "duration_us", "metrics", "place"];

/// An event without what is each log's own.
fn common(mut event: Value) -> Value {
    let members = event.as_object_mut().unwrap();
    members.retain(|name, _| !OWN.contains(&name.as_str()));
    members["labels"].as_object_mut().unwrap().remove("id");
    event
}

/// With a candidate that allows `/next` to everybody, and `/health` to nobody.
fn folder(more: &str) -> Folder {
    let folder = Folder::started();
    folder.edit(
        "gate.yaml",
        "jwt:\n",
        "decision_log: {proxy: true, mask: [/input/attributes/source]}\njwt:\n",
    );
    let policy = format!(
        "policy:\n  candidate:\n    {more}\n    modules:\n      next.rego: |\n        package envoy.authz\n\n        \
         default allow := false\n\n        allow if input.parsed_path[0] == \"next\"\n\n        \
         allow := {{\"allowed\": false, \"reason\": \"closed\"}} if input.parsed_path[0] == \"health\"\n"
    );
    folder.edit("gate.yaml", "policy:\n", &policy);
    folder
}

#[test]
fn the_files_events_are_the_gates() {
    for (more, subjects) in [("sample: 1", false), ("enforce: {share: 1}", true)] {
        let folder = folder(more);
        let gate = Gate::serve(&folder, &upstream(), &["--decision-log", "log.jsonl"]);
        let token = folder.token(&["--claim", READER]);
        let of_gate: Vec<Value> = [
            ("/health", String::new()),
            ("/next", String::new()),
            ("/orders?x=1", bearer(&token)),
            ("/next", bearer(&token)),
            ("/health", bearer(&token)),
            ("/orders", bearer(&format!("{token}x"))),
        ]
        .iter()
        .map(|(path, headers)| {
            gate.get(path, headers);
            let line = gate.wait_for("\"decision_id\"");
            serde_json::from_str(line.get(line.find('{').unwrap()..).unwrap()).unwrap()
        })
        .collect();
        gate.stop();
        let of_file = events(&folder);
        assert_eq!(of_file.len(), of_gate.len());
        for (file, gate) in of_file.iter().zip(&of_gate) {
            assert_eq!(common(file.clone()), common(gate.clone()), "{more}");
        }
        let differs = |index: usize| of_file[index]["shadow"]["differs"].clone();
        assert_eq!(differs(0), "would_deny");
        assert_eq!(of_file[0]["shadow"]["detail"], "closed");
        assert_eq!(differs(1), "would_allow");
        let by = subjects.then_some("candidate");
        assert_eq!(of_file[3]["enforced_by"], json!(by));
        // The line is one of the policy that decided.
        let file = if subjects {
            "next.rego:"
        } else {
            "authz.rego:"
        };
        let place = of_file[3]["place"].as_str().unwrap();
        assert!(place.contains(file), "{more}: {place}");
    }
}
