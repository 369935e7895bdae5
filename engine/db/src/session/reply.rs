//! What a session answers, in no protocol's terms.

use std::sync::Arc;

use bytes::Bytes;
use helios_sql::execute::Batch;
use helios_types::{Oid, TypeMod};

/// What came of running a script or a portal a little further. See [`crate::Session::next`].
#[derive(Clone, Debug)]
pub enum Reply {
    /// The columns of the rows that follow: scripts only (a portal is described when the client asks).
    Columns(Arc<[ColumnDescription]>),
    /// Some rows, at least one.
    Rows(Batch),
    /// The statement is done; its command tag (`INSERT 0 1`).
    Complete(String),
    /// The row limit was reached; the portal can be executed further.
    Suspended,
    /// The text had no statement.
    Empty,
    /// COPY FROM STDIN: send data by [`crate::Session::copy_in`] until [`crate::Session::copy_in_done`].
    CopyIn(CopySpec),
    /// COPY TO STDOUT: [`Reply::CopyData`] follows, up to [`Reply::CopyDone`].
    CopyOut(CopySpec),
    /// A piece of COPY TO STDOUT: one row.
    CopyData(Bytes),
    /// COPY TO STDOUT has sent everything; [`Reply::Complete`] follows.
    CopyDone,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// The table that it plainly comes from, or 0.
    pub table: Oid,
    /// Its attnum there, or 0.
    pub attnum: i16,
    /// Its type.
    pub type_oid: Oid,
    /// Bytes of a value, negative when they vary (`pg_type.typlen`).
    pub type_size: i16,
    /// Its type modifier.
    pub typmod: TypeMod,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As the type's output function does.
    #[default]
    Text,
    /// As the type's send function does.
    Binary,
}

/// What COPY moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySpec {
    /// In what form.
    pub format: CopyFormat,
    /// How many columns a row has.
    pub columns: usize,
}

/// Forms of COPY data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyFormat {
    /// Tabs and backslashes.
    #[default]
    Text,
    /// Commas and quotes.
    Csv,
}

/// A prepared statement, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementDescription {
    /// Types of `$1`, `$2`, ...
    pub params: Vec<Oid>,
    /// The columns; `None` when it returns no rows.
    pub columns: Option<Arc<[ColumnDescription]>>,
}

/// A portal, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalDescription {
    /// The columns; `None` when it returns no rows.
    pub columns: Option<Arc<[ColumnDescription]>>,
    /// The format of each, as it was asked for when the portal was bound.
    pub formats: Arc<[Format]>,
}
