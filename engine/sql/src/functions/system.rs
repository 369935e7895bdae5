//! What a session says of itself, and of values' types and NULLs.

use helios_env::Timestamp;
use helios_types::datetime::{
    timestamptz_to_date, timestamptz_to_time, timestamptz_to_timestamp, timestamptz_to_timetz,
};
use helios_types::{Datum, PgError, Result, SqlState, io};

use super::arguments::{i32_at, text_at};
use super::format::spread;
use super::{Entry, FunctionContext, Implementation};
use crate::expr::SqlValue;
use crate::session::SessionContext;

/// What `version()` answers. Clients read the number behind "PostgreSQL".
fn version(session: &SessionContext) -> String {
    let number = session.setting("server_version").unwrap_or("18.4");
    let number = number.split(' ').next().unwrap_or(number);
    format!("PostgreSQL {number} (HeliosDB {})", env!("CARGO_PKG_VERSION"))
}

/// How many values are NULL (or are not); NULL for a NULL array behind VARIADIC.
fn count_nulls(ctx: &FunctionContext<'_>, args: &[Datum], nulls: bool) -> Datum {
    match spread(ctx, args, 0) {
        Some(values) => Datum::I32(values.iter().filter(|(_, value)| value.is_null() == nulls).count() as i32),
        None => Datum::Null,
    }
}

/// Names of the encodings that PostgreSQL numbers; only UTF-8 is spoken here.
const UTF8: i32 = 6;

fn pg_input_is_valid(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<std::result::Result<(), PgError>> {
    let (text, name) = (text_at(args, 0), text_at(args, 1));
    let Some(ty) = helios_catalog::facts::types()
        .by_name(helios_types::Oid(11), name)
        .or_else(|| helios_catalog::facts::types().all().find(|ty| helios_types::type_name(ty.oid) == Some(name)))
    else {
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")));
    };
    let input = io::InputContext::new(&ctx.session.style, ctx.session.now());
    Ok(io::input(ty.oid, -1, text, &input).map(|_| ()))
}

/// `Fri Nov 20 18:04:05.123456 2026 UTC`, whatever the date style.
fn timeofday(session: &SessionContext) -> String {
    use helios_types::datetime::{civil_from_days, clock_from_micros, day_of_week, split_timestamp};
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = since_2000(session.clock.wall());
    let offset = session.style.time_zone.at(now);
    let (days, micros) = split_timestamp(now + i64::from(offset.seconds) * 1_000_000);
    let (civil, clock) = (civil_from_days(days), clock_from_micros(micros));
    format!(
        "{} {} {:02} {:02}:{:02}:{:02}.{:06} {:04} {}",
        DAYS[day_of_week(days) as usize],
        MONTHS[civil.month as usize - 1],
        civil.day,
        clock.hour,
        clock.minute,
        clock.second,
        clock.micros,
        civil.year,
        offset.abbreviation
    )
}

/// Microseconds since 2000.
pub fn since_2000(timestamp: Timestamp) -> i64 {
    timestamp.0 - 946_684_800_000_000
}

/// SQL's keywords that look like columns. `CURRENT_SCHEMA` needs the catalog: `None`. A precision is the caller's
/// business.
pub fn sql_value(session: &SessionContext, value: SqlValue) -> Option<Datum> {
    let zone = &session.style.time_zone;
    let now = session.now();
    Some(match value {
        SqlValue::CurrentRole | SqlValue::CurrentUser | SqlValue::User => Datum::Text(session.user.clone()),
        SqlValue::SessionUser => Datum::Text(session.session_user.clone()),
        SqlValue::CurrentCatalog => Datum::Text(session.database.clone()),
        SqlValue::CurrentSchema => return None,
        SqlValue::CurrentTimestamp => Datum::I64(now),
        SqlValue::LocalTimestamp => Datum::I64(timestamptz_to_timestamp(now, zone).unwrap_or(now)),
        SqlValue::CurrentDate => Datum::I32(timestamptz_to_date(now, zone)),
        SqlValue::CurrentTime => timestamptz_to_timetz(now, zone).map_or(Datum::Null, Datum::TimeTz),
        SqlValue::LocalTime => timestamptz_to_time(now, zone).map_or(Datum::Null, Datum::I64),
    })
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("pgsql_version", Implementation::Scalar(|ctx, _| Ok(Datum::text(version(ctx.session))))),
    ("pg_typeof", Implementation::Scalar(|ctx, _| Ok(Datum::U32(ctx.arg_types[0].0)))),
    ("pg_num_nulls", Implementation::Scalar(|ctx, args| Ok(count_nulls(ctx, args, true)))),
    ("pg_num_nonnulls", Implementation::Scalar(|ctx, args| Ok(count_nulls(ctx, args, false)))),
    ("current_database", Implementation::Scalar(|ctx, _| Ok(Datum::text(ctx.session.database.clone())))),
    ("current_user", Implementation::Scalar(|ctx, _| Ok(Datum::text(ctx.session.user.clone())))),
    ("session_user", Implementation::Scalar(|ctx, _| Ok(Datum::text(ctx.session.session_user.clone())))),
    ("pg_backend_pid", Implementation::Scalar(|ctx, _| Ok(Datum::I32(ctx.session.backend_pid)))),
    ("getdatabaseencoding", Implementation::Scalar(|_, _| Ok(Datum::text("UTF8")))),
    (
        "pg_client_encoding",
        Implementation::Scalar(|ctx, _| Ok(Datum::text(ctx.session.setting("client_encoding").unwrap_or("UTF8")))),
    ),
    (
        "PG_encoding_to_char",
        Implementation::Scalar(|_, args| {
            Ok(Datum::text(match i32_at(args, 0) {
                0 => "SQL_ASCII",
                UTF8 => "UTF8",
                8 => "LATIN1",
                _ => "",
            }))
        }),
    ),
    (
        "PG_char_to_encoding",
        Implementation::Scalar(|_, args| {
            let name = text_at(args, 0).to_ascii_lowercase().replace(['-', '_'], "");
            Ok(Datum::I32(match name.as_str() {
                "sqlascii" => 0,
                "utf8" | "unicode" => UTF8,
                "latin1" | "iso88591" => 8,
                _ => -1,
            }))
        }),
    ),
    ("pg_is_in_recovery", Implementation::Scalar(|_, _| Ok(Datum::Bool(false)))),
    ("pg_input_is_valid", Implementation::Scalar(|ctx, args| Ok(Datum::Bool(pg_input_is_valid(ctx, args)?.is_ok())))),
    ("pg_jit_available", Implementation::Scalar(|_, _| Ok(Datum::Bool(false)))),
    ("timeofday", Implementation::Scalar(|ctx, _| Ok(Datum::text(timeofday(ctx.session))))),
    ("now", Implementation::Scalar(|ctx, _| Ok(Datum::I64(ctx.session.now())))),
    (
        "statement_timestamp",
        Implementation::Scalar(|ctx, _| Ok(Datum::I64(since_2000(ctx.session.statement_timestamp)))),
    ),
    ("clock_timestamp", Implementation::Scalar(|ctx, _| Ok(Datum::I64(since_2000(ctx.session.clock.wall()))))),
    // Equality by bytes makes values that are equal also the same, whatever the collation.
    ("btequalimage", Implementation::Scalar(|_, _| Ok(Datum::Bool(true)))),
]];
