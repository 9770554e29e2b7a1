//! What pushes: `oci-client`, which is given what its requests must carry.

use crate::{
    Target,
    remote::{AGENT, Answered, CONNECT, READ},
};
use oci_client::{
    Client, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
    token_cache::{RegistryToken, RegistryTokenType},
};

/// One that pushes with what it is given. It would ask for a token itself where it has none and knows who
/// asks: of a token it knows that it is one, and else nobody asks.
pub(crate) async fn with(target: &Target, carried: &RegistryAuth) -> Answered<Client> {
    let client = idle(target)?;
    let image = target.reference();
    let (known, pass) = match carried {
        RegistryAuth::Bearer(token) => {
            let token = RegistryToken::Token {
                token: token.clone(),
            };
            (carried, RegistryTokenType::Bearer(token))
        }
        RegistryAuth::Basic(user, password) => {
            let pass = RegistryTokenType::Basic(user.clone(), password.clone());
            (&RegistryAuth::Anonymous, pass)
        }
        RegistryAuth::Anonymous => return Ok(client),
    };
    let registry = image.resolve_registry();
    client.store_auth_if_needed(registry, known).await;
    for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
        client.tokens.insert(image, operation, pass.clone()).await;
    }
    Ok(client)
}

/// One that asks nobody for anything.
///
/// # Errors
/// That this machine has no TLS.
pub(crate) fn idle(target: &Target) -> Answered<Client> {
    Ok(Client::try_from(ClientConfig {
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
    })?)
}
