//! What the gate shows its upstream as proof, held by libraries that know nothing of the gate: the
//! signature by http-message-signatures, the wristband by PyJWT.

use crate::{
    keys::{Key, Private},
    scenario::{ExpectUpstream, SignedSpec, WristbandSpec},
    sign,
    subject::Received,
    token::Minters,
};
use portcullis_host::Headers;
use serde_json::{Value, json};

/// What a case expects, with the keys that its names stand for.
pub(crate) struct Proof {
    signed: Option<(SignedSpec, Value, Value)>,
    wristband: Option<(WristbandSpec, Value, Value)>,
}

impl Proof {
    pub fn new<'k, E>(
        expect: &ExpectUpstream,
        key: impl Fn(&str) -> Result<&'k Key, E>,
    ) -> Result<Proof, E> {
        let with = |name: &str| -> Result<(Value, Value), E> {
            let key = key(name)?;
            let material = match (&key.private, &key.public_pem) {
                (Private::Secret(secret), _) => json!({"secret": crate::template::hex(secret)}),
                (Private::Pem(_), pem) => json!({"pem": pem}),
            };
            Ok((material, json!(key.algorithm)))
        };
        let signed = expect.signed.clone();
        let wristband = expect.wristband.clone();
        Ok(Proof {
            signed: signed
                .map(|spec| with(&spec.key).map(|(key, algorithm)| (spec, key, algorithm)))
                .transpose()?,
            wristband: wristband
                .map(|spec| with(&spec.key).map(|(key, algorithm)| (spec, key, algorithm)))
                .transpose()?,
        })
    }

    /// Headers that are others each time.
    pub fn headers(&self) -> Vec<&str> {
        let signed = self.signed.iter();
        let fields = signed.flat_map(|_| ["signature", "signature-input"]);
        let band = self.wristband.iter().map(|(spec, ..)| spec.header.as_str());
        fields.chain(band).collect()
    }

    /// Everything that is not as it should be; without Python nothing can be told.
    pub fn faults(&self, received: &Received, minters: &mut Minters) -> Vec<String> {
        let Some(python) = &mut minters.python else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        if let Some((spec, key, algorithm)) = &self.signed {
            let order = json!({
                "verify": "signature",
                "key": key,
                "algorithm": sign::http_name(algorithm.as_str().unwrap_or_default()),
                "label": spec.label,
                "request": request(received),
            });
            match python.ask(&order) {
                Err(why) => faults.push(format!("the gate's signature: {why}")),
                Ok(answer) => {
                    let mut equal = |what: &str, wanted: Value| {
                        let found = answer.get(what).unwrap_or(&Value::Null);
                        if *found != wanted {
                            faults.push(format!(
                                "the gate's signature, {what}: expected {wanted}, found {found}"
                            ));
                        }
                    };
                    equal("components", json!(spec.components));
                    equal("keyid", json!(spec.id));
                    equal("recent", json!(true));
                    equal("tag", json!(spec.label));
                    equal("lifetime", json!(spec.lifetime));
                    equal(
                        "labels",
                        json!(spec.labels.as_ref().unwrap_or(&vec![spec.label.clone()])),
                    );
                }
            }
        }
        if let Some((spec, key, algorithm)) = &self.wristband {
            faults.extend(self::wristband(spec, key, algorithm, received, python));
        }
        faults
    }
}

fn wristband(
    spec: &WristbandSpec,
    key: &Value,
    algorithm: &Value,
    received: &Received,
    python: &mut crate::Pipe,
) -> Vec<String> {
    let values: Vec<String> = received
        .headers
        .values(&spec.header)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    let [value] = values.as_slice() else {
        return vec![format!(
            "`{}`: expected one wristband, found {values:?}",
            spec.header
        )];
    };
    let token = match spec.header.as_str() {
        "authorization" => value.strip_prefix("Bearer ").unwrap_or_default(),
        _ => value,
    };
    let order = json!({
        "verify": "token",
        "key": key,
        "algorithm": algorithm,
        "token": token,
        "issuer": spec.issuer,
        "audience": spec.audience,
    });
    let answer = match python.ask(&order) {
        Ok(answer) => answer,
        Err(why) => return vec![format!("the wristband: {why}")],
    };
    let part = |name: &str| answer.get(name).and_then(Value::as_object).cloned();
    let header = part("header").unwrap_or_default();
    let mut claims = part("claims").unwrap_or_default();
    let mut faults = Vec::new();
    let mut equal = |what: &str, wanted: &Value, found: &Value| {
        if wanted != found {
            faults.push(format!(
                "the wristband's {what}: expected {wanted}, found {found}"
            ));
        }
    };
    let wanted = json!({"alg": algorithm, "kid": spec.id, "typ": "wristband+jwt"});
    equal("header", &wanted, &header.into());
    let mut time = |name: &str| {
        claims
            .remove(name)
            .and_then(|it| it.as_i64())
            .unwrap_or_default()
    };
    let lifetime = time("exp") - time("iat");
    equal("lifetime", &json!(spec.lifetime), &json!(lifetime));
    for name in ["iss", "aud"] {
        claims.remove(name);
    }
    // A decision's id is another each time.
    let is_named = claims.remove("jti").is_some_and(|it| it.is_string());
    equal("jti", &json!(true), &json!(is_named));
    let recent = answer.get("recent").unwrap_or(&Value::Null);
    equal("time, of now", &json!(true), recent);
    equal("claims", &json!(spec.claims), &claims.into());
    faults
}

fn request(received: &Received) -> Value {
    let lines = |headers: &Headers| -> Vec<Value> {
        // As Python's servers have them: a letter for a byte.
        let text = |value: &[u8]| {
            value
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
        };
        headers
            .iter()
            .map(|(name, value)| json!([name, text(value)]))
            .collect()
    };
    let host = received.headers.get("host").map(String::from_utf8_lossy);
    json!({
        "method": received.method,
        "url": format!("http://{}{}", host.unwrap_or_default(), received.path),
        "headers": lines(&received.headers),
    })
}
