//! Futures dropped half way: a client that disconnects, a statement that times out.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::choices::Choices;

/// The future was dropped before it was done. What it had begun is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Runs `future`, and at each of its waits drops it with a probability of `ppm` parts per million.
pub fn cancellable<F: Future>(choices: Choices, site: &'static str, ppm: u32, future: F) -> Cancellable<F> {
    Cancellable { future: Some(Box::pin(future)), choices, site, ppm }
}

/// See [`cancellable`].
#[must_use = "a future does nothing before it is awaited"]
pub struct Cancellable<F> {
    future: Option<Pin<Box<F>>>,
    choices: Choices,
    site: &'static str,
    ppm: u32,
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
            Poll::Pending if this.choices.chance(this.site, this.ppm) => {
                this.future = None;
                Poll::Ready(Err(Cancelled))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
