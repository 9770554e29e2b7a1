//! Work in steps: a future that waits for nobody and only says where it may be left off. Who has little
//! time polls it once for each step; who has time drives it to its end.

use std::{
    future::{self, Future},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use crate::{
    error::{LoadError, LoadErrors},
    policy::Policy,
    source::{Entrypoint, Sources},
};

/// Something on its way to being loaded. Nothing of it can be asked before it is given whole.
pub struct Loading<T>(Option<Work<T>>);

type Work<T> = Pin<Box<dyn Future<Output = Result<T, LoadErrors>> + Send>>;

impl Loading<Policy> {
    /// A policy, as [`Policy::load`] loads it.
    pub fn new(sources: Sources, entrypoints: &[Entrypoint]) -> Loading<Policy> {
        Loading::with(sources, entrypoints, &[])
    }

    /// The same, as [`Policy::load_with`] loads it.
    pub fn with(
        sources: Sources,
        entrypoints: &[Entrypoint],
        optional: &[Entrypoint],
    ) -> Loading<Policy> {
        let (entrypoints, optional) = (entrypoints.to_vec(), optional.to_vec());
        Loading::of(async move { Policy::loaded(sources, &entrypoints, &optional).await })
    }
}

impl<T> Loading<T> {
    pub(crate) fn of(work: impl Future<Output = Result<T, LoadErrors>> + Send + 'static) -> Self {
        Loading(Some(Box::pin(work)))
    }

    /// One small piece of the work: a module parsed or rewritten, a rule looked at, an entrypoint
    /// compiled. What was loaded, or everything found that is wrong with it, once there is no more.
    /// Nothing comes after that but an error.
    pub fn step(&mut self) -> Option<Result<T, LoadErrors>> {
        let Some(work) = &mut self.0 else {
            let error = LoadError::new("", "its loading has ended");
            return Some(Err(error.into()));
        };
        match poll(work.as_mut()) {
            Poll::Pending => None,
            Poll::Ready(loaded) => {
                self.0 = None;
                Some(loaded)
            }
        }
    }
}

/// The end of a step.
pub(crate) async fn pause() {
    let mut has_paused = false;
    future::poll_fn(|_| match std::mem::replace(&mut has_paused, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// All steps at once.
pub(crate) fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(done) = poll(work.as_mut()) {
            return done;
        }
    }
}

fn poll<T>(work: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    work.poll(&mut Context::from_waker(Waker::noop()))
}
