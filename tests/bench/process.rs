//! What Linux tells of a process: its CPU time and its memory.

use std::{fs, io, thread, time::Duration};

/// The CPU time that all threads of a process have had. Threads that ended are not in it; Envoy keeps
/// those it has.
pub fn cpu(process: u32) -> io::Result<Duration> {
    // A thread's time is brought up to date when it stops to run, so let it go to sleep.
    thread::sleep(Duration::from_millis(5));
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text
            .split_whitespace()
            .next()
            .and_then(|number| number.parse::<u64>().ok())
            .ok_or_else(|| odd("schedstat"))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory.
pub fn rss_kib(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| odd("status"))
}

fn odd(file: &str) -> io::Error {
    let message = format!("/proc/PID/{file} is not as this expects");
    io::Error::new(io::ErrorKind::InvalidData, message)
}
