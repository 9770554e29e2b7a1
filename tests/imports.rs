//! `portcullis.wasm` imports what Envoy up to 1.37 has and nothing else. Newer ones take more, so
//! running it there does not catch a mistake.

use portcullis_host::{HOSTCALLS, Module, UNIMPLEMENTED, WASI_FUNCTIONS};

#[test]
fn the_module_imports_only_what_every_envoy_has() {
    let file = portcullis_tests::module();
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `make build` makes it", file.display()));
    // Compiling checks too; this says which one it is, and that the lists are not empty.
    let module = Module::compile(&bytes).unwrap();
    assert_eq!(WASI_FUNCTIONS.len(), 18);
    let imports = module.imports();
    assert!(
        imports.iter().any(|import| import == "env.proxy_log"),
        "{imports:?}"
    );
    for import in imports {
        let known = match import.split_once('.') {
            Some(("wasi_snapshot_preview1", name)) => WASI_FUNCTIONS.contains(&name),
            Some(("env", name)) => HOSTCALLS.contains(&name) || UNIMPLEMENTED.contains(&name),
            _ => false,
        };
        assert!(known, "`{import}` is nothing that every Envoy has");
    }
}
