//! For an Envoy of one's own: the filter and the clusters, to stand in its configuration.

use super::{
    facts::Facts,
    filter,
    manifest::{Emitted, Image, Manifest},
    options::Options,
    secrets,
    warnings::{self, Proxy},
};
use serde_json::{Value, json};
use std::borrow::Cow;

pub fn emit(image: &Image, facts: &Facts, options: &Options) -> Emitted {
    let path = options.wasm_path.as_deref().unwrap_or_default();
    let code = json!({"local": {"filename": path}});
    let mut value = json!({
        "http_filters": [{
            "name": options.name,
            "typed_config": filter::of(&options.name, &code, facts),
        }],
    });
    if !facts.clusters.is_empty()
        && let Some(fields) = value.as_object_mut()
    {
        let clusters = facts.clusters.iter();
        let clusters: Value = clusters.map(|it| it.value(&options.ca_file)).collect();
        fields.insert("clusters".to_owned(), clusters);
    }
    let name = format!("{}.envoy.yaml", options.name);
    let mut about = "`http_filters`: before everything that rewrites a request, and before the router. `clusters`: among those of \
                 `static_resources`."
        .to_owned();
    let mut commands = vec![pull(image, path)];
    if let Some(module) = &image.module {
        about.push_str(&format!(" The module's SHA-256 is {module}."));
        commands.push(format!(
            "echo {} | sha256sum --check",
            quoted(&format!("{module}  {path}"))
        ));
    }
    commands.extend([
        "envoy --mode validate -c envoy.yaml   # the configuration that it stands in".to_owned(),
        "portcullis check --envoy envoy.yaml   # what lets requests pass around the gate"
            .to_owned(),
    ]);
    Emitted {
        manifests: vec![Manifest { name, value, about }],
        warnings: warn(facts, options),
        secrets: secrets(facts, options),
        commands,
    }
}

/// The command that brings the module of what was verified, and verifies it once more, as it was.
pub fn pull(image: &Image, path: &str) -> String {
    let mut pull = vec!["portcullis", "image", "pull", &image.pinned];
    pull.extend(image.verification.iter().map(String::as_str));
    pull.extend(["--output", path]);
    let words: Vec<Cow<'_, str>> = pull.into_iter().map(quoted).collect();
    words.join(" ")
}

/// As a shell takes it; what none takes is shown as it is.
fn quoted(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

fn warn(facts: &Facts, options: &Options) -> Vec<String> {
    let proxy = Proxy {
        validates: "every listener needs `require_client_certificate: true` and a `validation_context` that does not accept \
                    untrusted ones",
        logs: "Envoy needs `--component-log-level wasm:info`",
        access_log: "an access log shows it by `%FILTER_STATE(wasm.portcullis:PLAIN)%`",
        buffer: 1 << 20,
        buffers: "`per_connection_buffer_limit_bytes` of the listener says how much",
    };
    let mut warnings = vec![
        "Envoy loads the file that is at `--wasm-path`, and checks neither signature nor digest: put there what `image \
         pull` gave, and let nobody else write there."
            .to_owned(),
        "One gate for each listener, with its exceptions in `routes`: a filter that routes switch off can be walked around \
         where another filter changes the path."
            .to_owned(),
    ];
    if facts.holds_bodies {
        warnings.push(
            "Held bodies need Envoy 1.35 or newer, which knows `allow_on_headers_stop_iteration`."
                .to_owned(),
        );
    }
    warnings.extend(warnings::of(facts, options, &proxy));
    warnings
}

fn secrets(facts: &Facts, options: &Options) -> Vec<String> {
    let place = [
        "In Envoy's own environment, from wherever secrets are kept; in a pod of Kubernetes:",
        "env:",
    ];
    secrets::below(&place, "  ", facts, options)
}
