//! The gate's public keys, for upstreams that ask (`serve: jwks`).

use crate::{
    config::Config,
    decision::{Decision, Deny, Effect, Record},
};

/// Upstreams ask again by then: a key is published that much before it signs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The answer of the gate's own. Whom it is for is not asked: the keys are public.
pub fn answer(config: &Config, record: Record) -> Decision {
    let mut headers = vec![
        ("content-type".to_owned(), MEDIA_TYPE.to_owned()),
        ("cache-control".to_owned(), CACHE_CONTROL.to_owned()),
    ];
    if let Some(name) = &config.reason_header {
        headers.push((name.clone(), record.reason.code().to_owned()));
    }
    Decision {
        effect: Effect::Deny(Deny {
            status: record.reason.status(),
            headers,
            body: config
                .upstream
                .jwks
                .clone()
                .unwrap_or_default()
                .into_bytes(),
            grpc_status: None,
        }),
        record,
    }
}

/// RFC 7517 section 8.5.2.
const MEDIA_TYPE: &str = "application/jwk-set+json";
