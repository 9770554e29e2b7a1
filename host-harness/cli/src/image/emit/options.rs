//! What is asked of the manifests, and for which proxy each of it means something.

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use std::str::FromStr;

/// Where Debian has them, and the images of Envoy and of Istio's proxy.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who loads the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// A WasmPlugin, or an EnvoyFilter where that cannot say it
    Istio,
    /// An EnvoyExtensionPolicy, and an EnvoyPatchPolicy for the rest
    EnvoyGateway,
    /// A filter and clusters for a configuration of Envoy's own
    Envoy,
}

#[derive(Args)]
#[group(skip)]
pub struct Options {
    /// For which proxy
    #[arg(long = "for", value_enum, value_name = "PROXY")]
    pub target: Target,
    /// What the resources are called, and the filter
    #[arg(long, default_value = "portcullis", value_parser = name)]
    pub name: String,
    /// Where they are, which is where the workloads or the gateway are [default: default]
    #[arg(long, value_parser = name)]
    pub namespace: Option<String>,
    /// A label of the workloads, such as app=orders. May be repeated: all of them must be there
    #[arg(long, value_name = "LABEL=VALUE", value_parser = label, conflicts_with = "gateway")]
    pub selector: Vec<(String, String)>,
    /// The Gateway (of the Gateway API) whose requests it decides
    #[arg(long, value_parser = name)]
    pub gateway: Option<String>,
    /// The HTTPRoute whose requests it decides, instead of all of the gateway's
    #[arg(long, value_parser = name)]
    pub route: Option<String>,
    /// A listener of the gateway. May be repeated [default: http]
    #[arg(long, value_parser = name)]
    pub listener: Vec<String>,
    /// That the labels are of a gateway, such as istio=ingressgateway, and not of workloads with sidecars
    #[arg(long, requires = "selector")]
    pub ingress: bool,
    /// Before Istio's authentication, or between that and its authorization [default: authn]
    #[arg(long, value_enum)]
    pub phase: Option<Phase>,
    /// Among plugins of one phase: a higher one comes first [default: 100]
    #[arg(long, allow_negative_numbers = true)]
    pub priority: Option<i32>,
    /// A port that it guards, as the pod listens on it: a Service's targetPort, such as a gateway's 8443 behind
    /// 443. May be repeated; other ports are then not guarded, and of a waypoint none is [default: all]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// The oldest Istio that it must run on; of an older one than 1.26 the Envoy is too old [default: 1.27]
    #[arg(long, value_name = "VERSION")]
    pub istio: Option<Version>,
    /// A VM that no other plugin shares, which only an EnvoyFilter can say
    #[arg(long)]
    pub own_vm: bool,
    /// The Secret in that namespace with the registry's credentials
    #[arg(long, value_name = "SECRET", value_parser = name)]
    pub pull_secret: Option<String>,
    /// Where a cluster is that the configuration names: a name and a URL, such as idp=https://idp.example.com
    #[arg(long, value_name = "NAME=URL")]
    pub cluster: Vec<String>,
    /// A cluster that the configuration names, and that the proxy has already
    #[arg(long, value_name = "NAME")]
    pub existing_cluster: Vec<String>,
    /// The certificates, in the proxy's own files, by which it trusts clusters of https
    #[arg(long, value_name = "PATH", default_value = CA_FILE)]
    pub ca_file: String,
    /// Where the proxy has the module, as `image pull` leaves it
    #[arg(long, value_name = "PATH")]
    pub wasm_path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    Authn,
    Authz,
}

/// Of Istio, without the number of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// With Envoy 1.34, the oldest whose imports a module is held against (`image build`).
const OLDEST: Version = Version(1, 26);

impl Options {
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    pub fn listeners(&self) -> Vec<&str> {
        match self.listener.is_empty() {
            true => vec!["http"],
            false => self.listener.iter().map(String::as_str).collect(),
        }
    }

