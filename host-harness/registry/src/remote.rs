//! A registry that is spoken to (OCI Distribution Specification 1.1): patiently, and never reading more
//! than was bargained for. Pushes and tokens are `oci-client`'s; what is read is read here, so that each
//! answer has a bound and a digest.

use crate::{Digest, Fault, Target, credentials, fault::may_pass};
use bytes::Bytes;
use futures_util::stream;
use oci_client::{
    Client, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};
use reqwest::{Response, StatusCode, header};
use std::{cell::RefCell, sync::Arc, time::Duration};
use tokio::{runtime::Runtime, time::sleep};

/// Told how many bytes are on their way. What is tried again is told again.
pub type Progress = Arc<dyn Fn(usize) + Send + Sync>;

/// Bytes that are handed over at a time, and told to whoever follows the progress.
const PIECE: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// Between two reads of an answer.
const READ: Duration = Duration::from_secs(60);
const AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
/// Before the second attempt, the third, and the last one.
const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// Bytes of a manifest or an index: what registries must take, and most take no more (OCI Distribution
/// Specification 1.1, "Pushing Manifests").
const MANIFEST: usize = 4 * 1024 * 1024;
/// Bytes of what is read of an error.
const ERROR: usize = 64 * 1024;

/// What stands under a name.
pub(crate) struct Document {
    pub bytes: Vec<u8>,
    /// Of the bytes, whatever the registry says.
    pub digest: Digest,
    pub media_type: String,
}

/// A repository of a registry.
pub struct Remote {
    target: Target,
    operation: RegistryOperation,
    client: Client,
    http: reqwest::Client,
    credentials: RegistryAuth,
    token: RefCell<Option<String>>,
    runtime: Runtime,
}

type Answered<T> = Result<T, OciDistributionError>;

impl Remote {
    /// # Errors
    /// Where it cannot be reached, or wants other credentials.
    pub fn to_pull(target: &Target) -> Result<Remote, Fault> {
        Remote::open(target, RegistryOperation::Pull)
    }

    /// To pull from as well.
    ///
    /// # Errors
    /// Where it cannot be reached, or wants other credentials.
    pub fn to_push(target: &Target) -> Result<Remote, Fault> {
        Remote::open(target, RegistryOperation::Push)
    }

