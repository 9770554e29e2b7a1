//! A scenario made ready for every subject: templates expanded, tokens minted, the configuration
//! read as the command reads it.

use crate::{
    On, body,
    certificates::Authority,
    error::Error,
    folder::Scenario,
    keys::Keyring,
    proof::Proof,
    scenario::{Case, Expect, HeaderLines, HeaderText, Mtls, OneOrMany, Replacement, RequestSpec},
    servers::Changes,
    subject::{Exchange, Framing, Tls},
    template::{self, Names},
    token::{Minters, Purse},
};
use portcullis_gatefile::GateFile;
use std::{cell::RefCell, fs, path::Path};

pub struct Prepared<'a> {
    pub scenario: &'a Scenario,
    /// What the filter takes: JSON, with `policy.path` resolved.
    pub document: Vec<u8>,
    /// Of each case, in order.
    pub exchanges: Vec<Exchange>,
    /// The cases, with the templates in what they expect expanded.
    pub cases: Vec<Case>,
    /// What the servers begin with, and what they do otherwise from each case on.
    pub(crate) servers: Changes,
    pub(crate) before: Vec<Changes>,
    pub(crate) mtls: Option<Listener>,
    /// What each case's upstream is shown.
    pub(crate) proofs: Vec<Proof>,
}

/// An mTLS listener's side, as PEM.
pub(crate) struct Listener {
    pub mtls: Mtls,
    pub certificate: String,
    pub key: String,
    pub trusted: String,
}

impl<'a> Prepared<'a> {
    pub fn new(
        scenario: &'a Scenario,
        keyring: &Keyring,
        authority: &Authority,
        minters: &RefCell<Minters>,
        now: u64,
    ) -> Result<Prepared<'a>, Error> {
        let named = |error: Error| Error::Scenario(scenario.name.clone(), error.to_string());
        let purse = Purse::new(scenario, keyring, authority, minters, now).map_err(named)?;
        let gate = template::document(&purse, &scenario.gate).map_err(named)?;
        let document = rendered(scenario, &gate)?;
        let mtls = scenario.file.envoy.mtls.map(|mtls| Listener {
            mtls,
            certificate: authority.server_pem.clone(),
            key: authority.server_key_pem.clone(),
            trusted: authority.pem.clone(),
        });
        let nobody = match mtls {
            Some(_) => Some(authority.nobody().map_err(named)?),
            None => None,
        };
        let mut cases = scenario.file.cases.clone();
        let all = std::iter::once(&scenario.file.servers);
        let all = all.chain(cases.iter().map(|case| &case.before));
        let changes = all.map(|servers| Changes::new(&purse, servers));
        let mut changes = match changes.collect::<Result<Vec<_>, _>>() {
            Err(error @ Error::Unminted(..)) => {
                for case in &mut cases {
                    case.skipped_everywhere(&error.to_string());
                }
                Vec::new()
            }
            changes => changes.map_err(named)?,
        }
        .into_iter();
        let servers = changes.next().unwrap_or_default();
        let before = changes.collect();
        let proofs = cases
            .iter()
            .map(|case| Proof::new(&case.expect.upstream, |name| purse.find(name)));
        let proofs = proofs.collect::<Result<_, _>>().map_err(named)?;
        let mut exchanges = Vec::new();
        for case in &mut cases {
            if case.request.shown.iter().next().is_some() {
                let why = "Envoy shows a filter none of what the case adds".to_owned();
                case.skip
                    .entry(On::Envoy.as_str().to_owned())
                    .or_insert(why);
            }
            let ready = exchange(scenario, &purse, nobody.as_ref(), &case.request)
                .and_then(|exchange| signed(&purse, &case.request, exchange))
                .and_then(|exchange| expand(&purse, &mut case.expect).map(|()| exchange));
            exchanges.push(match ready {
                Ok(exchange) => exchange,
                Err(error @ Error::Unminted(..)) => {
                    case.skipped_everywhere(&error.to_string());
                    exchange(scenario, &purse, nobody.as_ref(), &RequestSpec::default())?
                }
                Err(error) => {
                    let place = format!("{}: {}", scenario.name, case.name);
                    return Err(Error::Scenario(place, error.to_string()));
                }
            });
        }
        Ok(Prepared {
            scenario,
            document,
            exchanges,
            cases,
            servers,
            before,
            mtls,
            proofs,
        })
    }
}

impl Case {
    fn skipped_everywhere(&mut self, why: &str) {
        for on in On::ALL {
            self.skip.insert(on.as_str().to_owned(), why.to_owned());
        }
    }
}

fn expand(names: &dyn Names, expect: &mut Expect) -> Result<(), Error> {
    for text in expect.headers.values_mut().flatten() {
        *text = template::text(names, text)?;
    }
    let upstream = &mut expect.upstream;
    let headers = upstream
        .headers
        .values_mut()
        .flat_map(OneOrMany::values_mut);
    for text in headers.chain(&mut upstream.path) {
        *text = template::text(names, text)?;
    }
    Ok(())
}

