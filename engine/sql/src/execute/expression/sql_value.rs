//! SQL's keywords that look like columns: CURRENT_USER, CURRENT_DATE, ...

use helios_types::{Datum, PgError, Result};

use crate::expr::{ExprType, SqlValue};
use crate::session::SessionContext;

/// The value for this session and transaction.
pub(crate) fn value(value: SqlValue, _ty: ExprType, session: &SessionContext) -> Result<Datum> {
    match value {
        SqlValue::CurrentRole | SqlValue::CurrentUser | SqlValue::User => Ok(Datum::Text(session.user.clone())),
        SqlValue::SessionUser => Ok(Datum::Text(session.session_user.clone())),
        SqlValue::CurrentCatalog => Ok(Datum::Text(session.database.clone())),
        SqlValue::CurrentTimestamp => Ok(Datum::I64(session.now())),
        other => Err(PgError::unsupported(format_args!("{other:?}"))),
    }
}
