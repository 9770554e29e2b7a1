//! Signatures checked by the host and by the module's own code: the same verdict of each, in wasmtime (ring)
//! and in Envoy (BoringSSL). And how the module chooses between the two.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use portcullis_crypto::{
    Algorithm, Material, NativeVerifier, Question, VerificationKey, Verifier, foreign,
};
use portcullis_host::{
    ConfigureError, Headers, LogLevel, Module, Outcome, PluginId, PluginOptions, Properties, Vm,
    VmError, VmOptions,
};
use portcullis_runner::{Envoy, Exit};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

/// A signature, with what the module's own code makes of it.
struct Vector {
    name: String,
    /// What `verify_signature` is asked, where the host is asked at all.
    arguments: Option<Vec<u8>>,
    good: bool,
}

#[test]
fn hosts_and_our_own_code_agree() {
    let vectors: Vec<Vector> = [own(), wycheproof()].into_iter().flatten().collect();
    let asked = || vectors.iter().filter(|it| it.arguments.is_some());
    // Were nothing asked, all would agree.
    assert!(asked().count() > 100 && asked().filter(|it| it.good).count() > 10);
    for vector in vectors.iter().filter(|it| it.arguments.is_none()) {
        assert!(!vector.good, "{}: the host is not asked", vector.name);
    }
    let questions: Vec<&[u8]> = asked().filter_map(|it| it.arguments.as_deref()).collect();
    let own: String = asked().map(|it| if it.good { '1' } else { '0' }).collect();
    let told = |host: &str, said: &str| {
        assert_eq!(said.len(), own.len(), "{host}");
        let differing: Vec<String> = asked()
            .zip(said.chars())
            .filter(|(vector, said)| (*said == '1') != vector.good || !"01".contains(*said))
            .map(|(vector, said)| format!("{}: {said}, not {}", vector.name, vector.good))
            .collect();
        assert!(differing.is_empty(), "{host}:\n{}", differing.join("\n"));
        say(&format!(
            "{host}: {} signatures as by our own code",
            own.len()
        ));
    };
    let configuration = joined(&questions);
    told("wasmtime", &in_wasmtime(&configuration));
    if let Some(said) = in_envoy(&configuration) {
        told("Envoy", &said);
    }
}

#[test]
fn hosts_refuse_what_is_no_question() {
    let key = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let key = bytes(key);
    let question = |hash: &'static str, key: &[u8]| {
        foreign::arguments(&Question {
            hash,
            key,
            signature: &[0x30, 6, 2, 1, 1, 2, 1, 1],
            message: b"message",
        })
    };
    let questions = [
        question("sha256", &key),
        question("md5", &key),
        question("", &key),
        // Keys that are none; only of none at all does Envoy say that the argument is bad.
        question("sha256", b""),
        question("sha256", &key[..key.len() - 1]),
        question("sha256", b"-----BEGIN PUBLIC KEY-----"),
        // Messages that are none.
        vec![0x0a],
        vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    let questions: Vec<&[u8]> = questions.iter().map(Vec::as_slice).collect();
    let expected = "000B00BB";
    assert_eq!(in_wasmtime(&joined(&questions)), expected);
    if let Some(said) = in_envoy(&joined(&questions)) {
        assert_eq!(said, expected);
    }
}

#[test]
fn the_module_asks_its_host_unless_the_environment_says_off() {
    let all = "portcullis: the host verifies RS256, RS384, RS512, ES256, ES384";
    // The variable's value, and what the module logs of its host.
    let table = [
        (None, Some(all)),
        (Some("on"), Some(all)),
        (Some("off"), None),
    ];
    for (value, expected) in table {
        let (configured, lines) = configured(value);
        assert!(configured.is_ok(), "{value:?}: {configured:?}");
        let found = lines.iter().find(|line| line.contains("the host verifies"));
        assert_eq!(found.map(String::as_str), expected, "{value:?}");
    }
}

#[test]
fn the_module_refuses_another_word_in_the_environment() {
    for value in ["", "OFF", "false", "0"] {
        let (configured, lines) = configured(Some(value));
        assert!(configured.is_err(), "{value}");
        let why = "the environment variable PORTCULLIS_NATIVE_CRYPTO takes `on` or `off`";
        assert!(lines.iter().any(|line| line.ends_with(why)), "{lines:?}");
    }
}

