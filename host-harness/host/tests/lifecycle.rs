//! Loading, starting, configuring, trapping, and the limits of a VM.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod guest;

use std::time::{Duration, Instant};

use guest::{Guest, import, module, plugin, refused, request, start};
use portcullis_host::{
    ConfigureError, Module, ModuleError, Outcome, Vm, VmError, VmOptions, WASI_FUNCTIONS,
};

const ABI: &str = r#"(func (export "proxy_abi_version_0_2_1"))"#;
const MEMORY: &str = r#"(memory (export "memory") 1)"#;
const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) (i32.const 8))"#;

fn compile(parts: &[&str]) -> Result<Module, ModuleError> {
    let wat = format!("(module {})", parts.concat());
    Module::compile(&wat::parse_str(wat).expect("valid WAT"))
}

#[test]
fn vms_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Vm>();
    is_send::<Module>();
}

#[test]
fn a_module_is_refused_by_what_it_imports() {
    let imports = [
        import("env", "proxy_log", "a", "iii"),
        import("env", "proxy_teleport", "b", "i"),
        import("wasi_snapshot_preview1", "sock_accept", "c", "iii"),
        import("wasi_snapshot_preview2", "fd_write", "d", "iiii"),
    ];
    let parts: Vec<&str> = imports.iter().map(String::as_str).collect();
    let error = compile(&parts).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "the module imports what Envoy does not have: `env.proxy_teleport`, \
         `wasi_snapshot_preview1.sock_accept`, `wasi_snapshot_preview2.fd_write`; it has the 18 WASI functions and the \
         hostcalls of proxy-wasm 0.2.1"
    );
}

#[test]
fn there_are_18_wasi_functions() {
    assert_eq!(WASI_FUNCTIONS.len(), 18);
}

#[test]
fn a_module_is_refused_by_what_it_lacks() {
    let cases: [(&[&str], &str); 3] = [
        (&[MEMORY, MALLOC], "proxy_abi_version_0_2_1"),
        (&[ABI, MALLOC], "memory"),
        (&[ABI, MEMORY], "proxy_on_memory_allocate"),
    ];
    for (parts, missing) in cases {
        match compile(parts) {
            Err(ModuleError::Export(name)) => assert_eq!(name, missing),
            other => panic!("{missing}: {other:?}"),
        }
    }
    let mistyped = import("env", "proxy_log", "log", "i");
    let error = compile(&[&mistyped, ABI, MEMORY, MALLOC]).expect_err("a refusal");
    assert!(matches!(error, ModuleError::Link(_)), "{error}");
    assert!(matches!(
        Module::compile(b"not wasm"),
        Err(ModuleError::Compile(_))
    ));
}

#[test]
fn a_module_lists_its_imports() {
    let write = import("wasi_snapshot_preview1", "fd_write", "w", "iiii");
    let module = compile(&[&write, ABI, MEMORY, MALLOC]).expect("a module");
    assert_eq!(module.imports(), ["wasi_snapshot_preview1.fd_write"]);
}

#[test]
fn initialising_may_log_and_call_basic_wasi_only() {
    let run = |body: &str| {
        let module = Module::compile(&module(&[("_initialize", body)])).expect("a module");
        start(&module, VmOptions::default()).map(|_| ())
    };
    assert_eq!(run("(drop (call $log (i32.const 2) {hi}))"), Ok(()));
    assert_eq!(
        run("(drop (call $random_get (i32.const 0) (i32.const 8)))"),
        Ok(())
    );
    for (name, body) in [
        ("proxy_get_property", "(drop (call $get_property {x} @R))"),
        (
            "proxy_http_call",
            "(drop (call $http_call {} {} {} {} (i32.const 0) (i32.const 0)))",
        ),
        ("fd_close", "(drop (call $fd_close (i32.const 1)))"),
    ] {
        let error = run(body).expect_err("a trap").to_string();
        assert!(
            error.contains(&format!("`{name}` was called during `_initialize`")),
            "{error}"
        );
    }
}

#[test]
fn a_refused_configuration_says_what_the_guest_logged() {
    let error = refused(&[(
        "proxy_on_configure",
        "(drop (call $log (i32.const 4) {policy: none})) (i32.const 0)",
    )]);
    assert!(matches!(error, ConfigureError::Refused { .. }));
    assert_eq!(
        error.to_string(),
        "`proxy_on_configure` answered false\n  [error] policy: none"
    );
    let error = refused(&[("proxy_on_vm_start", "(i32.const 0)")]);
    assert!(matches!(error, ConfigureError::Start { .. }), "{error}");
    let error = refused(&[("proxy_on_configure", "(unreachable)")]);
    assert!(matches!(error, ConfigureError::Vm { .. }), "{error}");
}

#[test]
fn one_vm_takes_several_plugins() {
    let callbacks = [(
        "proxy_on_request_headers",
        "(drop (call $get_property {plugin_name} @R)) (call $show) (i32.const 0)",
    )];
    let mut guest = Guest::new(&callbacks);
    let mut other = plugin();
    other.name = "another".to_owned();
    let other = guest.vm.configure(other).expect("a second plugin");
    let stream = guest
        .vm
        .open_stream(other, Default::default())
        .expect("a stream");
    for stream in [guest.stream, stream] {
        assert_eq!(
            guest.vm.request_headers(stream, request(), true),
            Ok(Outcome::Continue)
        );
    }
    assert_eq!(guest.logs(), ["gate", "another"]);
}

