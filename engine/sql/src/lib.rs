//! SQL as PostgreSQL means it.
//!
//! ```text
//!   text ──parse──▶ raw tree ──analyze──▶ Query ──plan──▶ Plan ──execute──▶ batches of rows
//!          libpg_query        names, types,       joins,          pull-based operators
//!                             coercions           access paths    over column batches
//! ```
//!
//! * [`parse`] is PostgreSQL's own grammar.
//! * [`analyze`] turns the raw tree into a [`query::Query`]: every name resolved, every expression typed.
//! * [`plan`] chooses join order, access paths and operators.
//! * [`execute`] runs a plan inside a transaction.
//! * [`ddl`] changes the catalog.
//! * [`explain`] shows a plan.
//! * [`functions`] binds PostgreSQL's builtins, by their `prosrc` symbols, to implementations.

pub mod analyze;
pub mod ddl;
pub mod deparse;
pub mod execute;
pub mod explain;
pub mod expr;
pub mod functions;
pub mod parse;
pub mod plan;
pub mod planner;
pub mod query;
pub mod session;
pub mod table;
pub mod verifier;