    fn open(target: &Target, operation: RegistryOperation) -> Result<Remote, Fault> {
        let credentials = credentials::of(target.host())?;
        // What is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wrong = |error| Fault::of(target, error);
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            // Nor where an answer leads elsewhere.
            .https_only(!target.is_plain())
            .build()
            .map_err(|error| wrong(error.into()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| wrong(error.into()))?;
        let remote = Remote {
            target: target.clone(),
            operation,
            client: Client::try_from(configuration(target)).map_err(wrong)?,
            http,
            credentials,
            token: RefCell::new(None),
            runtime,
        };
        remote.patiently(async || remote.authenticate().await)?;
        Ok(remote)
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// By a tag or a digest; none where there is none.
    ///
    /// # Errors
    /// No answer, or one that is not what was asked for.
    pub(crate) fn manifest(
        &self,
        name: &str,
        media_types: &[&str],
    ) -> Result<Option<Document>, Fault> {
        let (url, accept) = (self.url("manifests", name), media_types.join(", "));
        let nobody: Progress = Arc::new(|_| ());
        let found = self.patiently(async || self.get(&url, &accept, MANIFEST, &nobody).await)?;
        let Some((head, bytes)) = found else {
            return Ok(None);
        };
        let digest = Digest::of(&bytes);
        let told = head.get("docker-content-digest");
        let told = told.and_then(|value| value.to_str().ok());
        let named = name.contains(':').then_some(name);
        for wanted in [named, told].into_iter().flatten() {
            if wanted != digest.as_str() && wanted.starts_with("sha256:") {
                return Err(Fault::Refused(format!(
                    "the manifest `{name}` was changed: its digest is {digest}, and must be {}",
                    shown(wanted)
                )));
            }
        }
        let media_type = head.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next());
        Ok(Some(Document {
            bytes,
            digest,
            media_type: media_type.unwrap_or_default().trim().to_owned(),
        }))
    }

    /// The index of what refers to a manifest; none where the registry has no such list. It may come in
    /// pages, of which the first one is all that is read: more than that is a refusal.
    ///
    /// # Errors
    /// No answer, or too long a one.
    pub(crate) fn referrers(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        let url = self.url("referrers", digest.as_str());
        let nobody: Progress = Arc::new(|_| ());
        let accept = crate::image::INDEX;
        let found = self.patiently(async || self.get(&url, accept, MANIFEST, &nobody).await)?;
        match found {
            None => Ok(None),
            Some((head, _)) if head.contains_key(header::LINK) => Err(Fault::Refused(format!(
                "{digest} has more referrers than one answer of the registry holds"
            ))),
            // Registries that do not know the path answer it with pages for people.
            Some((head, bytes)) => {
                let kind = head.get(header::CONTENT_TYPE);
                let is_index =
                    kind.is_some_and(|kind| kind.as_bytes().starts_with(accept.as_bytes()));
                Ok(is_index.then_some(bytes))
            }
        }
    }

    /// So many bytes of this digest; none where there is no such blob.
    ///
    /// # Errors
    /// No answer, or other bytes.
    pub(crate) fn blob(
        &self,
        digest: &Digest,
        size: usize,
        progress: &Progress,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let url = self.url("blobs", digest.as_str());
        let found = self.patiently(async || self.get(&url, "*/*", size, progress).await)?;
        let Some((_, bytes)) = found else {
            return Ok(None);
        };
        let there = Digest::of(&bytes);
        match (there == *digest, bytes.len() == size) {
            (true, true) => Ok(Some(bytes)),
            (true, false) => Err(Fault::Refused(format!(
                "the blob {digest} has {} bytes, and its descriptor says {size}",
                bytes.len()
            ))),
            (false, _) => Err(Fault::Refused(format!(
                "the blob {digest} was changed: its bytes have the digest {there}"
            ))),
        }
    }

    /// Unless it is there.
    ///
    /// # Errors
    /// Where the registry does not take it.
    pub(crate) fn push_blob(&self, blob: &Bytes, progress: &Progress) -> Result<Digest, Fault> {
        let (image, digest) = (self.target.reference(), Digest::of(blob));
        self.patiently(async || {
            if self.client.blob_exists(image, digest.as_str()).await? {
                return Ok(());
            }
            let (mut rest, progress) = (blob.clone(), Arc::clone(progress));
            let pieces = std::iter::from_fn(move || {
                let piece = rest.split_to(PIECE.min(rest.len()));
                (!piece.is_empty()).then(|| {
                    progress(piece.len());
                    Ok(piece)
                })
            });
            let size = u64::try_from(blob.len()).ok();
            let pieces = stream::iter(pieces);
            self.client
                .push_blob_stream(image, pieces, digest.as_str(), size)
                .await?;
            Ok(())
        })?;
        Ok(digest)
    }

    /// By a tag, or by its own digest; then the registry is asked what it has.
    ///
    /// # Errors
    /// Where the registry does not take it, or has something else afterwards.
    pub(crate) fn push_manifest(
        &self,
        name: &str,
        manifest: &[u8],
        media_type: &'static str,
    ) -> Result<Digest, Fault> {
        // A digest stands in the place of a tag: it is the same in the URL.
        let image = self.target.tagged(name);
        let kind = header::HeaderValue::from_static(media_type);
        self.patiently(async || {
            let (bytes, kind) = (manifest.to_vec(), kind.clone());
            self.client.push_manifest_raw(&image, bytes, kind).await
        })?;
        let digest = Digest::of(manifest);
        let there = self.manifest(name, &[media_type])?;
        match there.map(|there| there.digest) {
            Some(there) if there == digest => Ok(digest),
            there => Err(Fault::Changed {
                sent: digest.to_string(),
                there: there.map_or_else(|| "nothing".to_owned(), |there| there.to_string()),
            }),
        }
    }

    fn url(&self, what: &str, name: &str) -> String {
        let image = self.target.reference();
        let scheme = if self.target.is_plain() {
            "http"
        } else {
            "https"
        };
        let (host, repository) = (image.resolve_registry(), image.repository());
        format!("{scheme}://{host}/v2/{repository}/{what}/{name}")
    }

    /// What is passing is waited for, so many times.
    fn patiently<T>(&self, mut attempt: impl AsyncFnMut() -> Answered<T>) -> Result<T, Fault> {
        let answered = self.runtime.block_on(async {
            for wait in WAITS {
                match attempt().await {
                    Err(error) if may_pass(&error) => sleep(wait).await,
                    answered => return answered,
                }
            }
            attempt().await
        });
        answered.map_err(|error| Fault::of(&self.target, error))
    }

    async fn authenticate(&self) -> Answered<()> {
        let image = self.target.reference();
        let token = self.client.auth(image, &self.credentials, self.operation);
        let token = token.await?;
        *self.token.borrow_mut() = token;
        Ok(())
    }

    /// None where there is nothing.
    async fn get(
        &self,
        url: &str,
        accept: &str,
        limit: usize,
        progress: &Progress,
    ) -> Answered<Option<(header::HeaderMap, Vec<u8>)>> {
        let mut answer = self.ask(url, accept).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // A token lives for minutes.
            self.authenticate().await?;
            answer = self.ask(url, accept).await?;
        }
        match answer.status() {
            StatusCode::OK => {
                let head = answer.headers().clone();
                let bytes = read(&mut answer, limit, progress).await?;
                Ok(Some((head, bytes)))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let nobody: Progress = Arc::new(|_| ());
                let message = read(&mut answer, ERROR, &nobody).await.unwrap_or_default();
                Err(OciDistributionError::ServerError {
                    code: status.as_u16(),
                    url: url.to_owned(),
                    message: String::from_utf8_lossy(&message).into_owned(),
                })
            }
        }
    }

    async fn ask(&self, url: &str, accept: &str) -> Answered<Response> {
        let request = self.http.get(url).header(header::ACCEPT, accept);
        let token = self.token.borrow().clone();
        let request = match (token, &self.credentials) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        Ok(request.send().await?)
    }
}

async fn read(answer: &mut Response, limit: usize, progress: &Progress) -> Answered<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if bytes.len().saturating_add(piece.len()) > limit {
            return Err(OciDistributionError::SpecViolationError(format!(
                "an answer is longer than the {limit} bytes that it may have"
            )));
        }
        progress(piece.len());
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn configuration(target: &Target) -> ClientConfig {
    ClientConfig {
        protocol: match target.is_plain() {
            true => ClientProtocol::Http,
            false => ClientProtocol::Https,
        },
        // One request with all of it, as `oras` has it: some registries want chunks of their own size.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(READ),
        user_agent: AGENT,
        ..ClientConfig::default()
    }
}

/// What somebody else wrote, in part and on one line.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 120;
    text.chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}
