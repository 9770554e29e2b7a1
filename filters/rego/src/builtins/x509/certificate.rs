//! A certificate and a request for one as Go's `crypto/x509` has them.

use std::{collections::BTreeMap, net::IpAddr};

use portcullis_crypto::x509::{
    AlternativeNames, Asked, Certificate, Extension, Name, NameConstraints, Request, Subtrees,
};

use super::{
    super::call::Failure,
    go::{self, bytes, key_algorithm, list, number, object, oid, public_key, strings},
    uri::Uri,
};
use crate::value::{self, Value};

type Members = Vec<(&'static str, Value)>;

/// With the one member that OPA adds.
pub(super) fn with_uri_strings(certificate: &Certificate) -> Result<Value, Failure> {
    let uris = uris(&certificate.extensions.names)?;
    let mut members = members(certificate)?;
    members.push((
        "URIStrings",
        list(&uris, |uri| value::string(&uri.to_text())),
    ));
    Ok(collected(members))
}

pub(super) fn certificate(certificate: &Certificate) -> Result<Value, Failure> {
    members(certificate).map(collected)
}

fn members(certificate: &Certificate) -> Result<Members, Failure> {
    let extensions = &certificate.extensions;
    let optional = |it: &Option<Vec<u8>>| it.as_ref().map_or(Value::Null, |it| bytes(it));
    let basic = extensions.basic;
    let max_path = match basic {
        None => 0,
        Some(basic) => basic.max_path.map_or(-1, i64::from),
    };
    let mut members = vec![
        ("Raw", bytes(&certificate.raw)),
        ("RawTBSCertificate", bytes(&certificate.raw_tbs)),
        ("RawSubjectPublicKeyInfo", bytes(&certificate.raw_key)),
        ("RawSubject", bytes(&certificate.raw_subject)),
        ("RawIssuer", bytes(&certificate.raw_issuer)),
        ("Signature", bytes(&certificate.signature)),
        (
            "SignatureAlgorithm",
            small(certificate.signature_algorithm.number),
        ),
        ("PublicKeyAlgorithm", key_algorithm(&certificate.public_key)),
        ("PublicKey", public_key(&certificate.public_key)?),
        ("Version", Value::from(u64::from(certificate.version))),
        ("SerialNumber", number(&certificate.serial)?),
        ("Issuer", name(&certificate.issuer)),
        ("Subject", name(&certificate.subject)),
        (
            "NotBefore",
            value::string(&certificate.not_before.to_text()),
        ),
        ("NotAfter", value::string(&certificate.not_after.to_text())),
        ("KeyUsage", Value::from(u64::from(extensions.key_usage))),
        ("Extensions", list(&certificate.all, extension)),
        ("ExtraExtensions", Value::Null),
        (
            "UnhandledCriticalExtensions",
            list(&extensions.unhandled, oid),
        ),
        (
            "ExtKeyUsage",
            list(&extensions.key_purposes, |purpose| small(*purpose)),
        ),
        (
            "UnknownExtKeyUsage",
            list(&extensions.unknown_purposes, oid),
        ),
        ("BasicConstraintsValid", Value::Bool(basic.is_some())),
        ("IsCA", Value::Bool(basic.is_some_and(|basic| basic.is_ca))),
        ("MaxPathLen", Value::from(max_path)),
        (
            "MaxPathLenZero",
            Value::Bool(basic.is_some_and(|basic| basic.max_path == Some(0))),
        ),
        ("SubjectKeyId", optional(&extensions.subject_key_id)),
        ("AuthorityKeyId", optional(&extensions.authority_key_id)),
        ("OCSPServer", strings(&extensions.ocsp)),
        ("IssuingCertificateURL", strings(&extensions.issuing)),
        (
            "CRLDistributionPoints",
            strings(&extensions.distribution_points),
        ),
        ("PolicyIdentifiers", list(&extensions.policies, oid)),
        (
            "Policies",
            list(&extensions.policies, |policy| dotted(policy)),
        ),
    ];
    if extensions.constrains_policies {
        return Err(Failure::Unsupported("a policy constraint"));
    }
    for unconstrained in [
        "InhibitAnyPolicy",
        "InhibitPolicyMapping",
        "RequireExplicitPolicy",
    ] {
        members.push((unconstrained, Value::from(0_u64)));
    }
    for unconstrained in [
        "InhibitAnyPolicyZero",
        "InhibitPolicyMappingZero",
        "RequireExplicitPolicyZero",
    ] {
        members.push((unconstrained, Value::Bool(false)));
    }
    members.push(("PolicyMappings", Value::Null));
    members.extend(names(&extensions.names)?);
    members.extend(name_constraints(extensions.name_constraints.as_ref()));
    Ok(members)
}

pub(super) fn request(request: &Request) -> Result<Value, Failure> {
    let mut attributes = Vec::new();
    for attribute in &request.attributes {
        let mut lists = Vec::new();
        for list in &attribute.values {
            let mut members = Vec::new();
            for (kind, asked) in list {
                let asked = match asked {
                    Asked::Nothing => Value::Null,
                    Asked::Bytes(value) => bytes(value),
                    Asked::Other => {
                        return Err(Failure::Unsupported("an attribute of this kind"));
                    }
                };
                members.push(object([("Type", oid(kind)), ("Value", asked)]));
            }
            lists.push(Value::from(members));
        }
        attributes.push(object([
            ("Type", oid(&attribute.oid)),
            ("Value", Value::from(lists)),
        ]));
    }
    let mut members = vec![
        ("Raw", bytes(&request.raw)),
        ("RawTBSCertificateRequest", bytes(&request.raw_tbs)),
        ("RawSubjectPublicKeyInfo", bytes(&request.raw_key)),
        ("RawSubject", bytes(&request.raw_subject)),
        ("Version", Value::from(u64::from(request.version))),
        ("Signature", bytes(&request.signature)),
        (
            "SignatureAlgorithm",
            small(request.signature_algorithm.number),
        ),
        ("PublicKeyAlgorithm", key_algorithm(&request.public_key)),
        ("PublicKey", public_key(&request.public_key)?),
        ("Subject", name(&request.subject)),
        ("Attributes", list(&attributes, Value::clone)),
        ("Extensions", list(&request.all, extension)),
        ("ExtraExtensions", Value::Null),
    ];
    members.extend(names(&request.names)?);
    Ok(collected(members))
}

fn collected(members: Members) -> Value {
    let members = members.into_iter();
    let entries: BTreeMap<Value, Value> = members
        .map(|(name, value)| (value::string(name), value))
        .collect();
    Value::from(entries)
}

fn small(number: u8) -> Value {
    Value::from(u64::from(number))
}

fn dotted(oid: &[u32]) -> Value {
    let arcs: Vec<String> = oid.iter().map(u32::to_string).collect();
    value::string(&arcs.join("."))
}

fn extension(extension: &Extension) -> Value {
    object([
        ("Id", oid(&extension.oid)),
        ("Critical", Value::Bool(extension.critical)),
        ("Value", bytes(&extension.value)),
    ])
}

fn name(name: &Name) -> Value {
    let all = |number| {
        let values: Vec<&str> = name.values(number).collect();
        list(&values, |value| value::string(value))
    };
    let last = |number| value::string(name.values(number).next_back().unwrap_or(""));
    object([
        ("Country", all(6)),
        ("Organization", all(10)),
        ("OrganizationalUnit", all(11)),
        ("Locality", all(7)),
        ("Province", all(8)),
        ("StreetAddress", all(9)),
        ("PostalCode", all(17)),
        ("SerialNumber", last(5)),
        ("CommonName", last(3)),
        (
            "Names",
            list(&name.attributes, |attribute| {
                object([
                    ("Type", oid(&attribute.oid)),
                    ("Value", value::string(&attribute.value)),
                ])
            }),
        ),
        ("ExtraNames", Value::Null),
    ])
}

fn uris(names: &AlternativeNames) -> Result<Vec<Uri<'_>>, Failure> {
    names.uris.iter().map(|uri| Uri::parse(uri)).collect()
}

