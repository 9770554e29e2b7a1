//! A module, compiled once and checked against what Envoy would load.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::{Config, Engine, InstancePre, Linker};

use crate::abi;
use crate::error::ModuleError;
use crate::host::Host;
use crate::wasi;

/// Clones share the compiled code: starting a fresh [`Vm`](crate::Vm) from it is cheap.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    engine: Engine,
    pre: InstancePre<Host>,
    imports: Vec<String>,
    ticking: OnceLock<()>,
}

/// How finely time limits are kept.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Functions of emscripten's that Envoy also gives.
const EMSCRIPTEN: &[&str] = &["pthread_equal", "emscripten_notify_memory_growth"];

impl Module {
    /// Takes binary modules; those of the ABI 0.2.0 and 0.2.1.
    pub fn compile(bytes: &[u8]) -> Result<Self, ModuleError> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // As much as V8 gives; wasmtime's own default is half of it.
        config.max_wasm_stack(1 << 20);
        config.wasm_memory64(false);
        let engine =
            Engine::new(&config).map_err(|error| ModuleError::Compile(error.to_string()))?;
        let module = wasmtime::Module::from_binary(&engine, bytes)
            .map_err(|error| ModuleError::Compile(format!("{error:#}")))?;
        let imports: Vec<String> = module
            .imports()
            .map(|import| format!("{}.{}", import.module(), import.name()))
            .collect();
        let refused: Vec<String> = module
            .imports()
            .filter(|import| !is_known(import.module(), import.name()))
            .map(|import| format!("{}.{}", import.module(), import.name()))
            .collect();
        if !refused.is_empty() {
            return Err(ModuleError::Imports(refused));
        }
        check_exports(&module)?;
        let pre = link(&engine)
            .and_then(|linker| linker.instantiate_pre(&module))
            .map_err(|error| ModuleError::Link(format!("{error:#}")))?;
        Ok(Self(Arc::new(Inner {
            engine,
            pre,
            imports,
            ticking: OnceLock::new(),
        })))
    }

    /// As `module.name`, in the module's order.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn pre(&self) -> &InstancePre<Host> {
        &self.0.pre
    }

    /// Advances the engine's epoch for as long as somebody holds the module.
    pub(crate) fn keep_time(&self) {
        self.0.ticking.get_or_init(|| {
            let engine = self.0.engine.weak();
            std::thread::spawn(move || {
                while let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            });
        });
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("imports", &self.0.imports)
            .finish_non_exhaustive()
    }
}

/// Whether every Envoy from 1.34 on has a function, by the module and the name of an import.
pub fn is_known(module: &str, name: &str) -> bool {
    match module {
        "env" => {
            abi::HOSTCALLS.contains(&name)
                || abi::UNIMPLEMENTED.contains(&name)
                || EMSCRIPTEN.contains(&name)
        }
        module => wasi::MODULES.contains(&module) && wasi::WASI_FUNCTIONS.contains(&name),
    }
}

fn check_exports(module: &wasmtime::Module) -> Result<(), ModuleError> {
    let has = |name: &str| module.get_export(name).is_some();
    if !has("proxy_abi_version_0_2_1") && !has("proxy_abi_version_0_2_0") {
        return Err(ModuleError::Export("proxy_abi_version_0_2_1"));
    }
    if !has("memory") {
        return Err(ModuleError::Export("memory"));
    }
    if !has("malloc") && !has("proxy_on_memory_allocate") {
        return Err(ModuleError::Export("proxy_on_memory_allocate"));
    }
    Ok(())
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    abi::link(&mut linker)?;
    abi::link_unimplemented(&mut linker)?;
    wasi::link(&mut linker)?;
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| {
        u32::from(left == right)
    })?;
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_memory: u32| ())?;
    Ok(linker)
}
