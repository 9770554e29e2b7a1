//! An API key, in place of the one of the examples, which nobody has.

use portcullis_engine::api_key_hash;

pub const KEY: &str = "a key of acme's";
/// What `PORTCULLIS_PEPPER` is then.
pub const PEPPER: &str = "a pepper of 32 bytes or some more";
const EXAMPLES: &str =
    "hmac-sha256:c4b01e3c450942e2d8ce8d69fc138db47993b24644f4fbf79e5e300c351d6ade";

/// The gate's configuration with the hash of that key.
pub fn with_key(document: &str) -> String {
    assert!(document.contains(EXAMPLES), "the example has another key");
    document.replace(EXAMPLES, &api_key_hash(KEY, Some(PEPPER.as_bytes())))
}
