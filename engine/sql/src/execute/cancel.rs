//! Cancellation: a flag that another session, a timeout or a shutdown raises, looked at once a batch.

use std::sync::Arc;

use helios_env::sync::{AtomicU32, Ordering};
use helios_types::{PgError, Result, SqlState};

/// Why a statement is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CancelReason {
    /// A cancel request, or `pg_cancel_backend`.
    UserRequest = 1,
    /// `statement_timeout`.
    StatementTimeout = 2,
    /// The server shuts down.
    Shutdown = 3,
}

/// Shared by a session and whoever may cancel it.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicU32>);

impl CancelToken {
    /// Asks the statement to end at its next look.
    pub fn cancel(&self, reason: CancelReason) {
        self.0.store(reason as u32, Ordering::Release);
    }

    /// Forgets a request: a new statement begins.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Why the statement is to end, if it is.
    pub fn reason(&self) -> Option<CancelReason> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            1 => Some(CancelReason::UserRequest),
            2 => Some(CancelReason::StatementTimeout),
            _ => Some(CancelReason::Shutdown),
        }
    }

    /// Fails when the statement is to end.
    #[inline]
    pub fn check(&self) -> Result<()> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(reason.error()),
        }
    }
}

impl CancelReason {
    /// The error that the statement ends in.
    pub fn error(self) -> PgError {
        match self {
            CancelReason::UserRequest => {
                PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
            }
            CancelReason::StatementTimeout => {
                PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
            }
            CancelReason::Shutdown => {
                PgError::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            }
        }
    }
}
