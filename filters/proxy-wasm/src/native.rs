//! Signatures checked by the host: which of them is found out once for the whole VM, whatever the
//! number of its configurations, and no configuration is accepted or refused for it.

use crate::host;
use portcullis_engine::{NativeVerifier, Question, Verifier, foreign, words};
use proxy_wasm::types::LogLevel;
use std::{
    env::{self, VarError},
    sync::{Arc, OnceLock},
};

/// How this VM checks signatures.
///
/// # Errors
/// The environment says neither `on` nor `off`: that is the same on every worker.
pub fn verifier() -> Result<&'static Verifier, String> {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    let is_wanted = match env::var(words::NATIVE_CRYPTO) {
        Err(VarError::NotPresent) => true,
        Ok(word) if word == "on" => true,
        Ok(word) if word == "off" => false,
        Ok(_) | Err(VarError::NotUnicode(_)) => {
            let name = words::NATIVE_CRYPTO;
            return Err(format!(
                "the environment variable {name} takes `on` or `off`"
            ));
        }
    };
    Ok(VERIFIER.get_or_init(|| match is_wanted {
        true => probed(),
        false => Verifier::default(),
    }))
}

fn probed() -> Verifier {
    let verifier = Verifier::probing(Arc::new(Host));
    let names: Vec<&str> = verifier.served().iter().map(|it| it.name()).collect();
    match names.is_empty() {
        true => host::log(
            LogLevel::Info,
            "portcullis: the host verifies no signatures, so the module does",
        ),
        false => host::log(
            LogLevel::Debug,
            &format!("portcullis: the host verifies {}", names.join(", ")),
        ),
    }
    verifier
}

struct Host;

impl NativeVerifier for Host {
    fn verify(&self, question: &Question<'_>) -> Option<bool> {
        let arguments = foreign::arguments(question);
        let result = host::call_foreign_function(foreign::VERIFY_SIGNATURE, &arguments)?;
        foreign::result(&result)
    }
}