/// Reads the folder as a user's, which has no `cases.yaml` among the policy's data.
fn rendered(scenario: &Scenario, gate: &str) -> Result<Vec<u8>, Error> {
    let failed = |message: String| Error::Scenario(scenario.name.clone(), message);
    let unwritten = |error: std::io::Error| failed(error.to_string());
    let folder = tempfile::tempdir().map_err(unwritten)?;
    copy(&scenario.folder, folder.path()).map_err(unwritten)?;
    let file = folder.path().join("gate.yaml");
    fs::write(&file, gate).map_err(unwritten)?;
    let read = GateFile::read(&file).map_err(|findings| failed(findings.to_string()))?;
    Ok(read.document.to_string().into_bytes())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir(&target)?;
            copy(&path, &target)?;
        } else if entry.file_name() != "cases.yaml" {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Adds the signatures that the case asks for, then changes what it says is changed after them.
fn signed(
    purse: &Purse<'_>,
    spec: &RequestSpec,
    mut exchange: Exchange,
) -> Result<Exchange, Error> {
    for order in spec.hmac.as_slice() {
        let value = purse.mac(order, &exchange.body)?;
        exchange
            .lines
            .push((order.header.clone(), value.into_bytes()));
    }
    for order in spec.sign.as_slice() {
        let [input, signature] = purse.sign_request(order, &exchange)?;
        let fields = [("signature-input", input), ("signature", signature)];
        let lines = fields.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        exchange.lines.extend(lines);
    }
    let then = &spec.then;
    if let Some(method) = &then.method {
        exchange.method.clone_from(method);
    }
    if let Some(path) = &then.path {
        exchange.path = template::text(purse, path)?;
    }
    let lines = &mut exchange.lines;
    if let Some(body) = &then.body {
        exchange.body = template::text(purse, body)?.into_bytes();
        for (_, value) in lines
            .iter_mut()
            .filter(|(name, _)| name == "content-length")
        {
            *value = exchange.body.len().to_string().into_bytes();
        }
    }
    for (name, value) in &then.set {
        let value = template::text(purse, value)?.into_bytes();
        match lines.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => *old = value,
            None => lines.push((name.clone(), value)),
        }
    }
    for (name, value) in &then.add {
        lines.push((name.clone(), template::text(purse, value)?.into_bytes()));
    }
    lines.retain(|(name, _)| !then.remove.contains(name));
    for Replacement { header, from, to } in &then.replace {
        let (from, to) = (template::text(purse, from)?, template::text(purse, to)?);
        let mut found = false;
        for (_, value) in lines.iter_mut().filter(|(name, _)| name == header) {
            let text = String::from_utf8_lossy(value).into_owned();
            found |= text.contains(&from);
            *value = text.replace(&from, &to).into_bytes();
        }
        if !found {
            let message = format!("`{header}` does not hold `{from}`");
            return Err(Error::Token("then.replace".into(), message));
        }
    }
    Ok(exchange)
}

fn exchange(
    scenario: &Scenario,
    names: &Purse<'_>,
    nobody: Option<&Tls>,
    spec: &RequestSpec,
) -> Result<Exchange, Error> {
    let mut lines = vec![("host".to_owned(), spec.host.clone().into_bytes())];
    if let Some(token) = &spec.bearer {
        let value = format!("Bearer {}", names.token(token)?);
        lines.push(("authorization".to_owned(), value.into_bytes()));
    }
    lines.extend(expanded(names, &spec.headers)?);
    if let Some(padding) = spec.padding {
        for index in 0..padding.count {
            lines.push((format!("x-padding-{index}"), vec![b'p'; padding.bytes]));
        }
    }
    let (body, framing) = match &spec.body {
        None => (Vec::new(), Framing::default()),
        Some(spec) => body::read(names, spec, &mut lines)?,
    };
    let path = template::text(names, &spec.path)?;
    let envoy = &scenario.file.envoy;
    let route = envoy
        .routes
        .iter()
        .find(|route| path.starts_with(&route.prefix));
    Ok(Exchange {
        method: spec.method.clone(),
        route: route.map_or(CATCH_ALL, |route| &route.name).to_owned(),
        virtual_host: envoy
            .virtual_host
            .as_deref()
            .unwrap_or(VIRTUAL_HOST)
            .to_owned(),
        route_metadata: route
            .map(|route| route.metadata.clone().into_iter().collect())
            .unwrap_or_default(),
        path,
        lines,
        shown: expanded(names, &spec.shown)?,
        body,
        framing,
        tls: client(names, nobody, spec)?,
    })
}

fn client(
    purse: &Purse<'_>,
    nobody: Option<&Tls>,
    spec: &RequestSpec,
) -> Result<Option<Tls>, Error> {
    let client = match (nobody, &spec.certificate) {
        (nobody, None) => nobody,
        (Some(_), Some(name)) => Some(purse.client(name)?),
        (None, Some(name)) => {
            let message = "is shown to a listener without `envoy: {mtls: ...}`";
            return Err(Error::Certificate(name.clone(), message.to_owned()));
        }
    };
    Ok(client.map(|client| Tls {
        resumed: spec.resumed,
        ..client.clone()
    }))
}

fn expanded(names: &dyn Names, lines: &HeaderLines) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let expand = |(name, value): (&str, &HeaderText)| {
        let value = match value {
            HeaderText::Text(text) => template::text(names, text)?.into_bytes(),
            HeaderText::Hex { hex } => template::from_hex(hex).ok_or_else(|| Error::Template {
                template: hex.clone(),
                message: "is not hexadecimal".into(),
            })?,
        };
        Ok((template::text(names, name)?, value))
    };
    lines.iter().map(expand).collect()
}

/// What Envoy calls the route, and the virtual host, where a scenario does not say.
pub const CATCH_ALL: &str = "all";
pub const VIRTUAL_HOST: &str = "scenario";