    /// # Errors
    /// An option that means nothing to the target, or one without which the target can do nothing.
    pub fn check(&self) -> Result<(), Failure> {
        use Target::{Envoy, EnvoyGateway, Istio};
        let with = [
            (
                "--namespace",
                self.namespace.is_some(),
                [Istio, EnvoyGateway].as_slice(),
            ),
            ("--selector", !self.selector.is_empty(), &[Istio]),
            ("--gateway", self.gateway.is_some(), &[Istio, EnvoyGateway]),
            ("--route", self.route.is_some(), &[EnvoyGateway]),
            ("--listener", !self.listener.is_empty(), &[EnvoyGateway]),
            ("--phase", self.phase.is_some(), &[Istio]),
            ("--priority", self.priority.is_some(), &[Istio]),
            ("--port", !self.port.is_empty(), &[Istio]),
            ("--istio", self.istio.is_some(), &[Istio]),
            ("--own-vm", self.own_vm, &[Istio]),
            (
                "--pull-secret",
                self.pull_secret.is_some(),
                &[Istio, EnvoyGateway],
            ),
            ("--wasm-path", self.wasm_path.is_some(), &[Envoy]),
        ];
        let mut with = with.iter();
        if let Some((option, _, takes)) =
            with.find(|(_, is_given, takes)| *is_given && !takes.contains(&self.target))
        {
            let takes: Vec<&str> = takes.iter().map(|it| it.as_str()).collect();
            let message = format!("{option} means nothing to `--for {}`", self.target.as_str());
            return Err(Failure::new(message).hint(format!("it is for {}", takes.join(" and "))));
        }
        let (what, hint) = match self.target {
            Istio if self.selector.is_empty() && self.gateway.is_none() => (
                "--for istio needs to know whose requests are decided",
                "--selector app=orders for workloads, --gateway NAME for a gateway",
            ),
            EnvoyGateway if self.gateway.is_none() && self.route.is_none() => (
                "--for envoy-gateway needs to know whose requests are decided",
                "--gateway NAME, or --route NAME for an HTTPRoute",
            ),
            Envoy if self.wasm_path.is_none() => (
                "--for envoy needs to know where the proxy has the module",
                "--wasm-path /etc/envoy/portcullis.wasm",
            ),
            _ => return Ok(()),
        };
        Err(Failure::new(what).hint(hint))
    }

    /// Its arguments again, in order, for whoever wants to know how a file came about.
    pub fn told(&self) -> Vec<String> {
        let mut told = vec!["--for".to_owned(), self.target.as_str().to_owned()];
        let mut say = |option: &str, value: String| told.extend([option.to_owned(), value]);
        if self.name != "portcullis" {
            say("--name", self.name.clone());
        }
        for (option, value) in [
            ("--namespace", &self.namespace),
            ("--gateway", &self.gateway),
            ("--route", &self.route),
            ("--pull-secret", &self.pull_secret),
            ("--wasm-path", &self.wasm_path),
        ] {
            value.iter().for_each(|value| say(option, value.clone()));
        }
        for (label, value) in &self.selector {
            say("--selector", format!("{label}={value}"));
        }
        let phase = self.phase.map(|phase| phase.as_str().to_ascii_lowercase());
        phase.into_iter().for_each(|phase| say("--phase", phase));
        let priority = self.priority.map(|it| it.to_string());
        priority.into_iter().for_each(|it| say("--priority", it));
        self.port
            .iter()
            .for_each(|it| say("--port", it.to_string()));
        let istio = self
            .istio
            .map(|Version(major, minor)| format!("{major}.{minor}"));
        istio.into_iter().for_each(|it| say("--istio", it));
        for (option, values) in [
            ("--listener", &self.listener),
            ("--cluster", &self.cluster),
            ("--existing-cluster", &self.existing_cluster),
        ] {
            values.iter().for_each(|value| say(option, value.clone()));
        }
        if self.ca_file != CA_FILE {
            say("--ca-file", self.ca_file.clone());
        }
        let flags = [("--ingress", self.ingress), ("--own-vm", self.own_vm)];
        let flags = flags.iter().filter(|(_, is_given)| *is_given);
        told.extend(flags.map(|(flag, _)| (*flag).to_owned()));
        told
    }
}

impl Target {
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Istio => "istio",
            Target::EnvoyGateway => "envoy-gateway",
            Target::Envoy => "envoy",
        }
    }
}

impl Phase {
    /// As a WasmPlugin has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Authn => "AUTHN",
            Phase::Authz => "AUTHZ",
        }
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let mut numbers = text.split('.').map(|it| it.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) if Version(major, minor) < OLDEST => Err(format!(
                "found an Istio older than {}.{}, the first with an Envoy (1.34) that the module is held against",
                OLDEST.0, OLDEST.1
            )),
            (Some(major), Some(minor)) => Ok(Version(major, minor)),
            _ => Err("expected a version such as 1.27".to_owned()),
        }
    }
}

/// RFC 1123 labels, as Kubernetes has them.
fn name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let is_of_label =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(is_of_label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match text.len() <= 253 && text.split('.').all(is_label) {
        true => Ok(text.to_owned()),
        false => Err(
            "expected a name as Kubernetes has them: lower case letters, digits, `-` and `.`"
                .to_owned(),
        ),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let is_text = |text: &str, more: &[u8]| {
        let is_of_text = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        bytes.iter().all(|byte| is_of_text(*byte)) && ends(bytes.first()) && ends(bytes.last())
    };
    match text.split_once('=') {
        Some((label, value))
            if label.len() <= 317
                && value.len() <= 63
                && is_text(label, b"-_./")
                && is_text(value, b"-_.") =>
        {
            Ok((label.to_owned(), value.to_owned()))
        }
        _ => Err("expected a label and its value, such as app=orders".to_owned()),
    }
}