/// The shipped module with a small configuration, and what it logged meanwhile.
fn configured(native_crypto: Option<&str>) -> (Result<PluginId, ConfigureError>, Vec<String>) {
    let variable = native_crypto.map(|value| ("PORTCULLIS_NATIVE_CRYPTO".into(), value.into()));
    let options = VmOptions {
        environment: variable.into_iter().collect(),
        log_level: LogLevel::Debug,
        ..VmOptions::default()
    };
    let policy =
        json!({"modules": {"authz.rego": "package envoy.authz\n\ndefault allow := false"}});
    // A debug build takes minutes to compile it.
    static MODULE: OnceLock<Module> = OnceLock::new();
    let module = || Module::compile(&fs::read(portcullis_tests::module()).unwrap()).unwrap();
    let (mut vm, lines) = started(MODULE.get_or_init(module), options).unwrap();
    let configured = vm.configure(PluginOptions {
        configuration: json!({"policy": policy}).to_string().into(),
        ..PluginOptions::default()
    });
    let mut told: Vec<String> = lines.lock().unwrap().clone();
    if let Err(error) = &configured {
        told.extend(error.logs().iter().map(|line| line.message.clone()));
    }
    (configured, told)
}

type Lines = Arc<Mutex<Vec<String>>>;

fn started(module: &Module, options: VmOptions) -> Result<(Vm, Lines), VmError> {
    let lines = Lines::default();
    let written = Arc::clone(&lines);
    let log = move |_: LogLevel, line: &str| written.lock().unwrap().push(line.to_owned());
    Vm::start(module, options, Box::new(log)).map(|vm| (vm, lines))
}

/// Of vectors.json: OpenSSL's own verdict stands beside each.
fn own() -> Vec<Vector> {
    let file = portcullis_tests::root().join("tests/native_crypto/vectors.json");
    let groups: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut vectors = Vec::new();
    for group in groups.as_array().unwrap() {
        let algorithm = group["algorithm"].as_str().unwrap();
        let key = key_of_pem(algorithm, &group["key"]);
        let message = group["message"].as_str().unwrap().as_bytes();
        for case in group["cases"].as_array().unwrap() {
            let (about, name) = (&group["about"], &case["name"]);
            let signature = bytes(case["signature"].as_str().unwrap());
            let vector = vector(
                format!("{algorithm} {about} {name}"),
                &key,
                message,
                &signature,
            );
            assert_eq!(vector.good, case["good"], "{}", vector.name);
            if algorithm != "ES512" {
                vectors.push(vector);
            }
        }
    }
    vectors
}

/// Of `CONFORMANCE_DIR`, where it is set: what is good of it and what is not, the engine's tests tell.
fn wycheproof() -> Vec<Vector> {
    let Some(folder) = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from) else {
        say("SKIPPED: Wycheproof: CONFORMANCE_DIR is not set");
        return Vec::new();
    };
    let read = |file: &str| -> Value {
        let text = fs::read_to_string(folder.join("wycheproof").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut vectors = Vec::new();
    for (file, algorithm) in [
        ("ecdsa_secp256r1_sha256_p1363_test.json", "ES256"),
        ("rsa_signature_2048_sha256_test.json", "RS256"),
    ] {
        let suite = read(file);
        for group in suite["testGroups"].as_array().unwrap() {
            if group["publicKey"]["publicExponent"] == "03" {
                continue; // No key of ours: it is refused at load.
            }
            let key = key_of_pem(algorithm, &group["publicKeyPem"]);
            for case in group["tests"].as_array().unwrap() {
                let [message, signature] =
                    ["msg", "sig"].map(|member| bytes(case[member].as_str().unwrap()));
                let name = format!("{file} {} {}", case["tcId"], case["comment"]);
                vectors.push(vector(name, &key, &message, &signature));
            }
        }
    }
    let file = "json_web_signature_test.json";
    for group in read(file)["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let name = format!("{file} {} {}", case["tcId"], case["comment"]);
            vectors.extend(of_token(name, group, case["jws"].as_str().unwrap()));
        }
    }
    vectors
}

/// Of a token whose algorithm hosts may verify; what it says besides is nothing to them.
fn of_token(name: String, group: &Value, token: &str) -> Option<Vector> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, _) = signed.split_once('.')?;
    let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
    let algorithm = header["alg"].as_str().and_then(Algorithm::parse)?;
    let jwk = [&group["public"], &group["private"]]
        .into_iter()
        .find(|key| key.is_object())?;
    let member = |name: &str| jwk[name].as_str().and_then(decoded);
    let key = match algorithm.name() {
        "RS256" | "RS384" | "RS512" => {
            let (n, e) = (member("n")?, member("e")?);
            VerificationKey::new(algorithm, &Material::Rsa { n: &n, e: &e })
        }
        "ES256" | "ES384" => {
            let (x, y) = (member("x")?, member("y")?);
            VerificationKey::new(algorithm, &Material::Ec { x: &x, y: &y })
        }
        _ => return None,
    };
    Some(vector(
        name,
        &key.ok()?,
        signed.as_bytes(),
        &decoded(signature)?,
    ))
}

