//! PostgreSQL's values.
//!
//! A value is a [`Datum`]: a *physical* representation without a type. Its SQL type is known from the context, as an
//! [`Oid`] and a type modifier ([`TypeMod`]), exactly as in PostgreSQL. Many values side by side are a [`Column`].
//! Errors are [`PgError`]s with PostgreSQL's SQLSTATE, message, detail, hint and position.

pub mod cast;
mod column;
mod column_ops;
mod compare;
pub mod datetime;
mod datum;
mod error;
pub mod io;
pub mod key;
mod numeric;
pub mod oid;
mod typmod;

pub use column::{Bitmap, ByteColumn, Column, ColumnData, Physical};
pub use column_ops::ColumnBuilder;
pub use compare::{compare, compare_floats, compare_intervals, compare_rows, hash_column, hash_datum};
pub use datum::{Array, Datum, Interval, Record, TimeTz};
pub use error::{PgError, Result, SqlState};
pub use numeric::{Numeric, NumericSum};
pub use oid::Oid;
pub use typmod::{apply_typmod, format_type, takes_typmod, type_name, typmod_in, typmod_out};

/// A type modifier as PostgreSQL stores it: -1 for none, `n + 4` for varchar(n), `((p << 16) | s) + 4` for
/// numeric(p, s), and so on.
pub type TypeMod = i32;
