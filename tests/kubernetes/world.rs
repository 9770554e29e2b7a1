//! What is applied together, and what of it means what else.

use crate::{
    manifests::{Manifest, gates, manifests},
    modules::{Module, bootstrap, modules},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub struct World {
    pub manifests: Vec<Manifest>,
    /// Files, and what `portcullis render` makes of them.
    pub gates: Vec<(PathBuf, Value)>,
}

impl World {
    /// Folders of envoy/. What stands in an earlier one is not taken from a later.
    pub fn of(folders: &[&str], rendered: &dyn Fn(&Path) -> Value) -> World {
        let mut world = World {
            manifests: Vec::new(),
            gates: Vec::new(),
        };
        for folder in folders {
            let more = manifests(folder).into_iter();
            let more: Vec<Manifest> = more
                .filter(|one| {
                    world
                        .manifests
                        .iter()
                        .all(|other| named(other) != named(one))
                })
                .collect();
            world.manifests.extend(more);
            let gates = gates(folder).into_iter();
            world.gates.extend(gates.map(|file| {
                let document = rendered(&file);
                (file, document)
            }));
        }
        world
    }

    pub fn all<'w>(&'w self, kind: &'w str) -> impl Iterator<Item = &'w Manifest> {
        self.manifests.iter().filter(move |one| one.kind() == kind)
    }

    pub fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Manifest> {
        let mut all = self.manifests.iter().filter(|one| one.kind() == kind);
        all.find(|one| one.namespace() == namespace && one.name() == name)
    }

    /// The deployments whose pods have all of these labels.
    pub fn selected<'w>(&'w self, namespace: Option<&str>, labels: &Value) -> Vec<&'w Manifest> {
        let wanted = labels.as_object().unwrap();
        self.all("Deployment")
            .filter(|one| one.namespace() == namespace)
            .filter(|one| {
                let has = &one.spec()["template"]["metadata"]["labels"];
                wanted
                    .iter()
                    .all(|(key, value)| has.get(key) == Some(value))
            })
            .collect()
    }

    pub fn modules(&self) -> Vec<(&Manifest, Module)> {
        self.manifests
            .iter()
            .flat_map(|one| modules(one).into_iter().map(move |module| (one, module)))
            .collect()
    }

    /// The variables from Secrets that each proxy has in which a module of the manifest runs.
    pub fn environments(&self, manifest: &Manifest) -> Vec<BTreeSet<String>> {
        let namespace = manifest.namespace();
        let of_containers = |deployments: Vec<&Manifest>, name: &str| {
            let all = deployments.iter().flat_map(|one| containers(one));
            all.filter(|one| one["name"] == name).map(secrets).collect()
        };
        match manifest.kind() {
            "WasmPlugin" => of_containers(
                self.selected(namespace, &manifest.spec()["selector"]["matchLabels"]),
                "istio-proxy",
            ),
            "EnvoyFilter" => of_containers(
                self.selected(namespace, &manifest.spec()["workloadSelector"]["labels"]),
                "istio-proxy",
            ),
            "ConfigMap" => {
                let mounts = |one: &&Manifest| config_maps(one).contains(&manifest.name());
                of_containers(self.all("Deployment").filter(mounts).collect(), "gate")
            }
            _ => self
                .all("EnvoyProxy")
                .map(|one| &one.spec()["provider"]["kubernetes"]["envoyDeployment"]["container"])
                .map(secrets)
                .collect(),
        }
    }

    /// The names of all clusters that a gate can ask.
    pub fn clusters(&self) -> BTreeSet<String> {
        let static_ones = self
            .all("ConfigMap")
            .filter_map(bootstrap)
            .flat_map(|envoy| names(&envoy["static_resources"]["clusters"]));
        let entries = self.all("ServiceEntry").flat_map(|one| {
            let spec = one.spec();
            let ports = spec["ports"].as_array().unwrap().iter();
            ports.flat_map(|port| {
                let hosts = spec["hosts"].as_array().unwrap().iter();
                hosts.map(|host| format!("outbound|{}||{}", port["number"], host.as_str().unwrap()))
            })
        });
        let patches = self.all("EnvoyPatchPolicy").flat_map(|one| {
            let all = one.spec()["jsonPatches"].as_array().unwrap().iter();
            let values = all.map(|patch| patch["operation"]["value"].clone());
            names(&values.collect())
        });
        static_ones.chain(entries).chain(patches).collect()
    }
}

pub fn named(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.kind(), manifest.name())
}

pub fn containers(deployment: &Manifest) -> &[Value] {
    let all = &deployment.spec()["template"]["spec"]["containers"];
    all.as_array().unwrap()
}

/// The names of a pod's ports.
pub fn ports(deployment: &Manifest) -> BTreeSet<String> {
    let all = containers(deployment).iter();
    all.flat_map(|container| names(&container["ports"]))
        .collect()
}

pub fn config_maps(deployment: &Manifest) -> Vec<&str> {
    let volumes = &deployment.spec()["template"]["spec"]["volumes"];
    let all = volumes.as_array().into_iter().flatten();
    all.filter_map(|volume| volume["configMap"]["name"].as_str())
        .collect()
}

fn secrets(container: &Value) -> BTreeSet<String> {
    let all = container["env"].as_array().into_iter().flatten();
    all.filter(|one| one["valueFrom"]["secretKeyRef"]["key"].is_string())
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

pub fn names(all: &Value) -> Vec<String> {
    let all = all.as_array().into_iter().flatten();
    all.filter_map(|one| one["name"].as_str().map(str::to_owned))
        .collect()
}