fn key_of_pem(algorithm: &str, pem: &Value) -> VerificationKey {
    let algorithm = Algorithm::parse(algorithm).unwrap();
    VerificationKey::from_pem(algorithm, pem.as_str().unwrap()).unwrap()
}

fn vector(name: String, key: &VerificationKey, message: &[u8], signature: &[u8]) -> Vector {
    thread_local! {
        static HOST: (Arc<Listening>, Verifier) = {
            let host = Arc::new(Listening::default());
            let verifier = Verifier::probing(Arc::clone(&host) as Arc<dyn NativeVerifier>);
            (host, verifier)
        };
    }
    let (good, arguments) = HOST.with(|(host, verifier)| {
        // The host says nothing, so the verdict is our own code's.
        let good = verifier.verify(key, message, signature).is_ok();
        (good, host.heard.lock().unwrap().take())
    });
    assert_eq!(good, key.verify(message, signature).is_ok(), "{name}");
    Vector {
        name,
        arguments,
        good,
    }
}

/// Passes for a host, until it is asked of something else than what it is probed with.
#[derive(Default)]
struct Listening {
    heard: Mutex<Option<Vec<u8>>>,
}

impl NativeVerifier for Listening {
    fn verify(&self, question: &Question<'_>) -> Option<bool> {
        match question.message {
            b"portcullis" => Some(true),
            b"Portcullis" => Some(false),
            _ => {
                *self.heard.lock().unwrap() = Some(foreign::arguments(question));
                None
            }
        }
    }
}

/// As guest.wat takes them.
fn joined(questions: &[&[u8]]) -> String {
    let mut joined = String::new();
    for question in questions {
        let length = u32::try_from(question.len()).unwrap().to_le_bytes();
        for byte in length.iter().chain(*question) {
            let _ = write!(joined, "{byte:02x}");
        }
    }
    joined
}

const GUEST: &str = include_str!("native_crypto/guest.wat");

fn in_wasmtime(configuration: &str) -> String {
    let module = Module::compile(&wat::parse_str(GUEST).unwrap()).unwrap();
    let (mut vm, _) = started(&module, VmOptions::default()).unwrap();
    let plugin = PluginOptions {
        configuration: configuration.into(),
        ..PluginOptions::default()
    };
    let plugin = vm.configure(plugin).unwrap();
    let stream = vm.open_stream(plugin, Properties::new()).unwrap();
    let pseudo = [(":path", "/"), (":method", "GET"), (":scheme", "http")];
    let request = Headers::from_wire(&pseudo, [("Host", "gate.test")]).unwrap();
    match vm.request_headers(stream, request, true).unwrap() {
        Outcome::LocalReply { response, .. } => String::from_utf8(response.body).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// `None` where there is no Envoy.
fn in_envoy(configuration: &str) -> Option<String> {
    let binary = portcullis_tests::envoy()?;
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("guest.wasm");
    fs::write(&module, wat::parse_str(GUEST).unwrap()).unwrap();
    let envoy = match Envoy::start(
        &binary,
        &bootstrap(&module, configuration),
        &BTreeMap::new(),
    ) {
        Ok(Exit::Serving(envoy)) => envoy,
        Ok(Exit::Ended { log, .. }) => panic!("{log}"),
        Err(error) => panic!("{error}"),
    };
    let address = *envoy.listeners().unwrap().get("guest").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let request = "GET / HTTP/1.1\r\nhost: gate.test\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{}", envoy.log());
    Some(body.to_owned())
}

fn bootstrap(module: &Path, configuration: &str) -> Value {
    let http = "type.googleapis.com/envoy.extensions.filters.http";
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    json!({
        "admin": {"address": address},
        "static_resources": {"listeners": [{
            "name": "guest",
            "address": address,
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": manager,
                    "stat_prefix": "guest",
                    "route_config": {"virtual_hosts": [{"name": "guest", "domains": ["*"]}]},
                    "http_filters": [
                        {"name": "guest", "typed_config": {
                            "@type": format!("{http}.wasm.v3.Wasm"),
                            "config": {
                                "name": "guest",
                                "vm_config": {
                                    "runtime": "envoy.wasm.runtime.v8",
                                    "code": {"local": {"filename": module.to_string_lossy()}},
                                },
                                "configuration": {
                                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                                    "value": configuration,
                                },
                            },
                        }},
                        {"name": "router", "typed_config": {"@type": format!("{http}.router.v3.Router")}},
                    ],
                },
            }]}],
        }]},
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Whatever becomes of the test: what a harness captures, nobody reads.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
