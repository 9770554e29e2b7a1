//! A cluster of the proxy's that the gate asks: `--cluster NAME=URL` as Envoy writes it.

use crate::{failure::Failure, serve::clusters::parse};
use hyper::Uri;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::IpAddr};

/// How long a connection may take to come about, as `serve` has it.
const CONNECT_TIMEOUT: &str = "5s";

/// One that the manifests bring.
pub struct Cluster {
    pub name: String,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Cluster {
    /// As given on the command line: each name once.
    ///
    /// # Errors
    /// What is no `NAME=URL`, a host that is none, and a name that is there twice.
    pub fn read(given: &[String]) -> Result<BTreeMap<String, Cluster>, Failure> {
        let mut clusters = BTreeMap::new();
        for given in given {
            let (name, url) = parse(given)?;
            let cluster = Cluster::of(name, &url).ok_or_else(|| {
                let name = name.escape_debug();
                Failure::new(format!(
                    "--cluster {name}: the URL's host is neither a DNS name nor an IP address"
                ))
                .hint(format!("--cluster {name}=https://idp.example.com"))
            })?;
            if clusters.insert(name.to_owned(), cluster).is_some() {
                let message = format!("--cluster: `{}` is given twice", name.escape_debug());
                return Err(Failure::new(message).hint("one URL for each name"));
            }
        }
        Ok(clusters)
    }

    /// A URI may name hosts (RFC 3986 section 3.2.2) that a shell would not leave as they are, and the commands
    /// that are emitted have them.
    fn of(name: &str, url: &Uri) -> Option<Cluster> {
        let is_tls = url.scheme_str() == Some("https");
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(host).ok()?;
        Some(Cluster {
            name: name.to_owned(),
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
        })
    }

    /// Where anyone between could answer in its place.
    pub fn is_open(&self) -> bool {
        let is_here = self.ip().is_some_and(|it| it.is_loopback()) || self.host == "localhost";
        !self.is_tls && !is_here
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `envoy.config.cluster.v3.Cluster`. A server shows a certificate for its name (SNI alone asks for none) that
    /// an authority of the proxy's file `ca_file` signed.
    pub fn value(&self, ca_file: &str) -> Value {
        let address = json!({"socket_address": {"address": self.host, "port_value": self.port}});
        let mut cluster = json!({
            "name": self.name,
            "connect_timeout": CONNECT_TIMEOUT,
            "load_assignment": {
                "cluster_name": self.name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        });
        let mut set = |name: &str, value: Value| {
            if let Some(fields) = cluster.as_object_mut() {
                fields.insert(name.to_owned(), value);
            }
        };
        match self.ip() {
            Some(_) => set("type", "STATIC".into()),
            None => {
                set("type", "STRICT_DNS".into());
                // Many a cluster resolves AAAA records, and has no way there.
                set("dns_lookup_family", "V4_PREFERRED".into());
            }
        }
        if self.is_tls {
            set("transport_socket", self.tls(ca_file));
        }
        cluster
    }

    fn tls(&self, ca_file: &str) -> Value {
        let kind = match self.ip() {
            Some(_) => "IP_ADDRESS",
            None => "DNS",
        };
        let mut context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "validation_context": {
                    "trusted_ca": {"filename": ca_file},
                    "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": self.host}}],
                },
            },
        });
        // An address is no server name (RFC 6066 section 3).
        if self.ip().is_none()
            && let Some(fields) = context.as_object_mut()
        {
            fields.insert("sni".to_owned(), self.host.clone().into());
        }
        json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
    }
}
