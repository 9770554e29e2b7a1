//! HTTP calls that the guest makes (`proxy_http_call`): the caller takes them, makes them, and brings the answers.

use std::fmt;
use std::time::Duration;

use crate::error::VmError;
use crate::headers::Headers;
use crate::vm::{PluginId, Vm, size};

/// `WasmResult::BrokenConnection`, what `proxy_get_status` answers from the first failed call on.
const BROKEN_CONNECTION: u32 = 11;

/// Names a call within its VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallToken(pub(crate) u32);

/// A call that the guest wants made.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    pub token: CallToken,
    pub plugin: PluginId,
    /// One of [`VmOptions::clusters`](crate::VmOptions::clusters).
    pub cluster: String,
    /// With `:method`, `:path` and `:authority`, and with `content-length` where there is a body. What would break the
    /// message on the wire was refused.
    pub headers: Headers,
    pub body: Vec<u8>,
    /// Empty where there are none.
    pub trailers: Headers,
    /// For the whole call; `None` where the guest passed 0.
    pub timeout: Option<Duration>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCallResponse {
    /// With `:status`.
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
}

impl HttpCallResponse {
    /// What Envoy's router answers where there is no connection to the cluster, or it breaks before an answer begins:
    /// a 503, not a failure.
    pub fn unreachable() -> Self {
        Self::of_the_router(
            b"503",
            b"upstream connect error or disconnect/reset before headers",
        )
    }

    /// What Envoy's router answers where the timeout passes before an answer begins: a 504, not a failure.
    pub fn timed_out() -> Self {
        Self::of_the_router(b"504", b"upstream request timeout")
    }

    fn of_the_router(status: &[u8], body: &[u8]) -> Self {
        let mut headers = Headers::new();
        headers.add(":status", status);
        headers.add("content-length", body.len().to_string().as_bytes());
        headers.add("content-type", b"text/plain");
        Self {
            headers,
            body: body.to_vec(),
            trailers: None,
        }
    }
}

impl Vm {
    /// The calls that the guest made since the last time. Ask after every call into this VM; a dead VM has none.
    pub fn take_calls(&mut self) -> Vec<HttpCall> {
        match self.alive() {
            Ok(()) => std::mem::take(&mut self.store.data_mut().calls),
            Err(_) => Vec::new(),
        }
    }

    /// Brings the answer of a call to the guest's root context (`proxy_on_http_call_response`), whatever became of the
    /// stream that made it; then look at the streams that wait with [`poll`](Self::poll), and
    /// [take calls](Self::take_calls) again.
    ///
    /// `None` is a call that failed: the answer broke off or was too large (Envoy's `Reset` and
    /// `ExceedResponseBufferLimit`). Where no answer began, Envoy has one of its own:
    /// [`HttpCallResponse::unreachable`] and [`HttpCallResponse::timed_out`].
    ///
    /// # Errors
    /// [`VmError::UnknownCall`] where it was answered already or its plugin has ended meanwhile; otherwise as any other
    /// callback.
    pub fn answer_call(
        &mut self,
        token: CallToken,
        response: Option<HttpCallResponse>,
    ) -> Result<(), VmError> {
        self.alive()?;
        let host = self.store.data_mut();
        let id = host.pending.remove(&token.0).ok_or(VmError::UnknownCall)?;
        // It may be answered without having been taken.
        host.calls.retain(|call| call.token != token);
        let root = host.roots.get_mut(&id).ok_or(VmError::UnknownCall)?;
        let (headers, body, trailers) = response.as_ref().map_or((0, 0, 0), |response| {
            let trailers = response.trailers.as_ref().map_or(0, Headers::len);
            (response.headers.len(), response.body.len(), trailers)
        });
        if response.is_none() {
            root.status = (BROKEN_CONNECTION, "reset");
        }
        root.response = response;
        let result = self.invoke(
            id,
            "proxy_on_http_call_response",
            self.exports.on_http_call_response.clone(),
            (id, token.0, size(headers), size(body), size(trailers)),
        );
        // Streams that the guest continued are shown their bodies only after it, and can read it no more.
        if let Some(root) = self.store.data_mut().roots.get_mut(&id) {
            root.response = None;
            root.status.1 = "";
        }
        result?;
        self.settle_others(None)?;
        self.delete_if_done(PluginId(id))?;
        Ok(())
    }
}

/// Without the body, which carries credentials.
impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCall")
            .field("token", &self.token)
            .field("plugin", &self.plugin)
            .field("cluster", &self.cluster)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("trailers", &self.trailers)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Without the body.
impl fmt::Debug for HttpCallResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCallResponse")
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("trailers", &self.trailers)
            .finish()
    }
}
