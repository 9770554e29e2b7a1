//! Who pushes: what `docker login` stored, in the Docker configuration or by its helpers.

use crate::Fault;
use docker_credential::{CredentialRetrievalError as Wrong, DockerCredential};
use oci_client::secrets::RegistryAuth;
use std::{env, path::PathBuf};

/// As the Docker configuration calls Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// For a registry. Nobody, where none are stored for it.
///
/// # Errors
/// What is wrong with the configuration or its helper, without a word of what they hold.
pub fn of(registry: &str) -> Result<RegistryAuth, Fault> {
    if !file().is_some_and(|file| file.exists()) {
        return Ok(RegistryAuth::Anonymous);
    }
    let name = match registry {
        "docker.io" | "index.docker.io" => DOCKER_HUB,
        other => other,
    };
    let why = match docker_credential::get_credential(name) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            return Ok(RegistryAuth::Basic(user, password));
        }
        Err(Wrong::NoCredentialConfigured) => return Ok(RegistryAuth::Anonymous),
        Ok(DockerCredential::IdentityToken(_)) => {
            format!("it has an identity token for {registry}, and a password is needed")
        }
        // What a helper wrote may be the secret.
        Err(Wrong::HelperFailure { helper, .. }) => {
            format!("its helper `docker-credential-{helper}` has nothing for {registry}, or failed")
        }
        Err(other) => other.to_string(),
    };
    Err(Fault::Credentials(why))
}

fn file() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let folder = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(home)?;
    Some(folder.join("config.json"))
}
