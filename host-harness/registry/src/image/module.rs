//! The module itself: what it is, and which Envoy can run it, by what it imports and exports.

use super::MOST_WASM;
use crate::{Digest, Fault, remote::shown};
use wasmparser::{Encoding, Parser, Payload, TypeRef, Validator};

/// A module that some Envoy can run.
pub struct Module {
    bytes: Vec<u8>,
    abi: &'static str,
    /// `module.name`, sorted.
    imports: Vec<String>,
    envoy: Version,
}

/// Of Envoy: 1 and this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u8);

/// The ABIs, as a module exports their names (Proxy-Wasm, "ABI versions").
const ABIS: [&str; 2] = ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"];
/// The oldest Envoy whose sources this was held against: what it has, later ones have.
const OLDEST: Version = Version(34);

impl Module {
    /// `offers` says whether every Envoy from the oldest one on has a function, by its module and name.
    ///
    /// # Errors
    /// Where it is no module, or one that no Envoy can run: by the name of what it lacks or imports.
    pub fn read(bytes: Vec<u8>, offers: impl Fn(&str, &str) -> bool) -> Result<Module, Fault> {
        if bytes.len() > MOST_WASM {
            return Err(Fault::input(
                format!("it has {} bytes", bytes.len()),
                format!("Istio and Envoy Gateway take {MOST_WASM} at most"),
            ));
        }
        let Read { imports, exports } = Read::of(&bytes)?;
        let exported = |name: &str| exports.iter().any(|export| export == name);
        let abi = ABIS.into_iter().find(|abi| exported(abi)).ok_or_else(|| {
            Fault::input(
                format!("it exports neither {}", ABIS.join(" nor ")),
                "a proxy-wasm module does: `make build` makes one",
            )
        })?;
        let mut envoy = OLDEST;
        for (module, name) in &imports {
            let since = match offers(module, name) {
                true => OLDEST,
                false => later(module, name).ok_or_else(|| {
                    Fault::input(
                        format!(
                            "it imports `{}.{}`, which no Envoy has",
                            shown(module),
                            shown(name)
                        ),
                        "Envoy then refuses to load it; a build for wasm32-wasip1 that uses no files, \
                         threads or sockets imports less",
                    )
                })?,
            };
            envoy = envoy.max(since);
        }
        let names = imports.iter();
        let mut imports: Vec<String> = names
            .map(|(module, name)| format!("{module}.{name}"))
            .collect();
        imports.sort();
        imports.dedup();
        Ok(Module {
            bytes,
            abi,
            imports,
            envoy,
        })
    }

    /// The same, of what others made: that it is none is a check that failed.
    ///
    /// # Errors
    /// As [`Module::read`].
    pub fn hold(bytes: Vec<u8>, offers: impl Fn(&str, &str) -> bool) -> Result<Module, Fault> {
        Module::read(bytes, offers).map_err(|fault| match fault {
            Fault::Input { what, .. } => Fault::Refused(format!("its module is no gate: {what}")),
            other => other,
        })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// By the name of the export that says so.
    pub fn abi(&self) -> &'static str {
        self.abi
    }

    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The Envoys that have all it imports, such as `>=1.34`.
    pub fn envoy(&self) -> String {
        format!(">=1.{}", self.envoy.0)
    }
}

/// What not every Envoy has, and since when: found by loading a module that imports it, and nothing else,
/// into an Envoy 1.40, while those up to 1.37 have none of it.
fn later(module: &str, name: &str) -> Option<Version> {
    let is_wasi = matches!(module, "wasi_snapshot_preview1" | "wasi_unstable");
    (is_wasi && IN_1_40.contains(&name)).then_some(Version(40))
}

