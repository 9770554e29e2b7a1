//! The layouts of wasm modules in registries, and which of them a mesh takes: the rules of Istio's and
//! Envoy Gateway's image fetchers, which are the same (Istio's `pkg/wasm/imagefetcher.go`).

use super::{
    DOCKER_LAYER, DOCKER_MANIFEST, LAYER, Manifest, WASM_CONFIGURATION, WASM_CONTENT,
    manifest::Descriptor,
};
use crate::{Fault, remote::shown};

/// How the module lies in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in Docker's own format: `plugin.wasm` in the last layer. It is read and never written.
    Docker,
    /// `plugin.wasm` in the last layer of an OCI image, which every registry and engine takes.
    Compat,
    /// Two layers, of which one is the module as it is.
    Oci,
}

/// Layers of an image: engines stop at 127, and nobody needs more than one.
const MOST_LAYERS: usize = 16;

impl Layout {
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Docker => "docker",
            Layout::Compat => "compat",
            Layout::Oci => "oci",
        }
    }

    /// Which one it is, and the layer that has the module.
    ///
    /// # Errors
    /// A mesh would not take it: why, and what it is as far as it is known.
    pub fn of(manifest: &Manifest) -> Result<(Layout, &Descriptor), Fault> {
        if manifest.layers.len() > MOST_LAYERS {
            return Err(Fault::Refused(format!(
                "it has {} layers, and {MOST_LAYERS} at most are read",
                manifest.layers.len()
            )));
        }
        let last = manifest.layers.last();
        if manifest.media_type.as_deref() == Some(DOCKER_MANIFEST) {
            return match last {
                Some(last) if last.media_type == DOCKER_LAYER => Ok((Layout::Docker, last)),
                _ => Err(refused(manifest)),
            };
        }
        let of = |wanted: &str| {
            let mut layers = manifest.layers.iter();
            layers.find(|layer| layer.media_type == wanted)
        };
        match last {
            Some(last) if last.media_type == LAYER => {
                return match of(WASM_CONTENT).or(of(WASM_CONFIGURATION)) {
                    None => Ok((Layout::Compat, last)),
                    // Where Istio cannot read the last layer it takes the one that is the module as it is:
                    // what its reader makes of an archive must not decide which code runs.
                    Some(other) => Err(Fault::Refused(format!(
                        "it has two layouts: its last layer is `{LAYER}`, and it has `{}` too",
                        other.media_type
                    ))),
                };
            }
            _ => {}
        }
        match (
            manifest.layers.len(),
            of(WASM_CONTENT),
            of(WASM_CONFIGURATION),
        ) {
            (2, Some(module), Some(_)) => Ok((Layout::Oci, module)),
            _ => Err(refused(manifest)),
        }
    }
}

/// Other layouts in the field, by their layers.
const FOREIGN: [(&str, &str); 2] = [
    ("application/wasm", "the CNCF's layout for components"),
    (
        "application/vnd.wasm.content.layer.v1+wasm",
        "the layout of wasm-to-oci",
    ),
];

fn refused(manifest: &Manifest) -> Fault {
    let layers = &manifest.layers;
    let of = |wanted: &str| layers.iter().any(|layer| layer.media_type == wanted);
    let known = FOREIGN.iter().find(|(layer, _)| of(layer));
    let what = match (known, layers.last()) {
        (Some((layer, name)), _) => format!("it has {name} (`{layer}`)"),
        (None, None) => "it has no layer".to_owned(),
        (None, Some(_)) if of(WASM_CONTENT) => format!(
            "it has {} layers, and the layout with `{WASM_CONTENT}` has two: that, and \
             `{WASM_CONFIGURATION}`",
            layers.len()
        ),
        (None, Some(last)) => format!("its last layer is `{}`", shown(&last.media_type)),
    };
    Fault::Refused(format!("Istio and Envoy Gateway refuse it: {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::image::CONFIGURATION;

    fn of(media_type: &str, layers: &[&str]) -> Result<(Layout, String), String> {
        let descriptor = |kind: &&str| Descriptor::of(kind, kind.as_bytes());
        let mut manifest = Manifest::new(
            descriptor(&CONFIGURATION),
            layers.iter().map(descriptor).collect(),
        );
        manifest.media_type = Some(media_type.to_owned());
        match Layout::of(&manifest) {
            Ok((layout, module)) => Ok((layout, module.media_type.clone())),
            Err(fault) => Err(fault.to_string()),
        }
    }

    #[test]
    fn what_a_mesh_takes_is_taken_and_nothing_else() {
        const OCI: &str = super::super::MANIFEST;
        let good: [(&str, &[&str], Layout, &str); 6] = [
            (OCI, &[LAYER], Layout::Compat, LAYER),
            (OCI, &["x/base", LAYER], Layout::Compat, LAYER),
            (
                OCI,
                &[WASM_CONTENT, WASM_CONFIGURATION],
                Layout::Oci,
                WASM_CONTENT,
            ),
            (
                OCI,
                &[WASM_CONFIGURATION, WASM_CONTENT],
                Layout::Oci,
                WASM_CONTENT,
            ),
            (
                DOCKER_MANIFEST,
                &[DOCKER_LAYER],
                Layout::Docker,
                DOCKER_LAYER,
            ),
            (
                DOCKER_MANIFEST,
                &[LAYER, DOCKER_LAYER],
                Layout::Docker,
                DOCKER_LAYER,
            ),
        ];
        for (kind, layers, layout, module) in good {
            assert_eq!(
                of(kind, layers),
                Ok((layout, module.to_owned())),
                "{layers:?}"
            );
        }
        let bad: [(&str, &[&str], &str); 8] = [
            (OCI, &[], "it has no layer"),
            (OCI, &[LAYER, "x/last"], "its last layer is `x/last`"),
            (OCI, &[DOCKER_LAYER], "its last layer is"),
            (DOCKER_MANIFEST, &[LAYER], "its last layer is"),
            (OCI, &["application/wasm"], "the CNCF's layout"),
            (
                OCI,
                &[
                    "application/vnd.wasm.content.layer.v1+wasm",
                    "application/vnd.wasm.config.v1+json",
                ],
                "wasm-to-oci",
            ),
            (OCI, &[WASM_CONTENT], "it has 1 layers"),
            (
                OCI,
                &[WASM_CONTENT, WASM_CONFIGURATION, "x/more"],
                "it has 3 layers",
            ),
        ];
        for (kind, layers, wanted) in bad {
            let why = of(kind, layers).unwrap_err();
            assert!(why.contains("Istio and Envoy Gateway refuse it"), "{why}");
            assert!(why.contains(wanted), "{layers:?}: {why}");
        }
        for kind in [WASM_CONTENT, WASM_CONFIGURATION] {
            let why = of(OCI, &[kind, LAYER]).unwrap_err();
            assert!(why.contains("it has two layouts"), "{kind}: {why}");
        }
        assert!(of(OCI, &[LAYER; 17]).unwrap_err().contains("17 layers"));
    }
}
