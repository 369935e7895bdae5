//! Who is connected and what they are doing: the live state behind `pg_stat_activity` and cancel requests.

use std::sync::Arc;
use std::task::Waker;

use helios_env::Timestamp;
use helios_env::sync::{AtomicBool, Mutex, Ordering};
use helios_sql::execute::{CancelReason, CancelToken};

/// What a session is doing, as `pg_stat_activity.state` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityState {
    /// It runs a statement.
    Active,
    /// It waits for its client.
    Idle,
    /// It waits for its client inside a transaction block.
    IdleInTransaction,
    /// It waits for its client inside a transaction block that has failed.
    IdleInFailedTransaction,
}

impl ActivityState {
    /// The text in `pg_stat_activity.state`.
    pub fn name(self) -> &'static str {
        match self {
            ActivityState::Active => "active",
            ActivityState::Idle => "idle",
            ActivityState::IdleInTransaction => "idle in transaction",
            ActivityState::IdleInFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// One moment of a session, for whoever looks at it from outside.
#[derive(Clone, Debug)]
pub struct ActivityReport {
    /// `pg_backend_pid()`.
    pub pid: i32,
    /// The user.
    pub user: Arc<str>,
    /// The database.
    pub database: Arc<str>,
    /// `application_name`.
    pub application_name: Arc<str>,
    /// Where the client is, as far as its server said.
    pub client_address: Option<Arc<str>>,
    /// When the session began.
    pub backend_start: Timestamp,
    /// When the transaction began, in one.
    pub transaction_start: Option<Timestamp>,
    /// When the statement began, or the last one did.
    pub query_start: Option<Timestamp>,
    /// When `state` changed.
    pub state_change: Timestamp,
    /// What it is doing.
    pub state: ActivityState,
    /// The statement, or the last one.
    pub query: Arc<str>,
}

/// A session as others see it. It can be cancelled from any thread.
#[derive(Debug)]
pub struct Activity {
    pid: i32,
    secret: i32,
    cancel: CancelToken,
    /// A commit under way cannot be taken back.
    committing: AtomicBool,
    waker: Mutex<Option<Waker>>,
    report: Mutex<ActivityReport>,
}

impl Activity {
    pub(crate) fn new(secret: i32, report: ActivityReport) -> Activity {
        Activity {
            pid: report.pid,
            secret,
            cancel: CancelToken::default(),
            committing: AtomicBool::new(false),
            waker: Mutex::new(None),
            report: Mutex::new(report),
        }
    }

    /// `pg_backend_pid()`, the first half of a cancel request's key.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The second half.
    pub fn secret(&self) -> i32 {
        self.secret
    }

    /// What the session is doing.
    pub fn report(&self) -> ActivityReport {
        self.report.lock().clone()
    }

    /// Ends the running statement, wherever it waits; nothing happens when none runs.
    pub fn cancel(&self, reason: CancelReason) {
        if reason != CancelReason::Shutdown && self.report.lock().state != ActivityState::Active {
            return;
        }
        self.cancel.cancel(reason);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.cancel
    }

    pub(crate) fn listen(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if !slot.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    pub(crate) fn set_committing(&self, committing: bool) {
        self.committing.store(committing, Ordering::Relaxed);
    }

    pub(crate) fn is_committing(&self) -> bool {
        self.committing.load(Ordering::Relaxed)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut ActivityReport)) {
        change(&mut self.report.lock());
    }
}
