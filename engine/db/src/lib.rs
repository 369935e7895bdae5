//! HeliosDB: an embedded database that speaks PostgreSQL.
//!
//! ```text
//!   your code ──▶ Connection ─┐
//!                             ├─▶ Session ──▶ parse, analyze, plan, execute ──▶ transactions ──▶ storage
//!   a server  ───────────────▶┘   (protocol-neutral: scripts, prepared statements, portals)
//! ```
//!
//! A [`Database`] is an open data directory (or memory). A [`Session`] is one client's conversation with it: settings,
//! a transaction, prepared statements, portals. It does no I/O of its own and knows no wire protocol: servers drive it
//! message by message, and the embedded API is a thin face over it.

mod activity;
mod config;
mod connection;
mod copy;
mod database;
mod doors;
mod plan_catalog;
mod row_counts;
mod session;
mod settings;
mod source_cache;
mod verify;

pub use activity::{Activity, ActivityReport, ActivityState};
pub use config::Config;
pub use connection::{Connection, Date, FromSql, Row, RowIndex, Rows, Statement, Timestamp, ToSql, Transaction, Value};
pub use database::Database;
pub use helios_sql::execute::{Batch, CancelReason};
pub use helios_sql::parse::{Notice, Severity};
pub use helios_sql::verifier;
pub use helios_types::{PgError as Error, Result, SqlState};
pub use session::{
    ColumnDescription, CopyFormat, CopySpec, Format, PortalDescription, Reply, RowEncoder, Session, SessionOptions,
    StatementDescription, TransactionStatus,
};
pub use settings::{SetScope, Settings};
pub use verify::VerifyReport;
