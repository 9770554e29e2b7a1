//! Secrets of the configuration. They never leave this type by accident: no `Debug`, no `Display`.

use super::raw;
use crate::{crypto::constant_time_eq_slices, gate::Secrets};
use base64::{Engine as _, engine::general_purpose::STANDARD};

pub struct Secret(Vec<u8>);

impl Secret {
    /// A shared secret.
    ///
    /// # Errors
    /// What to do about it; never the value.
    pub fn resolve(raw: &raw::Secret, secrets: &dyn Secrets) -> Result<Secret, String> {
        let secret = Secret::resolve_key(raw, secrets)?;
        // Whoever has the public half of a pair could sign with it.
        if secret.0.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err("is a key in PEM, which is no shared secret".into());
        }
        Ok(secret)
    }

    /// A secret that may be a private key in PEM.
    ///
    /// # Errors
    /// What to do about it; never the value.
    pub fn resolve_key(raw: &raw::Secret, secrets: &dyn Secrets) -> Result<Secret, String> {
        let bytes = match raw {
            raw::Secret::Text(text) => written_out(text, secrets)?.as_bytes().to_vec(),
            raw::Secret::Environment(raw::Environment { env, encoding }) => {
                let value = secrets.secret(env).ok_or_else(|| {
                    format!(
                        "the environment has no `{env}`; `export` it in a shell, pass it with \
                         `vm_config.environment_variables.host_env_keys` (Envoy) or `vmConfig.env` (Istio)"
                    )
                })?;
                match encoding {
                    None => value.into_bytes(),
                    Some(raw::Encoding::Base64) => STANDARD.decode(value.trim()).map_err(|_| {
                        format!("`{env}` is not base64, as `encoding: base64` says")
                    })?,
                }
            }
        };
        if bytes.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Secret(bytes))
    }

    /// Of bytes that were made of one; `None` where there are none.
    pub fn of(bytes: Vec<u8>) -> Option<Secret> {
        (!bytes.is_empty()).then_some(Secret(bytes))
    }

    /// Whether both are the same.
    pub fn is(&self, other: &Secret) -> bool {
        constant_time_eq_slices(&self.0, &other.0)
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// A secret that stands in the document.
///
/// # Errors
/// Where none may.
pub fn written_out<'t>(text: &'t str, secrets: &dyn Secrets) -> Result<&'t str, String> {
    match secrets.may_be_written_out() {
        true => Ok(text),
        false => Err("is a secret that stands in the document; takes `{env: NAME}` here".into()),
    }
}