fn names(names: &AlternativeNames) -> Result<Members, Failure> {
    Ok(vec![
        ("DNSNames", strings(&names.dns)),
        ("EmailAddresses", strings(&names.email)),
        ("IPAddresses", list(&names.addresses, address)),
        ("URIs", list(&uris(names)?, Uri::to_value)),
    ])
}

fn address(bytes: &Vec<u8>) -> Value {
    let address = match bytes.len() {
        4 => <[u8; 4]>::try_from(&**bytes).map(IpAddr::from),
        _ => <[u8; 16]>::try_from(&**bytes).map(IpAddr::from),
    };
    address.map_or(Value::Null, |address| {
        value::string(&address.to_canonical().to_string())
    })
}

fn name_constraints(constraints: Option<&NameConstraints>) -> Members {
    let none = (NameConstraints::default(), Subtrees::default());
    let (permitted, excluded) = match constraints {
        Some(constraints) => (&constraints.permitted, &constraints.excluded),
        None => (&none.1, &none.1),
    };
    let ranges = |subtrees: &Subtrees| {
        list(&subtrees.ranges, |(network, mask)| {
            object([("IP", address(network)), ("Mask", go::bytes(mask))])
        })
    };
    vec![
        (
            "PermittedDNSDomainsCritical",
            Value::Bool(constraints.is_some_and(|constraints| constraints.critical)),
        ),
        ("PermittedDNSDomains", strings(&permitted.dns)),
        ("ExcludedDNSDomains", strings(&excluded.dns)),
        ("PermittedIPRanges", ranges(permitted)),
        ("ExcludedIPRanges", ranges(excluded)),
        ("PermittedEmailAddresses", strings(&permitted.email)),
        ("ExcludedEmailAddresses", strings(&excluded.email)),
        ("PermittedURIDomains", strings(&permitted.uris)),
        ("ExcludedURIDomains", strings(&excluded.uris)),
    ]
}
