//! What a gate goes by of what only its host can tell: a host that is asked in vain costs time.

use crate::{
    config::{peer::Trust, webhooks::Webhook},
    gate::Gate,
};
use portcullis_rego::Policy;

/// Parts of [`Attributes`](crate::Attributes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `source_address` and `source_port`.
    Source,
    /// `destination_address` and `destination_port`.
    Destination,
    RequestId,
    RequestTime,
    Protocol,
    Size,
    ServerName,
    Peer,
    /// `route` and `virtual_host`.
    RouteNames,
    RouteMetadata,
}

impl Gate {
    /// Whether this attribute can change any decision, or what is told of it.
    pub fn reads(&self, attribute: Attribute) -> bool {
        let reach = self.policy().map(Policy::reach);
        // What is looked at afterwards is looked at whole.
        let by_policy =
            |path: &[&str]| self.looks_back() || reach.is_some_and(|it| it.leads_to(path));
        let config = self.config();
        let mut routes = config.routes.iter().map(|route| &route.matches);
        match attribute {
            Attribute::Source => by_policy(&["attributes", "source"]),
            Attribute::Destination => {
                // The port of a host that routes compare.
                by_policy(&["attributes", "destination"]) || routes.any(|it| it.host.is_some())
            }
            Attribute::RequestId => by_policy(&["attributes", "request", "http", "id"]),
            Attribute::RequestTime => by_policy(&["attributes", "request", "time"]),
            Attribute::Protocol => {
                let mut webhooks = config.signatures.iter().flat_map(|it| &it.webhooks);
                by_policy(&["attributes", "request", "http", "protocol"])
                    || webhooks.any(Webhook::reads_protocol)
            }
            Attribute::Size => by_policy(&["attributes", "request", "http", "size"]),
            Attribute::ServerName => by_policy(&["attributes", "tlsSession", "sni"]),
            Attribute::RouteMetadata => by_policy(&["attributes", "contextExtensions"]),
            Attribute::Peer => {
                let mut providers = config.providers.iter();
                config.peer != Trust::None || providers.any(|provider| provider.binding.mtls)
            }
            Attribute::RouteNames => {
                routes.any(|it| it.route.is_some() || it.virtual_host.is_some())
            }
        }
    }
}
