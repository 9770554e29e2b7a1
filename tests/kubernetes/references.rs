//! What one manifest says of another: each rule tells what is not so.

use crate::{
    manifests::Manifest,
    modules::Module,
    world::{World, config_maps, containers, named, names, ports},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Everything in a world that means something that is not there, or is not what it means.
pub fn faults(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in &world.manifests {
        let mut say = |fault: String| found.push(format!("{}: {fault}", named(manifest)));
        selectors(world, manifest, &mut say);
        match manifest.kind() {
            "Secret" => say("the value of a secret in a file".into()),
            "Service" => service(world, manifest, &mut say),
            "NetworkPolicy" => network_policy(world, manifest, &mut say),
            "Deployment" => deployment(world, manifest, &mut say),
            "HorizontalPodAutoscaler" => autoscaler(world, manifest, &mut say),
            "AuthorizationPolicy" => principals(world, manifest, &mut say),
            "ServiceEntry" => service_entry(world, manifest, &mut say),
            "Gateway" | "GatewayClass" | "HTTPRoute" => route(world, manifest, &mut say),
            "EnvoyExtensionPolicy" | "ClientTrafficPolicy" => targets(world, manifest, &mut say),
            "EnvoyPatchPolicy" => patches(world, manifest, &mut say),
            _ => {}
        }
    }
    for (manifest, module) in world.modules() {
        let mut say = |fault: String| found.push(format!("{}: {fault}", module.at));
        gate(world, manifest, &module, &mut say);
    }
    for (file, _) in &world.gates {
        let uses = world.modules();
        let uses = uses
            .iter()
            .filter(|(_, module)| is_of(world, module) == Some(file));
        let (count, name) = (uses.count(), file.file_name().unwrap().to_string_lossy());
        if count != 1 {
            found.push(format!(
                "{name}: {count} manifests have what `portcullis render` prints"
            ));
        }
    }
    found
}

type Say<'s> = &'s mut dyn FnMut(String);

/// A selector that selects nothing protects nothing.
fn selectors(world: &World, manifest: &Manifest, say: Say) {
    let places = [
        "/spec/podSelector/matchLabels",
        "/spec/selector/matchLabels",
        "/spec/workloadSelector/labels",
    ];
    let labels = match manifest.kind() {
        "Service" => manifest.value.pointer("/spec/selector"),
        _ => places
            .iter()
            .find_map(|place| manifest.value.pointer(place)),
    };
    if let Some(labels) = labels
        && world.selected(manifest.namespace(), labels).is_empty()
    {
        say(format!("selects no pod: {labels}"));
    }
}

fn service(world: &World, manifest: &Manifest, say: Say) {
    let pods = world.selected(manifest.namespace(), &manifest.spec()["selector"]);
    for port in manifest.spec()["ports"].as_array().unwrap() {
        has_port(&pods, &port["targetPort"], say);
    }
}

/// Named, so that the number can change without a word here.
fn has_port(pods: &[&Manifest], port: &Value, say: Say) {
    let Some(name) = port.as_str() else {
        return say(format!("the port {port} has no name"));
    };
    for pod in pods {
        if !ports(pod).contains(name) {
            say(format!("{} has no port that is named {name}", named(pod)));
        }
    }
}

fn network_policy(world: &World, manifest: &Manifest, say: Say) {
    let (spec, namespace) = (manifest.spec(), manifest.namespace());
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let here = spec["podSelector"]["matchLabels"].clone();
    for rule in all(&spec["ingress"]) {
        let pods = world.selected(namespace, &here);
        for port in all(&rule["ports"]) {
            has_port(&pods, &port["port"], say);
        }
        for peer in all(&rule["from"]) {
            is_there(world, namespace, &peer, say);
        }
    }
    for rule in all(&spec["egress"]) {
        for peer in all(&rule["to"]) {
            if let Some(pods) = is_there(world, namespace, &peer, say) {
                for port in all(&rule["ports"]) {
                    has_port(&pods, &port["port"], say);
                }
            }
        }
    }
}

/// The pods of a peer, where they are in the same namespace.
fn is_there<'w>(
    world: &'w World,
    namespace: Option<&str>,
    peer: &Value,
    say: Say,
) -> Option<Vec<&'w Manifest>> {
    let labels = peer.pointer("/podSelector/matchLabels")?;
    if peer.get("namespaceSelector").is_some() {
        return None;
    }
    let pods = world.selected(namespace, labels);
    if pods.is_empty() {
        say(format!("no pod is a peer: {labels}"));
    }
    Some(pods)
}

