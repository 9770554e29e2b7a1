//! The 18 WASI functions that Envoy has, with Envoy's answers: no files, no arguments, output becomes log lines.

use wasmtime::{Caller, Linker};

use crate::clock::nanoseconds;
use crate::error::LogLevel;
use crate::host::Host;
use crate::memory::{Guest, MAX_TEXT};

/// Both names a module may import them under.
pub(crate) const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// `PROXY_WASM_HOST_WASI_RANDOM_GET_MAX_SIZE_BYTES`.
const MAX_RANDOM: u32 = 64 * 1024;
/// POSIX `IOV_MAX`; the lists of real programs have one or two entries.
const MAX_VECTORS: u32 = 1024;

/// `WasmBase::startVm`: what a module may call while it initialises itself.
const AT_START: &[&str] = &[
    "fd_write",
    "args_sizes_get",
    "args_get",
    "environ_sizes_get",
    "environ_get",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "clock_time_get",
    "random_get",
];

macro_rules! wasi {
    ($($name:literal = $call:expr, ($($argument:ident : $type:ty),*);)*) => {
        pub const WASI_FUNCTIONS: &[&str] = &[$($name),*, "proc_exit"];

        pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            for module in MODULES {
                $(
                    linker.func_wrap(module, $name, |caller: Caller<'_, Host>, $($argument: $type),*| {
                        let mut guest = Guest::new(caller);
                        admit(&mut guest, $name)?;
                        wasmtime::Result::Ok($call(&mut guest, $($argument),*))
                    })?;
                )*
                linker.func_wrap(module, "proc_exit", |caller: Caller<'_, Host>, _code: u32| {
                    let mut guest = Guest::new(caller);
                    admit(&mut guest, "proc_exit")?;
                    guest.host().log(LogLevel::Trace, b"wasi_unstable proc_exit");
                    wasmtime::Result::Ok(())
                })?;
            }
            Ok(())
        }
    };
}

wasi! {
    "fd_write" = fd_write, (fd: u32, vectors: u32, count: u32, written_at: u32);
    "fd_read" = |_: &mut Guest<'_>, _, _, _, _| NOSYS, (_fd: u32, _vectors: u32, _count: u32, _read_at: u32);
    "fd_seek" = |guest: &mut Guest<'_>, _, _, _, _| only_log(guest, "fd_seek"), (_fd: u32, _offset: i64, _whence: u32, _at: u32);
    "fd_close" = |guest: &mut Guest<'_>, _| only_log(guest, "fd_close"), (_fd: u32);
    "fd_fdstat_get" = fd_fdstat_get, (fd: u32, stat_at: u32);
    "fd_fdstat_set_flags" = |_: &mut Guest<'_>, _, _| NOSYS, (_fd: u32, _flags: u32);
    "fd_prestat_get" = |_: &mut Guest<'_>, _, _| BADF, (_fd: u32, _at: u32);
    "fd_prestat_dir_name" = |_: &mut Guest<'_>, _, _, _| NOSYS, (_fd: u32, _path: u32, _size: u32);
    "path_open" = |_: &mut Guest<'_>, _, _, _, _, _, _, _, _, _| NOENT, (_fd: u32, _dir: u32, _path: u32, _size: u32, _open: u32, _base: u64, _inherit: u64, _flags: u32, _at: u32);
    "environ_get" = environ_get, (pointers: u32, texts: u32);
    "environ_sizes_get" = environ_sizes_get, (count_at: u32, size_at: u32);
    "args_get" = |_: &mut Guest<'_>, _, _| SUCCESS, (_pointers: u32, _texts: u32);
    "args_sizes_get" = args_sizes_get, (count_at: u32, size_at: u32);
    "clock_time_get" = clock_time_get, (clock: u32, _precision: u64, time_at: u32);
    "random_get" = random_get, (at: u32, size: u32);
    "sched_yield" = |_: &mut Guest<'_>| SUCCESS, ();
    "poll_oneoff" = |_: &mut Guest<'_>, _, _, _, _| NOSYS, (_in: u32, _out: u32, _count: u32, _at: u32);
}

