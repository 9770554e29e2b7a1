//! A registry that is spoken to (OCI Distribution Specification 1.1): patiently, and never reading more
//! than was bargained for. Pushes are `oci-client`'s, with a token that it does not ask for itself; what is
//! read is read here, so that each answer has a bound and a digest.

use crate::{
    Digest, Fault, Target, client, credentials,
    fault::{Wrong, is_unauthorized},
    patience::{waiting, within},
    token,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::stream;
use oci_client::{Client, RegistryOperation, errors::OciDistributionError, secrets::RegistryAuth};
use reqwest::{Response, StatusCode, header};
use std::{cell::RefCell, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

/// Told how many bytes are on their way. What is tried again is told again.
pub type Progress = Arc<dyn Fn(usize) + Send + Sync>;

/// Bytes that are handed over at a time, and told to whoever follows the progress.
const PIECE: usize = 256 * 1024;
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Between two reads of an answer.
pub(crate) const READ: Duration = Duration::from_secs(60);
pub(crate) const AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
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
    /// It has what requests must carry, and asks for nothing.
    client: RefCell<Client>,
    http: reqwest::Client,
    credentials: RegistryAuth,
    /// What requests must carry.
    carried: RefCell<RegistryAuth>,
    runtime: Runtime,
}

pub(crate) type Answered<T> = Result<T, Wrong>;

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
        let wrong = |wrong: Wrong| Fault::of(target, wrong, &[]);
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            // Nor where an answer leads elsewhere.
            .https_only(!target.is_plain())
            .build()
            .map_err(|error| wrong(error.into()))?;
        let client = client::idle(target).map_err(wrong)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| wrong(OciDistributionError::from(error).into()))?;
        let remote = Remote {
            target: target.clone(),
            operation,
            client: RefCell::new(client),
            http,
            credentials,
            carried: RefCell::new(RegistryAuth::Anonymous),
            runtime,
        };
        let asked = remote.runtime.block_on(waiting(&mut async || {
            // Each attempt with a challenge of its own.
            remote.authenticate().await
        }));
        asked.map_err(|wrong| remote.fault(wrong))?;
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
        let found = self.patiently(async || {
            within(MANIFEST, self.get(&url, &accept, MANIFEST, &nobody)).await
        })?;
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
        let found = self.patiently(async || {
            within(MANIFEST, self.get(&url, accept, MANIFEST, &nobody)).await
        })?;
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
        let found = self.patiently(async || {
            let found = within(size, self.get(&url, "*/*", size, progress)).await;
            found.map_err(|wrong| match wrong {
                Wrong::Long(_) => Wrong::Refused(format!(
                    "the blob {digest} was changed: it has more than the {size} bytes of its \
                     descriptor"
                )),
                other => other,
            })
        })?;
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
        let there = async || {
            let client = self.client.borrow().clone();
            Ok(client.blob_exists(image, digest.as_str()).await?)
        };
        if self.patiently(there)? {
            return Ok(digest);
        }
        self.patiently(async || {
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
            let client = self.client.borrow().clone();
            client
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
            let client = self.client.borrow().clone();
            Ok(client.push_manifest_raw(&image, bytes, kind).await?)
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
        let repository = self.target.reference().repository();
        self.target.url(&format!("{repository}/{what}/{name}"))
    }

    /// What is passing is waited for, so many times; and a token lives for minutes.
    fn patiently<T>(&self, mut attempt: impl AsyncFnMut() -> Answered<T>) -> Result<T, Fault> {
        let answered = self.runtime.block_on(async {
            match waiting(&mut attempt).await {
                Err(wrong) if is_unauthorized(&wrong) => {
                    self.authenticate().await?;
                    waiting(&mut attempt).await
                }
                answered => answered,
            }
        });
        answered.map_err(|wrong| self.fault(wrong))
    }

    async fn authenticate(&self) -> Answered<()> {
        let carried = token::ask(&self.http, &self.target, self.operation, &self.credentials);
        let carried = within(0, carried).await?;
        let client = client::with(&self.target, &carried).await?;
        *self.client.borrow_mut() = client;
        *self.carried.borrow_mut() = carried;
        Ok(())
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        let carried = self.carried.borrow();
        let mut secrets = Vec::new();
        for sent in [&*carried, &self.credentials] {
            match sent {
                RegistryAuth::Bearer(token) => secrets.push(token.clone()),
                RegistryAuth::Basic(user, password) => {
                    secrets.push(STANDARD.encode(format!("{user}:{password}")));
                    secrets.push(password.clone());
                }
                RegistryAuth::Anonymous => {}
            }
        }
        Fault::of(&self.target, wrong, &secrets)
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
                }
                .into())
            }
        }
    }

    async fn ask(&self, url: &str, accept: &str) -> Answered<Response> {
        let request = self.http.get(url).header(header::ACCEPT, accept);
        let request = match &*self.carried.borrow() {
            RegistryAuth::Bearer(token) => request.bearer_auth(token),
            RegistryAuth::Basic(user, password) => request.basic_auth(user, Some(password)),
            RegistryAuth::Anonymous => request,
        };
        Ok(request.send().await?)
    }
}

/// At most so many bytes of an answer.
pub(crate) async fn read(
    answer: &mut Response,
    limit: usize,
    progress: &Progress,
) -> Answered<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if bytes.len().saturating_add(piece.len()) > limit {
            return Err(Wrong::Long(limit));
        }
        progress(piece.len());
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// What somebody else wrote, in part and on one line.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 120;
    text.chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}