fn deployment(world: &World, manifest: &Manifest, say: Say) {
    let pod = &manifest.spec()["template"]["spec"];
    let account = pod["serviceAccountName"].as_str().unwrap_or("default");
    if world
        .find("ServiceAccount", manifest.namespace(), account)
        .is_none()
    {
        say(format!("no ServiceAccount/{account}"));
    }
    for map in config_maps(manifest) {
        if world.find("ConfigMap", manifest.namespace(), map).is_none() {
            say(format!("no ConfigMap/{map}"));
        }
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let reference = volume["image"]["reference"].as_str();
        if reference.is_some_and(|reference| !reference.contains("@sha256:")) {
            say("the image of a volume has no digest".into());
        }
    }
}

fn autoscaler(world: &World, manifest: &Manifest, say: Say) {
    let (spec, name) = (manifest.spec(), &manifest.spec()["scaleTargetRef"]["name"]);
    let Some(target) = world.find("Deployment", manifest.namespace(), name.as_str().unwrap())
    else {
        return say(format!("no Deployment/{name}"));
    };
    if !target.spec()["replicas"].is_null() {
        say("the deployment counts its replicas itself".into());
    }
    for metric in spec["metrics"].as_array().unwrap() {
        let wanted = &metric["containerResource"]["container"];
        let container = containers(target).iter().find(|one| one["name"] == *wanted);
        if container.is_none_or(|one| one["resources"]["requests"]["cpu"].is_null()) {
            say(format!("no container {wanted} that requests cpu"));
        }
    }
}

fn principals(world: &World, manifest: &Manifest, say: Say) {
    for rule in manifest.spec()["rules"].as_array().into_iter().flatten() {
        for from in rule["from"].as_array().unwrap() {
            for principal in from["source"]["principals"].as_array().unwrap() {
                is_an_account(world, principal.as_str().unwrap(), say);
            }
        }
    }
}

fn is_an_account(world: &World, principal: &str, say: Say) {
    let parts: Vec<&str> = principal.split('/').collect();
    let there = match parts.as_slice() {
        ["cluster.local", "ns", namespace, "sa", name] => world
            .find("ServiceAccount", Some(namespace), name)
            .is_some(),
        _ => false,
    };
    if !there {
        say(format!("{principal} is no service account here"));
    }
}

fn service_entry(world: &World, manifest: &Manifest, say: Say) {
    for host in manifest.spec()["hosts"].as_array().unwrap() {
        let is_verified = |rule: &Manifest| {
            let tls = &rule.spec()["trafficPolicy"]["tls"];
            rule.spec()["host"] == *host && tls["subjectAltNames"] == serde_json::json!([host])
        };
        if !world.all("DestinationRule").any(is_verified) {
            say(format!("nothing verifies that {host} is who answers"));
        }
    }
}

fn route(world: &World, manifest: &Manifest, say: Say) {
    let spec = manifest.spec();
    match manifest.kind() {
        "Gateway" => {
            needs(world, "GatewayClass", None, &spec["gatewayClassName"], say);
        }
        "GatewayClass" => {
            let to = &spec["parametersRef"];
            let namespace = to["namespace"].as_str();
            needs(world, "EnvoyProxy", namespace, &to["name"], say);
        }
        _ => {
            for parent in spec["parentRefs"].as_array().unwrap() {
                let namespace = parent["namespace"].as_str();
                let gateway = needs(world, "Gateway", namespace, &parent["name"], say);
                let listeners = gateway.map(|one| names(&one.spec()["listeners"]));
                let wanted = &parent["sectionName"];
                if !listeners
                    .unwrap_or_default()
                    .iter()
                    .any(|name| wanted == name)
                {
                    say(format!("no listener {wanted}"));
                }
            }
            let rules = spec["rules"].as_array().unwrap().iter();
            for backend in rules.flat_map(|rule| rule["backendRefs"].as_array().unwrap()) {
                let (name, port) = (&backend["name"], &backend["port"]);
                let service = needs(world, "Service", manifest.namespace(), name, say);
                let ports = service.and_then(|one| one.spec()["ports"].as_array());
                if !ports.into_iter().flatten().any(|one| one["port"] == *port) {
                    say(format!("no port {port} of Service/{name}"));
                }
            }
        }
    }
}

fn needs<'w>(
    world: &'w World,
    kind: &str,
    namespace: Option<&str>,
    name: &Value,
    say: Say,
) -> Option<&'w Manifest> {
    let found = world.find(kind, namespace, name.as_str().unwrap());
    if found.is_none() {
        say(format!("no {kind}/{name}"));
    }
    found
}

