//! Bundles in registries (OCI Distribution Specification 1.1), in the layout that OPA's downloader
//! takes: a manifest whose first layer of the type [`LAYER`] is the bundle (OPA's
//! `v1/download/oci_download.go`).

mod credentials;
mod fault;
mod target;

pub use fault::Fault;
pub use target::Target;

use bytes::Bytes;
use futures_util::stream;
use oci_client::{
    Client, Reference, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// Of the manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Of the configuration, as `policy` of opcr.io and OPA's own documentation have it. Nobody reads it.
pub const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
/// Of the bundle.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

const EMPTY: &[u8] = b"{}";
/// Bytes that are handed over at a time, and told to whoever follows the progress.
const PIECE: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// Between two reads of an answer.
const READ: Duration = Duration::from_secs(60);

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest: `sha256:` and hex.
    pub digest: String,
    /// Of the bundle.
    pub layer: String,
}

/// Pushes a bundle, and asks the registry whether it has it. `progress` is told how many bytes of it
/// are on their way. The manifest follows from the bundle alone: the same bundle has the same digest
/// in every registry.
///
/// # Errors
/// Where the registry cannot be reached, wants other credentials, refuses, or has something else
/// afterwards.
pub fn push(
    bundle: Vec<u8>,
    target: &Target,
    progress: impl FnMut(usize) + Send + 'static,
) -> Result<Pushed, Fault> {
    let credentials = credentials::of(target.host())?;
    // What is there already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let protocol = match target.is_plain() {
        true => ClientProtocol::Http,
        false => ClientProtocol::Https,
    };
    let configuration = ClientConfig {
        protocol,
        // One request with all of it, as `oras` has it: some registries want chunks of their own size.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(READ),
        user_agent: concat!("portcullis/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    let wrong = |error| Fault::of(target, error);
    let client = Client::try_from(configuration).map_err(wrong)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| wrong(error.into()))?;
    let pushed = runtime.block_on(async {
        let (image, push) = (target.reference(), RegistryOperation::Push);
        client.auth(image, &credentials, push).await?;
        let bundle = Bytes::from(bundle);
        let pushed = push_all(&client, image, bundle, progress).await?;
        let there = client.fetch_manifest_digest(image, &credentials).await?;
        Ok((pushed, there))
    });
    let (pushed, there) = pushed.map_err(wrong)?;
    match there == pushed.digest {
        true => Ok(pushed),
        false => Err(Fault::Changed {
            sent: pushed.digest,
            there,
        }),
    }
}

async fn push_all(
    client: &Client,
    image: &Reference,
    bundle: Bytes,
    mut progress: impl FnMut(usize) + Send + 'static,
) -> Result<Pushed, OciDistributionError> {
    let (layer, configuration) = (digest(&bundle), digest(EMPTY));
    let manifest = manifest(&layer, bundle.len(), &configuration);
    if !client.blob_exists(image, &layer).await? {
        let size = u64::try_from(bundle.len()).ok();
        let mut rest = bundle;
        let pieces = std::iter::from_fn(move || {
            let piece = rest.split_to(PIECE.min(rest.len()));
            (!piece.is_empty()).then(|| {
                progress(piece.len());
                Ok(piece)
            })
        });
        let pieces = stream::iter(pieces);
        client.push_blob_stream(image, pieces, &layer, size).await?;
    }
    if !client.blob_exists(image, &configuration).await? {
        client
            .push_blob(image, Bytes::from_static(EMPTY), &configuration)
            .await?;
    }
    let pushed = Pushed {
        digest: digest(&manifest),
        layer,
    };
    let kind = MANIFEST
        .parse()
        .map_err(|_| OciDistributionError::UnsupportedMediaTypeError(MANIFEST.to_owned()))?;
    client.push_manifest_raw(image, manifest, kind).await?;
    Ok(pushed)
}

fn manifest(layer: &str, size: usize, configuration: &str) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIGURATION, "digest": configuration, "size": EMPTY.len()},
        "layers": [{"mediaType": LAYER, "digest": layer, "size": size}],
    })
    .to_string()
    .into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    let digest = base16ct::lower::encode_string(&Sha256::digest(bytes));
    format!("sha256:{digest}")
}