#[test]
fn a_plugin_shuts_down_at_once_or_when_it_says_so() {
    let mut guest = Guest::new(&[("proxy_on_delete", "(call $status (local.get 0))")]);
    assert_eq!(guest.vm.shutdown(guest.plugin), Ok(true));
    assert_eq!(guest.logs(), ["1"]);
    assert_eq!(guest.vm.tick(guest.plugin), Err(VmError::UnknownPlugin));

    let mut guest = Guest::new(&[
        ("proxy_on_done", "(i32.const 0)"),
        ("proxy_on_tick", "(call $status (call $done))"),
    ]);
    assert_eq!(guest.vm.shutdown(guest.plugin), Ok(false));
    guest.vm.tick(guest.plugin).expect("a tick");
    assert_eq!(guest.logs(), ["0"]);
    assert_eq!(guest.vm.tick(guest.plugin), Err(VmError::UnknownPlugin));
}

#[test]
fn a_trap_kills_the_vm_for_good_and_a_fresh_one_starts() {
    let compiled = Module::compile(&module(&[("proxy_on_request_headers", "(unreachable)")]))
        .expect("a module");
    for _ in 0..2 {
        let (mut vm, _) = start(&compiled, VmOptions::default()).expect("a VM");
        let id = vm.configure(plugin()).expect("a plugin");
        let stream = vm.open_stream(id, Default::default()).expect("a stream");
        let bystander = vm.open_stream(id, Default::default()).expect("a stream");
        match vm.request_headers(stream, request(), true) {
            Err(VmError::Trap { callback, reason }) => {
                assert_eq!(callback, "proxy_on_request_headers");
                assert!(reason.contains("unreachable"), "{reason}");
            }
            other => panic!("no trap: {other:?}"),
        }
        assert!(vm.dead().is_some());
        let after = vm.request_headers(bystander, request(), true);
        assert!(matches!(after, Err(VmError::Dead(_))), "{after:?}");
        assert!(matches!(
            vm.open_stream(id, Default::default()),
            Err(VmError::Dead(_))
        ));
        assert!(matches!(vm.close(stream), Err(VmError::Dead(_))));
        assert_eq!(
            vm.close(stream),
            Err(VmError::UnknownStream),
            "closed all the same"
        );
    }
}

#[test]
fn a_trapping_allocator_is_a_trap_and_one_that_lies_is_a_status() {
    let guest = |malloc: &str| {
        let property = import("env", "proxy_get_property", "get", "iiii");
        let malloc = format!(r#"(func (export "malloc") (param i32) (result i32) {malloc})"#);
        let body = r#"(data (i32.const 64) "plugin_name")
            (func (export "proxy_on_tick") (param i32)
              (if (i32.ne (call $get (i32.const 64) (i32.const 11) (i32.const 0) (i32.const 4)) (i32.const 6))
                (then (unreachable))))"#;
        let module = compile(&[&property, ABI, MEMORY, &malloc, body]).expect("a module");
        let (mut vm, _) = start(&module, VmOptions::default()).expect("a VM");
        let id = vm.configure(plugin()).expect("a plugin");
        vm.tick(id)
    };
    assert_eq!(guest("(i32.const 0)"), Ok(()));
    assert_eq!(guest("(i32.const -2)"), Ok(()));
    assert!(matches!(guest("(unreachable)"), Err(VmError::Trap { .. })));
}

#[test]
fn an_endless_loop_ends() {
    let limit = Duration::from_millis(50);
    let options = VmOptions {
        time_limit: Some(limit),
        ..VmOptions::default()
    };
    let endless = [(
        "proxy_on_request_headers",
        "(loop $again (br $again)) (i32.const 0)",
    )];
    let mut guest = Guest::with(&endless, options.clone(), plugin());
    let began = Instant::now();
    let callback = "proxy_on_request_headers";
    assert_eq!(
        guest.vm.request_headers(guest.stream, request(), true),
        Err(VmError::TimeLimit { callback, limit })
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(guest.vm.dead().is_some());

    let in_start = format!("{ABI}{MEMORY}{MALLOC}(func $f (loop $again (br $again))) (start $f)");
    let module = compile(&[&in_start]).expect("a module");
    let error = start(&module, options).map(|_| ()).expect_err("a limit");
    assert!(matches!(error, VmError::TimeLimit { .. }), "{error}");
}

#[test]
fn memory_has_a_limit() {
    let grow = [(
        "proxy_on_request_headers",
        "(call $status (i32.lt_s (memory.grow (i32.const 16)) (i32.const 0))) (i32.const 0)",
    )];
    for (limit, failed) in [(1 << 19, "1"), (1 << 30, "0")] {
        let options = VmOptions {
            memory_limit_bytes: limit,
            ..VmOptions::default()
        };
        let mut guest = Guest::with(&grow, options, plugin());
        assert_eq!(
            guest.vm.request_headers(guest.stream, request(), true),
            Ok(Outcome::Continue)
        );
        assert_eq!(guest.logs(), [failed]);
    }
    let module = Module::compile(&module(&[])).expect("a module");
    let options = VmOptions {
        memory_limit_bytes: 1 << 16,
        ..VmOptions::default()
    };
    let error = start(&module, options).map(|_| ()).expect_err("a limit");
    assert!(matches!(error, VmError::Instantiate(_)), "{error}");
}

#[test]
fn secrets_of_the_environment_are_not_printed() {
    let options = VmOptions {
        environment: [("PEPPER".to_owned(), "hush".to_owned())].into(),
        ..VmOptions::default()
    };
    let printed = format!("{options:?}");
    assert!(
        printed.contains("PEPPER") && !printed.contains("hush"),
        "{printed}"
    );
}
