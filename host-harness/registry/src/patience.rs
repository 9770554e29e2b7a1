//! How long a registry is waited for.

use crate::{
    fault::{Wrong, may_pass},
    remote::Answered,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Before the second attempt, the third, and the last one.
const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// For a whole answer, and more where it may be long: a slower one would never end.
const WHOLE: Duration = Duration::from_secs(60);
/// Bytes in a second.
const SLOWEST: usize = 64 * 1024;

/// Tries again what may pass, so many times.
///
/// # Errors
/// As the last attempt.
pub(crate) async fn waiting<T>(attempt: &mut impl AsyncFnMut() -> Answered<T>) -> Answered<T> {
    for wait in WAITS {
        match attempt().await {
            Err(wrong) if may_pass(&wrong) => sleep(wait).await,
            answered => return answered,
        }
    }
    attempt().await
}

/// An answer of at most so many bytes, in a time that is enough for them.
///
/// # Errors
/// Its own, or that it takes longer.
pub(crate) async fn within<T>(
    bytes: usize,
    answer: impl Future<Output = Answered<T>>,
) -> Answered<T> {
    let more = u64::try_from(bytes / SLOWEST).unwrap_or(u64::MAX);
    let most = WHOLE.saturating_add(Duration::from_secs(more));
    match timeout(most, answer).await {
        Ok(answered) => answered,
        Err(_) => Err(Wrong::Registry(format!(
            "its answer takes longer than {} s",
            most.as_secs()
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_time_for_its_bytes() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        for (bytes, seconds) in [(0, 60), (4 * 1024 * 1024, 124)] {
            let after = |seconds| async move {
                sleep(Duration::from_secs(seconds)).await;
                Ok(())
            };
            let answered = runtime.block_on(within(bytes, after(seconds - 1)));
            assert!(answered.is_ok(), "{bytes}");
            let wrong = runtime.block_on(within(bytes, after(seconds + 1)));
            let wanted = format!("longer than {seconds} s");
            assert!(matches!(wrong, Err(Wrong::Registry(why)) if why.contains(&wanted)));
        }
    }
}