fn admit(guest: &mut Guest<'_>, name: &'static str) -> wasmtime::Result<()> {
    if guest.host().starting && !AT_START.contains(&name) {
        wasmtime::bail!("`{name}` was called during `_initialize` or `_start`");
    }
    Ok(())
}

/// A partial write, which callers of writev repeat, keeps one message below the limit.
fn fd_write(guest: &mut Guest<'_>, fd: u32, vectors: u32, count: u32, written_at: u32) -> u32 {
    let level = match fd {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return BADF,
    };
    if count > MAX_VECTORS {
        return INVAL;
    }
    let mut message: Vec<u8> = Vec::new();
    for index in 0..count {
        let at = vectors.saturating_add(index.saturating_mul(8));
        let (Ok(pointer), Ok(size)) = (guest.u32(at), guest.u32(at.saturating_add(4))) else {
            return FAULT;
        };
        let Ok(bytes) = guest.view(pointer, size) else {
            return FAULT;
        };
        let room = MAX_TEXT.saturating_sub(message.len());
        message.extend(bytes.iter().take(room));
    }
    let written = u32::try_from(message.len()).unwrap_or(u32::MAX);
    if written > 0 {
        let message = message.strip_suffix(b"\n").unwrap_or(&message);
        guest.host().log(level, message);
    }
    errno(guest.write_u32(written_at, written))
}

/// A character device nobody seeks in: only the right to write.
fn fd_fdstat_get(guest: &mut Guest<'_>, fd: u32, stat_at: u32) -> u32 {
    if fd != 1 && fd != 2 {
        return BADF;
    }
    // `fs_rights_base` is the second of three words.
    let stat = [0, 64_u64, 0].map(u64::to_le_bytes);
    // Envoy does not look whether this write succeeded.
    let _ = guest.write(stat_at, stat.as_flattened());
    SUCCESS
}

fn environ_get(guest: &mut Guest<'_>, pointers: u32, texts: u32) -> u32 {
    let (mut pointer_at, mut text_at) = (pointers, texts);
    for (name, value) in guest.host().environment.clone() {
        let text = format!("{name}={value}\0");
        if guest.write_u32(pointer_at, text_at).is_err()
            || guest.write(text_at, text.as_bytes()).is_err()
        {
            return FAULT;
        }
        pointer_at = pointer_at.saturating_add(4);
        text_at = text_at.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }
    SUCCESS
}

fn environ_sizes_get(guest: &mut Guest<'_>, count_at: u32, size_at: u32) -> u32 {
    let environment = &guest.host().environment;
    let size: usize = environment
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    let count = environment.len();
    write_sizes(guest, count_at, count, size_at, size)
}

fn args_sizes_get(guest: &mut Guest<'_>, count_at: u32, size_at: u32) -> u32 {
    write_sizes(guest, count_at, 0, size_at, 0)
}

fn write_sizes(
    guest: &mut Guest<'_>,
    count_at: u32,
    count: usize,
    size_at: u32,
    size: usize,
) -> u32 {
    let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    errno(
        guest
            .write_u32(count_at, number(count))
            .and_then(|()| guest.write_u32(size_at, number(size))),
    )
}

fn clock_time_get(guest: &mut Guest<'_>, clock: u32, _precision: u64, time_at: u32) -> u32 {
    let clocks = &guest.host().clock;
    let time = match clock {
        0 => clocks.now(),
        1 => clocks.monotonic(),
        _ => return NOTSUP,
    };
    errno(guest.write_u64(time_at, nanoseconds(time)))
}

fn random_get(guest: &mut Guest<'_>, at: u32, size: u32) -> u32 {
    if size > MAX_RANDOM {
        return INVAL;
    }
    let mut random = vec![0; size as usize];
    if getrandom::fill(&mut random).is_err() {
        return NOSYS;
    }
    errno(guest.write(at, &random))
}

/// Files that do not exist: Envoy logs the call and says that it worked.
fn only_log(guest: &mut Guest<'_>, name: &str) -> u32 {
    let message = format!("wasi_unstable {name}");
    guest.host().log(LogLevel::Trace, message.as_bytes());
    SUCCESS
}

fn errno(result: Result<(), crate::abi::Status>) -> u32 {
    result.map_or(FAULT, |()| SUCCESS)
}
