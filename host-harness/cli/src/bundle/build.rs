//! `portcullis bundle build`: policies and data as one archive.

use super::{
    Format,
    archive::{self, DATA, Files, MANIFEST, PATCH},
    delta,
    manifest::{Place, Written},
    opened::Opened,
    output::Output,
    signing::Signing,
};
use crate::{
    failure::{Exit, Failure},
    policy::{self, rego_value},
    terminal,
};
use clap::Args;
use glob::Pattern;
use portcullis_crypto::Hasher;
use portcullis_engine::words::DEFAULT_ENTRYPOINT;
use portcullis_gatefile::{Policies, Tests};
use portcullis_rego::{Entrypoint, Module, Policy, RegoVersion, Sources, tools::outline};
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};

/// Build a bundle of policies and data, as `opa build` does
///
/// It is checked that the policy loads. Data becomes one document, its members sorted and its numbers with
/// every digit; modules stay as they are, under their paths from DIR. The same input makes the
/// same bytes. Files whose names begin with a dot, `gate.yaml` and `*_test.rego` are left out.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis bundle build policies -o authz.tar.gz --revision \"$(git rev-parse HEAD)\" --sequence 7
  portcullis bundle build policies -o authz.tar.gz --sequence 7 \\
    --signing-key ci.pem --key-id ci --scope write
  portcullis bundle build policies -o authz-8.tar.gz --sequence 8 --delta-from authz.tar.gz")]
pub struct Build {
    /// Policies and data: folders, or files, placed as OPA places them
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
    /// What it is called in logs, such as a commit's id [default: `content-` and a hash of its content]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Below which of `data` it lies, such as `envoy/authz`; none lies elsewhere [default: all]
    #[arg(long, value_name = "PATH")]
    root: Vec<String>,
    /// The Rego that the modules are written in
    #[arg(long, value_name = "VERSION", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    rego_version: u8,
    /// A rule that gates ask, and that has to be there [default: envoy/authz/allow]
    #[arg(long, value_name = "RULE")]
    entrypoint: Vec<Entrypoint>,
    /// Leave files and folders of such a name out
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// Keep `*_test.rego`
    #[arg(long)]
    with_tests: bool,
    /// Only what changes of the data since that bundle, for gates that run it
    #[arg(long, value_name = "BUNDLE")]
    delta_from: Option<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    /// How it is said what was built
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Configurations that may stand among their policies.
const CONFIGURATIONS: [&str; 2] = ["gate.yaml", "gate.yml"];

impl Build {
    pub fn run(self) -> Result<Exit, Failure> {
        let policies = self.policies()?;
        let data = Value::Object(policies.data);
        let modules: Vec<Module> = policies
            .modules
            .into_iter()
            .map(|(path, text)| Module::new(path, text))
            .collect();
        self.check(&modules, &data)?;
        let mut files = self.content(modules, &data)?;
        let revision = match &self.revision {
            Some(revision) => revision.clone(),
            None => self.hash(&files),
        };
        let mut manifest = Written::new(&revision, &self.root, self.rego_version);
        if let Some((name, value)) = self.place.member() {
            manifest.set_own(name, value);
        }
        if let Some(old) = &self.delta_from {
            let old = Opened::read(old)?;
            let patch = delta::between(&old, &files, &data, self.version())?;
            manifest.set("roots", json!(old.manifest().roots));
            manifest.set_own("base", json!(old.manifest().revision));
            files = Files::from([(PATCH.to_owned(), patch)]);
        }
        files.insert(MANIFEST.to_owned(), manifest.into_bytes());
        self.signing.sign(&mut files)?;
        // By the gate's own reader: what it does not take is not written.
        let built = Opened::of(&self.output.output, archive::pack(&files)?)?;
        if let Some(old) = &self.delta_from {
            delta::check(&built, &Opened::read(old)?, &data)?;
        }
        self.output.write(&built.packed)?;
        terminal::print(&said(&built, self.format))?;
        Ok(Exit::Fine)
    }

    fn policies(&self) -> Result<Policies, Failure> {
        let ignored = self.ignore.iter().map(|pattern| {
            Pattern::new(pattern).map_err(|error| {
                Failure::new(format!("--ignore: `{pattern}` is no pattern: {error}"))
            })
        });
        let ignored = ignored.collect::<Result<Vec<Pattern>, Failure>>()?;
        let is_ignored = |name: &str| {
            CONFIGURATIONS.contains(&name) || ignored.iter().any(|pattern| pattern.matches(name))
        };
        let tests = match self.with_tests {
            true => Tests::Read,
            false => Tests::Skip,
        };
        let policies = Policies::read_ignoring(Path::new(""), &self.paths, tests, &is_ignored)?;
        if policies.modules.is_empty() && policies.data.is_empty() {
            return Err(Failure::new("there is neither a policy nor data in it"));
        }
        // As `init` puts one beside its policies: whoever gets the bundle would have it.
        let has = |name: &str| policies.data.contains_key(name);
        match has("kty") && (has("d") || has("k")) {
            true => Err(Failure::new(
                "there is a private key (JWK) among the data, such as dev-key.json",
            )
            .hint("give the folder of the policies alone, or --ignore dev-key.json")),
            false => Ok(policies),
        }
    }