/// Not `path_link` and `path_symlink`: that Envoy has them with other types than WASI gives them.
const IN_1_40: &[&str] = &[
    "clock_res_get",
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_pwrite",
    "fd_readdir",
    "fd_renumber",
    "fd_sync",
    "fd_tell",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_unlink_file",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

struct Read {
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

impl Read {
    fn of(bytes: &[u8]) -> Result<Read, Fault> {
        const HINT: &str = "`make build` makes target/wasm32-wasip1/release/portcullis.wasm";
        let is_none = |why: String| Fault::input(format!("it is no wasm module: {why}"), HINT);
        if !bytes.starts_with(b"\0asm") {
            return Err(is_none("it does not begin as one".into()));
        }
        let mut read = Read {
            imports: Vec::new(),
            exports: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(bytes) {
            let broken = |error: wasmparser::BinaryReaderError| {
                is_none(format!("{} at byte {}", error.message(), error.offset()))
            };
            match payload.map_err(broken)? {
                Payload::Version {
                    encoding: Encoding::Component,
                    ..
                } => {
                    return Err(Fault::input(
                        "it is a component, and Envoy runs modules",
                        HINT,
                    ));
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(broken)?;
                        if !matches!(import.ty, TypeRef::Func(_)) {
                            return Err(Fault::input(
                                format!(
                                    "it imports `{}.{}`, which is no function: Envoy has none else",
                                    shown(import.module),
                                    shown(import.name)
                                ),
                                HINT,
                            ));
                        }
                        let names = (import.module.to_owned(), import.name.to_owned());
                        read.imports.push(names);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        read.exports.push(export.map_err(broken)?.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Validator::new()
            .validate_all(bytes)
            .map_err(|error| is_none(format!("{} at byte {}", error.message(), error.offset())))?;
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A module with these imports, of functions or of globals, and this export.
    fn made(imports: &[(&str, &str, u8)], export: &str) -> Vec<u8> {
        fn length(of: usize) -> u8 {
            u8::try_from(of).ok().filter(|it| *it < 0x80).unwrap()
        }
        fn named(name: &str) -> Vec<u8> {
            [&[length(name.len())], name.as_bytes()].concat()
        }
        fn section(id: u8, count: usize, items: Vec<u8>) -> Vec<u8> {
            let inside = [vec![length(count)], items].concat();
            // Two bytes of LEB128 hold more than these have.
            let size = inside.len();
            let head = [
                id,
                u8::try_from(size % 128).unwrap() | 0x80,
                length(size / 128),
            ];
            [&head[..], &inside].concat()
        }
        let imported = imports.iter().flat_map(|(module, name, kind)| {
            // A function of type 0, or a constant global of i32.
            let what: &[u8] = if *kind == 0 { &[0, 0] } else { &[3, 0x7f, 0] };
            [named(module), named(name), what.to_vec()].concat()
        });
        let functions = imports.iter().filter(|(.., kind)| *kind == 0).count();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, 1, vec![0x60, 0, 0]),
            section(2, imports.len(), imported.collect()),
            section(3, 1, vec![0]),
            section(7, 1, [named(export), vec![0, length(functions)]].concat()),
            section(10, 1, vec![2, 0, 0x0b]),
        ]
        .concat()
    }

    fn read(imports: &[(&str, &str, u8)]) -> Result<Module, Fault> {
        let offers = |module: &str, name: &str| (module, name) == ("env", "proxy_log");
        Module::read(made(imports, ABIS[0]), offers)
    }

    const WASI: &str = "wasi_snapshot_preview1";

    #[test]
    fn the_envoys_that_run_a_module_follow_from_its_imports() {
        let module = read(&[("env", "proxy_log", 0)]).unwrap();
        assert_eq!((module.abi(), &*module.envoy()), (ABIS[0], ">=1.34"));
        assert_eq!(module.imports(), ["env.proxy_log"]);
        let module = read(&[(WASI, "fd_tell", 0), ("env", "proxy_log", 0)]).unwrap();
        assert_eq!(module.envoy(), ">=1.40");
        assert_eq!(
            module.imports(),
            ["env.proxy_log", "wasi_snapshot_preview1.fd_tell"]
        );
    }

    #[test]
    fn what_no_envoy_has_is_refused_by_its_name() {
        for (imports, wanted) in [
            (
                ("env", "proxy_launch", 0),
                "`env.proxy_launch`, which no Envoy has",
            ),
            ((WASI, "path_link", 0), "`wasi_snapshot_preview1.path_link`"),
            (("wasi:io", "fd_tell", 0), "`wasi:io.fd_tell`"),
            (
                ("env", "proxy_log", 3),
                "`env.proxy_log`, which is no function",
            ),
        ] {
            let fault = read(&[imports]).err().unwrap();
            assert!(fault.to_string().contains(wanted), "{fault}");
            assert!(fault.hint().is_some());
        }
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let whole = made(&[], ABIS[0]);
        let component = b"\0asm\x0d\0\x01\0".to_vec();
        let mut broken = whole.clone();
        // The function's body ends with another instruction.
        *broken.last_mut().unwrap() = 0;
        for (bytes, wanted) in [
            (Vec::new(), "does not begin as one"),
            (b"#!/bin/sh".to_vec(), "does not begin as one"),
            (whole[..whole.len() - 1].to_vec(), "at byte"),
            (broken, "at byte"),
            (component, "it is a component"),
            (made(&[], "proxy_abi_version_0_1_0"), "exports neither"),
        ] {
            let fault = Module::read(bytes, |_, _| true).err().unwrap();
            assert!(fault.to_string().contains(wanted), "{fault}");
        }
    }
}
