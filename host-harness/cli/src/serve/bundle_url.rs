//! `--bundle-url URL`: the configuration's bundle, from a server of one's own.

use super::wire;
use crate::failure::Failure;
use hyper::Uri;
use serde_json::{Value, json};

/// What the filter knows the server by.
const CLUSTER: &str = "bundle-url";

/// Where the bundle is.
pub struct BundleUrl {
    authority: String,
    path: String,
    /// As `--cluster` takes it.
    pub cluster: String,
}

impl BundleUrl {
    pub fn parse(url: &str) -> Result<BundleUrl, Failure> {
        let wrong = |why: String| {
            Failure::new(format!("--bundle-url: {why}"))
                .hint("a URL with a path, such as http://127.0.0.1:8888/authz.tar.gz")
        };
        let no_url = || wrong(format!("found `{}`, which is no URL", url.escape_debug()));
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(no_url());
        };
        let base = format!("{scheme}://{authority}");
        wire::base(&base).map_err(wrong)?;
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        if path == "/" {
            let why = format!("found `{}`, which has no path", url.escape_debug());
            return Err(wrong(why));
        }
        Ok(BundleUrl {
            authority: authority.to_string(),
            path: path.to_owned(),
            cluster: format!("{CLUSTER}={base}"),
        })
    }

    /// Has the document's bundle come from here: whose it must be, and how it is taken, stays as it
    /// stands. One that stands nowhere is asked for every second or two, since somebody is looking.
    pub fn edit(&self, document: &mut Value) {
        let Some(document) = document.as_object_mut() else {
            return;
        };
        let policy = document.entry("policy").or_insert_with(|| json!({}));
        let Some(policy) = policy.as_object_mut() else {
            return;
        };
        let poll = json!({"poll": {"min": "1s", "max": "2s"}});
        let bundle = policy.entry("bundle").or_insert(poll);
        if let Some(bundle) = bundle.as_object_mut() {
            let own = [
                ("cluster", CLUSTER),
                ("authority", &self.authority),
                ("path", &self.path),
            ];
            for (name, value) in own {
                bundle.insert(name.to_owned(), value.into());
            }
        }
    }
}