    fn version(&self) -> RegoVersion {
        match self.rego_version {
            0 => RegoVersion::V0,
            _ => RegoVersion::V1,
        }
    }

    /// That a gate could load it, and that its packages lie below its roots.
    fn check(&self, modules: &[Module], data: &Value) -> Result<(), Failure> {
        let sources = Sources {
            modules: modules.to_vec(),
            data: rego_value(data)?,
            version: self.version(),
        };
        if modules.is_empty() {
            return Ok(());
        }
        let refused = |errors| policy::refused(errors, Path::new(""));
        for module in outline(modules, self.version()).map_err(refused)? {
            let package = module.package.strip_prefix("data.").unwrap_or_default();
            let package = package.replace('.', "/");
            if !self.is_inside(&package) {
                let message = format!("{}: package `{package}` is outside the roots", module.path);
                return Err(Failure::new(message).hint(format!("--root {package}")));
            }
        }
        let mut entrypoints = self.entrypoint.clone();
        if entrypoints.is_empty() {
            let usual = Entrypoint::parse(DEFAULT_ENTRYPOINT);
            entrypoints.push(usual.map_err(|error| Failure::new(error.to_string()))?);
        }
        Policy::load(sources, &entrypoints).map_err(refused)?;
        Ok(())
    }

    fn is_inside(&self, package: &str) -> bool {
        let is_below = |root: &String| {
            let root = root.trim_matches('/');
            let rest = package.strip_prefix(root);
            root.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.root.is_empty() || self.root.iter().any(is_below)
    }

    /// What a gate runs of it, by its names in the bundle.
    fn content(&self, modules: Vec<Module>, data: &Value) -> Result<Files, Failure> {
        let roots: Vec<String> = self.paths.iter().map(|path| plain(path)).collect();
        let mut files = Files::new();
        for Module { path, text, .. } in modules {
            let name = name_in_bundle(&path, &roots);
            if files.insert(name.to_owned(), text.into_bytes()).is_some() {
                let message = format!("there are two modules `{name}`; one is {path}");
                return Err(Failure::new(message)
                    .hint("give the folder that holds both, or name one of them otherwise"));
            }
        }
        files.insert(DATA.to_owned(), data.to_string().into_bytes());
        Ok(files)
    }

    /// Of what a gate would run: another order or signature makes no other revision.
    fn hash(&self, files: &Files) -> String {
        let mut hasher = Hasher::sha256();
        let version = self.rego_version.to_string().into_bytes();
        let roots = json!(self.root).to_string().into_bytes();
        let settings = [("roots", &roots), ("rego_version", &version)];
        let files = files.iter().map(|(name, content)| (name.as_str(), content));
        for (name, content) in settings.into_iter().chain(files) {
            hasher.update(format!("{name}\0{}\0", content.len()).as_bytes());
            hasher.update(content);
        }
        let digest = base16ct::lower::encode_string(&hasher.finish());
        let digest: String = digest.chars().take(32).collect();
        format!("content-{digest}")
    }
}

/// A path as [`Policies`] names the files below it.
fn plain(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let path: PathBuf = parts.collect();
    path.to_string_lossy().into_owned()
}

/// From the folder that was given, the nearest one of several; of a file its own name.
fn name_in_bundle<'p>(path: &'p str, roots: &[String]) -> &'p str {
    let below = roots.iter().filter_map(|root| match root.as_str() {
        "" => Some(path),
        root if root == path => path.rsplit('/').next(),
        root => path
            .strip_prefix(root.trim_end_matches('/'))?
            .strip_prefix('/'),
    });
    below.min_by_key(|name| name.len()).unwrap_or(path)
}

/// What there is to say of a bundle that was written.
pub fn said(built: &Opened, format: Format) -> String {
    let manifest = built.manifest();
    let told = built.told();
    let signed = told.as_ref().map(
        |told| json!({"key_id": told.key_id, "algorithm": told.algorithm, "scope": told.scope}),
    );
    let mut hasher = Hasher::sha256();
    hasher.update(&built.packed);
    let sha256 = base16ct::lower::encode_string(&hasher.finish());
    let (file, size) = (built.path.display().to_string(), built.packed.len());
    match format {
        Format::Json => format!(
            "{:#}",
            json!({
                "bundle": file, "revision": manifest.revision, "order": super::inspect::order(built.order()),
                "base": manifest.base, "files": built.files.len(), "size": size, "sha256": sha256,
                "signature": signed,
            })
        ),
        Format::Text => {
            let kind = match &manifest.base {
                Some(base) => format!("a delta for `{base}`, "),
                None => String::new(),
            };
            let signed = match told.and_then(|told| told.key_id) {
                Some(key_id) => format!("signed with `{key_id}`"),
                None => "not signed".to_owned(),
            };
            format!(
                "{file}: revision `{}`, {kind}order: {}, {} files, {size} bytes, {signed}",
                manifest.revision,
                super::opened::shown_order(built.order()),
                built.files.len(),
            )
        }
    }
}
