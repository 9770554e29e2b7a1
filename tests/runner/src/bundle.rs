//! The bundles that a scenario's servers have, made by Python: neither the gate nor its command has a
//! part in them.

use crate::{
    error::Error,
    keys::Private,
    pipe::Pipe,
    scenario::{BundleSpec, SignedBundleSpec},
    template,
    token::Purse,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

impl Purse<'_> {
    /// As a server sends it.
    pub fn packed(&self, spec: &BundleSpec) -> Result<Vec<u8>, Error> {
        let mut order = json!({
            "files": self.texts(spec.files.iter())?,
            "changed": self.texts(spec.changed.iter())?,
            "entries": spec.entries,
            "manifest": manifest(spec),
            "cut": spec.cut,
        });
        let mut add = |name: &str, value: Value| {
            if let Some(order) = order.as_object_mut() {
                order.insert(name.into(), value);
            }
        };
        if let Some(prefix) = &spec.prefix {
            add("prefix", prefix.as_str().into());
        }
        if let Some(signed) = &spec.signed {
            add("signed", self.signing(signed)?);
        }
        let name = spec.revision.as_deref().unwrap_or("a bundle").to_owned();
        self.by_python(&name, |python| python.bundle(&order))
    }

    fn texts<'s>(
        &self,
        files: impl Iterator<Item = (&'s String, &'s Value)>,
    ) -> Result<Map<String, Value>, Error> {
        files
            .map(|(name, content)| {
                let content = match content {
                    Value::String(text) => template::text(self, text)?.into(),
                    Value::Null => Value::Null,
                    document => template::deep(self, document)?.to_string().into(),
                };
                Ok((name.clone(), content))
            })
            .collect()
    }

    fn signing(&self, spec: &SignedBundleSpec) -> Result<Value, Error> {
        let key = self.find(&spec.key)?;
        let mut order = Map::new();
        order.insert("algorithm".into(), key.algorithm.as_str().into());
        order.insert("id".into(), spec.id.as_deref().unwrap_or(&spec.key).into());
        order.insert("scope".into(), spec.scope.as_str().into());
        order.insert("claims".into(), spec.claims.clone().into());
        order.insert("header".into(), spec.header.clone().into());
        if let Some(hash) = &spec.hash {
            order.insert("hash".into(), hash.as_str().into());
        }
        match &key.private {
            Private::Pem(pem) => order.insert("pem".into(), pem.as_str().into()),
            Private::Secret(secret) => order.insert("secret".into(), template::hex(secret).into()),
        };
        Ok(order.into())
    }
}

fn manifest(spec: &BundleSpec) -> Value {
    let mut manifest = spec.manifest.clone();
    if let Some(revision) = &spec.revision {
        let members = manifest.get_or_insert_default();
        members.insert("revision".into(), revision.as_str().into());
    }
    if !spec.declares.is_empty() {
        let members = manifest.get_or_insert_default();
        members.insert("metadata".into(), json!({"portcullis": spec.declares}));
    }
    manifest.map_or(Value::Null, Value::Object)
}

impl Pipe {
    fn bundle(&mut self, order: &Value) -> Result<Vec<u8>, String> {
        let answer = self.ask(&json!({"bundle": order}))?;
        let bundle = answer.get("bundle").and_then(Value::as_str);
        bundle
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(|| "no bundle in the answer".to_owned())
    }
}
