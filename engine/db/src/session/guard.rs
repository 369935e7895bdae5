//! Ends a statement that is to end, wherever it waits.
//!
//! A running statement looks at its cancel flag once a batch, but a statement that waits (for a lock, for the disk)
//! looks at nothing. So what a session does is polled through this future: it leaves its waker with the session's
//! [`Activity`], and when it is woken by a cancel request or by a timer it stops polling the statement and fails. The
//! statement's future is then dropped, which withdraws it from every queue that it stands in.
//!
//! A commit that has been handed to the log is not interrupted: nobody could say any more what became of it.

use std::pin::{Pin, pin};
use std::task::Poll;

use helios_env::{Env, Instant, Pending};
use helios_sql::execute::CancelReason;
use helios_types::Result;

use crate::activity::Activity;

/// Runs `work` until it is done, cancelled, or `deadline` has passed.
pub(super) async fn guarded<T>(
    env: &Env,
    activity: &Activity,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = pin!(work);
    let mut timer: Option<Pending<()>> = None;
    std::future::poll_fn(|cx| {
        if let Some(reason) = activity.token().reason()
            && !activity.is_committing()
        {
            return Poll::Ready(Err(reason.error()));
        }
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        activity.listen(cx.waker());
        if let Some(deadline) = deadline {
            let timer = timer.get_or_insert_with(|| env.clock.sleep_until(deadline));
            // Once it is ready it is not looked at again: the statement ends, or is committing.
            if !activity.is_committing() && Pin::new(timer).poll(cx).is_ready() {
                return Poll::Ready(Err(CancelReason::StatementTimeout.error()));
            }
        }
        // A request that came between the first look and `listen` has found no waker.
        match activity.token().reason() {
            Some(reason) if !activity.is_committing() => Poll::Ready(Err(reason.error())),
            _ => Poll::Pending,
        }
    })
    .await
}
