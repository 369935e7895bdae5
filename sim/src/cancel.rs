//! Futures dropped half way: a client that disconnects, a statement that times out.
//!
//! By luck, [`crate::Handle::cancellable`] drops a future at one of its waits in so many; [`cancel_at`] drops it at the
//! wait that it is told, so that a test can go through all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::core::Core;
use crate::faults::FaultKind;

/// The future was dropped before it was done. What it had begun is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// See [`crate::Handle::cancellable`].
#[must_use = "a future does nothing before it is awaited"]
pub struct Cancellable<F> {
    future: Option<Pin<Box<F>>>,
    core: Arc<Core>,
    site: &'static str,
}

impl<F> Cancellable<F> {
    pub(crate) fn new(core: Arc<Core>, site: &'static str, future: F) -> Cancellable<F> {
        Cancellable { future: Some(Box::pin(future)), core, site }
    }
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let future = this.future.as_mut().expect("a future is not polled after it was ready");
        match future.as_mut().poll(context) {
            Poll::Ready(value) => {
                this.future = None;
                Poll::Ready(Ok(value))
            }
            Poll::Pending if this.core.draw(this.site, &[FaultKind::Cancellation]).is_some() => {
                this.core.fired(FaultKind::Cancellation);
                this.future = None;
                Poll::Ready(Err(Cancelled))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Runs `future` and drops it when it waits for the time after `waits` others. `None` when it was dropped.
pub async fn cancel_at<F: Future>(waits: u64, future: F) -> Option<F::Output> {
    let mut future = Some(Box::pin(future));
    let mut left = waits;
    std::future::poll_fn(|context| {
        let running = future.as_mut().expect("polled until it was ready");
        match running.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => {
                future = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        }
    })
    .await
}
