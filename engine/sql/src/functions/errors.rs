//! Errors that functions of many kinds raise.

use helios_types::{PgError, SqlState};

/// 22012.
#[cold]
pub(super) fn division_by_zero() -> PgError {
    PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// 22023.
#[cold]
pub(super) fn invalid_parameter(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message.into())
}
