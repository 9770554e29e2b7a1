//! `io.jwt.decode_verify`: a token's signature and what it claims, in one.

use portcullis_crypto::public;
use regorus::value::Object;

use super::{
    super::{
        call::{Failure, Outcome, World},
        operand,
    },
    algorithm::{Algorithm, Signed, hashing},
    constraints::{Constraints, Header, Trust},
    decode::{self, Token, member},
    keys::Key,
    verify::first_of,
};
use crate::value::{self, Value};

pub(super) fn decode_verify(arguments: &[Value], world: &World<'_>) -> Outcome {
    let constraints = Constraints::read(operand::object(arguments, 1)?, world)?;
    let text = operand::string(arguments, 0)?;
    let found = match verified(text, &constraints, world)? {
        Some((header, payload)) if holds(&payload, &constraints)? => {
            [Value::Bool(true), header, payload]
        }
        _ => {
            let empty = || Value::from(Object::default());
            [Value::Bool(false), empty(), empty()]
        }
    };
    Ok(Some(value::array(found)))
}

/// The innermost token's header and payload, where each token around it verifies as well.
fn verified(
    text: &str,
    constraints: &Constraints,
    world: &World<'_>,
) -> Result<Option<(Value, Value)>, Failure> {
    let mut text = text.to_owned();
    // Each round reads a token inside a token, which is three quarters as long.
    loop {
        world.charge(text.len())?;
        let token = Token::split(&text)?;
        let object = token.header(world)?;
        let header = Header::read(&object)?;
        let Some(alg) = header.valid_alg() else {
            return Ok(None);
        };
        if constraints
            .alg
            .as_deref()
            .is_some_and(|wanted| wanted != alg)
        {
            return Ok(None);
        }
        let signature = token.signature(world)?;
        let signed = Signed {
            message: token.signed.as_bytes(),
            signature: &signature,
        };
        if !is_signed(&header, alg, constraints, &signed, world)? {
            return Ok(None);
        }
        let payload = token.payload(world)?;
        let nested = header.cty.as_deref();
        if nested.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
            text = decode::written(&payload);
            continue;
        }
        return Ok(Some((object, decode::object(&payload, world)?)));
    }
}

fn is_signed(
    header: &Header,
    alg: &str,
    constraints: &Constraints,
    signed: &Signed<'_>,
    world: &World<'_>,
) -> Result<bool, Failure> {
    let Some(algorithm) = Algorithm::parse(alg) else {
        return match alg {
            // The only other one that OPA verifies with.
            "ES256K" => Err(Failure::Unsupported("the algorithm ES256K")),
            _ => Ok(false),
        };
    };
    match (&constraints.trust, algorithm) {
        (Trust::Keys(keys), _) => {
            let check = |key: &Key| algorithm.verify_exactly(&key.material, signed, world);
            first_of(keys, header, check)
        }
        (Trust::Secret(secret), Algorithm::Hmac(hash)) => {
            hashing(secret.as_bytes(), world)?;
            hashing(signed.message, world)?;
            Ok(public::is_mac(
                hash,
                secret.as_bytes(),
                signed.message,
                signed.signature,
            ))
        }
        (Trust::Secret(_), _) => Ok(false),
    }
}

/// Whether the claims are as demanded (RFC 7519 section 4.1).
fn holds(payload: &Value, constraints: &Constraints) -> Result<bool, Failure> {
    if let Some(wanted) = &constraints.iss {
        match member(payload, "iss") {
            Some(Value::String(iss)) if **iss == **wanted => {}
            None | Some(Value::String(_)) => return Ok(false),
            Some(_) => return Err(Failure::Unsupported("an `iss` that is no string")),
        }
    }
    let audience = match member(payload, "aud") {
        Some(aud) => constraints.is_audience(aud),
        None => constraints.aud.is_none(),
    };
    if !audience {
        return Ok(false);
    }
    let time = Value::from(constraints.time);
    let number = |name: &str| match member(payload, name) {
        None => Ok(None),
        Some(number @ Value::Number(_)) => Ok(Some(number)),
        Some(_) => Err(Failure::error(format!("{name} value must be a number"))),
    };
    if number("exp")?.is_some_and(|exp| time >= *exp) {
        return Ok(false);
    }
    Ok(number("nbf")?.is_none_or(|nbf| time >= *nbf))
}
