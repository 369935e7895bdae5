//! SQL's keywords that look like columns: CURRENT_USER, CURRENT_DATE, ...

use helios_types::{Datum, PgError, Result};

use crate::expr::{ExprType, SqlValue};
use crate::functions;
use crate::session::SessionContext;

/// The value for this session and transaction.
pub(crate) fn value(value: SqlValue, _ty: ExprType, session: &SessionContext) -> Result<Datum> {
    functions::sql_value(session, value).ok_or_else(|| PgError::unsupported(format_args!("{value:?}")))
}