fn targets(world: &World, manifest: &Manifest, say: Say) {
    for target in manifest.spec()["targetRefs"].as_array().unwrap() {
        let (kind, name) = (
            target["kind"].as_str().unwrap(),
            target["name"].as_str().unwrap(),
        );
        // A route's own policy would take the place of the Gateway's.
        if kind != "Gateway" || world.find(kind, manifest.namespace(), name).is_none() {
            say(format!("no Gateway for {kind}/{name}"));
        }
    }
}

/// Envoy Gateway's names, as internal/xds/translator of envoyproxy/gateway makes them.
fn patches(world: &World, manifest: &Manifest, say: Say) {
    let listeners: BTreeSet<String> = world
        .all("Gateway")
        .flat_map(|one| {
            let prefix = format!("{}/{}", one.namespace().unwrap(), one.name());
            let names = names(&one.spec()["listeners"]).into_iter();
            names.map(move |name| format!("{prefix}/{name}"))
        })
        .collect();
    let modules: BTreeSet<String> = world
        .all("EnvoyExtensionPolicy")
        .flat_map(|one| {
            let name = format!("{}/{}", one.namespace().unwrap(), one.name());
            let count = one.spec()["wasm"].as_array().unwrap().len();
            (0..count).map(move |at| {
                format!("\"envoy.filters.http.wasm/envoyextensionpolicy/{name}/wasm/{at}\"")
            })
        })
        .collect();
    for patch in manifest.spec()["jsonPatches"].as_array().unwrap() {
        let (name, path) = (
            patch["name"].as_str().unwrap(),
            &patch["operation"]["jsonPath"],
        );
        if !patch["type"].as_str().unwrap().ends_with(".Listener") {
            continue;
        }
        if !listeners.contains(name) {
            say(format!("no listener {name}"));
        }
        if !modules
            .iter()
            .any(|module| path.as_str().unwrap().contains(module))
        {
            say(format!("no module {path}"));
        }
    }
}

fn gate(world: &World, manifest: &Manifest, module: &Module, say: Say) {
    if let Some((url, sha256)) = &module.image
        && !url.ends_with(&format!("@sha256:{sha256}"))
    {
        say(format!("{url} is not pinned by {sha256}"));
    }
    if is_of(world, module).is_none() {
        say("it has not what `portcullis render` prints of a gate beside it".into());
    }
    let (wanted, given) = (
        variables(&module.configuration),
        module.environment.iter().cloned().collect(),
    );
    for name in wanted.symmetric_difference(&given) {
        say(format!(
            "{name} is asked for and not passed, or the other way around"
        ));
    }
    let proxies = world.environments(manifest);
    if proxies.is_empty() {
        say("no proxy runs it".into());
    }
    for name in proxies.iter().flat_map(|has| given.difference(has)) {
        say(format!("no Secret gives a proxy {name}"));
    }
    let clusters = world.clusters();
    let mut asked: BTreeSet<String> = portcullis_gatefile::clusters(&module.configuration)
        .into_keys()
        .collect();
    let log = module.configuration.pointer("/decision_log/cluster");
    asked.extend(log.and_then(Value::as_str).map(str::to_owned));
    for name in &asked {
        if !clusters.contains(name) {
            say(format!("nothing makes the cluster {name}"));
        }
    }
    if !module.configuration["peer"]["trust"].is_null() {
        let strict = |one: &Manifest| {
            one.spec()["mtls"]["mode"] == "STRICT" && one.spec()["selector"].is_null()
        };
        if !world.all("PeerAuthentication").any(strict) {
            say("the peer is trusted, and nothing makes it show a certificate".into());
        }
        let calls = &module.configuration["policy"]["data"]["service_to_service"]["calls"];
        for call in calls.as_array().unwrap() {
            let caller = call["caller"].as_str().unwrap();
            is_an_account(world, caller.trim_start_matches("spiffe://"), say);
        }
    }
}

/// The gate whose document it has.
fn is_of<'w>(world: &'w World, module: &Module) -> Option<&'w std::path::PathBuf> {
    let mut all = world.gates.iter();
    all.find(|(_, document)| *document == module.configuration)
        .map(|(file, _)| file)
}

/// Every `{env: NAME}` in a configuration, the policy's own data aside.
fn variables(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(all) => {
            let own = all.get("env").and_then(Value::as_str).map(str::to_owned);
            let below = all
                .iter()
                .filter(|(key, _)| *key != "modules" && *key != "data");
            own.into_iter()
                .chain(below.flat_map(|(_, below)| variables(below)))
                .collect()
        }
        Value::Array(all) => all.iter().flat_map(variables).collect(),
        _ => BTreeSet::new(),
    }
}
