//! `--cluster NAME=URL`: where the filter's own HTTP calls go, and the calls themselves.

use super::{
    bundle_url::BundleUrl,
    heard::{Heard, Question},
    wire,
};
use crate::{failure::Failure, terminal};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Response, Uri,
    body::{Bytes, Incoming},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use portcullis_gatefile::GateFile;
use portcullis_host::{Headers, HttpCall, HttpCallResponse, Proxy};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};

/// Of an answer's body; more is a call that failed.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Envoy's `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of calls that set none.
const TIMEOUT: Duration = Duration::from_secs(60);

const HINT: &str = "a name and a URL without a path, such as idp=http://127.0.0.1:9100";

/// The clusters there are, and how to reach them.
pub struct Clusters {
    urls: BTreeMap<String, Uri>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Where the policy's bundle is, in place of where a configuration says.
    pub bundle: Option<BundleUrl>,
    /// What came of the calls.
    pub heard: Arc<Heard>,
    /// Where calls are made: the thread that asks for them must not wait.
    pub runtime: Handle,
    /// What a filter shares with the one before it, of another configuration or after a crash: what it
    /// has seen once.
    pub shared: Proxy,
}

impl Clusters {
    /// As given on the command line.
    pub fn new(
        given: &[String],
        bundle: Option<BundleUrl>,
        runtime: Handle,
    ) -> Result<Clusters, Failure> {
        let mut urls = BTreeMap::new();
        for given in given {
            let (name, url) = parse(given)?;
            if urls.insert(name.to_owned(), url).is_some() {
                let message = format!("--cluster: `{}` is given twice", name.escape_debug());
                return Err(Failure::new(message).hint("one URL for each name"));
            }
        }
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.enforce_http(false);
        let tls = tls(urls.values().any(|url| url.scheme_str() == Some("https")))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Clusters {
            urls,
            client,
            bundle,
            heard: Arc::default(),
            runtime,
            shared: Proxy::new(),
        })
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.urls.keys().cloned().collect()
    }

    /// Refuses a configuration that names a cluster which is not there.
    pub fn check(&self, file: &GateFile) -> Result<(), Failure> {
        let mut problems = Vec::new();
        for (name, field) in portcullis_gatefile::clusters(&file.document) {
            if !self.urls.contains_key(&name) {
                let name = name.escape_debug();
                let message = format!(
                    "{}: {field}: no --cluster says where `{name}` is",
                    file.place(&field)
                );
                let hint = format!("--cluster {name}=http://HOST:PORT");
                problems.extend(Failure::new(message).hint(hint).0);
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Failure(problems)),
        }
    }

    /// Makes a call, and answers as Envoy would: `None` where it failed after an answer had begun.
    pub async fn call(&self, call: HttpCall) -> Option<HttpCallResponse> {
        let question = Question::of_filter(&call);
        let response = self.make(call).await?;
        self.heard.remember(question, &response);
        Some(response)
    }

    async fn make(&self, call: HttpCall) -> Option<HttpCallResponse> {
        let cluster = call.cluster.escape_debug().to_string();
        let warn = |what: &str| terminal::warn(&format!("cluster `{cluster}`: {what}"));
        let Some(url) = self.urls.get(&call.cluster) else {
            return Some(HttpCallResponse::unreachable());
        };
        if !call.trailers.is_empty() {
            warn("a call with trailers was not made: `serve` sends none");
            return None;
        }
        let request = match wire::request(url, &call.headers, Full::new(Bytes::from(call.body))) {
            Ok(request) => request,
            Err(message) => {
                warn(&format!("a call was not made: {message}"));
                return None;
            }
        };
        let limit = call.timeout.unwrap_or(TIMEOUT);
        let begun = tokio::time::Instant::now();
        let response = match timeout(limit, self.client.request(request)).await {
            Err(_) => {
                warn(&format!("no answer within {limit:?}"));
                return Some(HttpCallResponse::timed_out());
            }
            Ok(Err(error)) => {
                let cause = last_cause(&error);
                warn(&cause.to_string());
                let hyper = cause.downcast_ref::<hyper::Error>();
                return Some(match hyper.is_some_and(hyper::Error::is_parse) {
                    true => HttpCallResponse::malformed(),
                    false => HttpCallResponse::unreachable(),
                });
            }
            Ok(Ok(response)) => response,
        };
        let left = limit.saturating_sub(begun.elapsed());
        match timeout(left, read(response)).await {
            Ok(Ok(response)) => Some(response),
            Ok(Err(message)) => {
                warn(&message);
                None
            }
            Err(_) => {
                warn(&format!("the answer was not whole within {limit:?}"));
                None
            }
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<HttpCallResponse, String> {
    let (parts, body) = response.into_parts();
    let lines = |map: &hyper::HeaderMap| -> Vec<(String, Vec<u8>)> {
        map.iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect()
    };
    let headers = Headers::from_wire(&[(":status", parts.status.as_str())], lines(&parts.headers))
        .map_err(|error| error.to_string())?;
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|error| format!("the answer is of no use: {error}"))?;
    let trailers = body.trailers().map(|map| lines(map).into_iter().collect());
    Ok(HttpCallResponse {
        headers,
        body: body.to_bytes().to_vec(),
        trailers,
    })
}

/// # Errors
/// Where it is no name and URL.
pub fn parse(given: &str) -> Result<(&str, Uri), Failure> {
    match given.split_once('=') {
        Some((name, url)) if !name.is_empty() => match wire::base(url) {
            Ok(url) => Ok((name, url)),
            Err(why) => {
                let message = format!("--cluster {}: {why}", name.escape_debug());
                Err(Failure::new(message).hint(HINT))
            }
        },
        _ => {
            let found = given.escape_debug();
            let message = format!("--cluster: found `{found}`, which is no NAME=URL");
            Err(Failure::new(message).hint(HINT))
        }
    }
}

/// Trusts what this machine trusts, or what `SSL_CERT_FILE` names. The store is read only where it
/// is `needed`: there may be none.
fn tls(needed: bool) -> Result<rustls::ClientConfig, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Failure::new(
                "--cluster: https needs certificates to trust, and this machine has none",
            )
            .hint("install `ca-certificates`, or name a file with SSL_CERT_FILE"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(format!("--cluster: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What is above it says the same with fewer words.
pub fn last_cause(error: &hyper_util::client::legacy::Error) -> &(dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}
