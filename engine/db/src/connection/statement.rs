//! Prepared statements.

use std::sync::Arc;

use helios_types::{Oid, Result};

use super::{Connection, Row, Rows, ToSql, first};
use crate::session::{ColumnDescription, Prepared};

/// A prepared statement of a connection.
///
/// ```
/// # let connection = heliosdb::Connection::open(":memory:")?;
/// let statement = connection.prepare("SELECT x * $1 FROM generate_series(1, 3) x")?;
/// let products: Vec<i32> = statement.query_map(&[&10], |row| row.get(0))?;
/// assert_eq!(products, [10, 20, 30]);
/// # Ok::<(), heliosdb::Error>(())
/// ```
#[derive(Debug)]
pub struct Statement<'c> {
    connection: &'c Connection,
    prepared: Arc<Prepared>,
}

impl<'c> Statement<'c> {
    pub(super) fn new(connection: &'c Connection, prepared: Arc<Prepared>) -> Statement<'c> {
        Statement { connection, prepared }
    }

    /// Types of its parameters.
    pub fn params(&self) -> &[Oid] {
        self.prepared.params()
    }

    /// Its columns; none when it returns no rows.
    pub fn columns(&self) -> &[ColumnDescription] {
        self.prepared.columns().map_or(&[], |columns| columns)
    }

    /// Runs it; how many rows it wrote, or returned.
    ///
    /// # Errors
    ///
    /// The statement's.
    pub fn execute(&self, params: &[&dyn ToSql]) -> Result<u64> {
        self.connection.block_on(self.execute_async(params))
    }

    /// [`Statement::execute`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Statement::execute`].
    pub async fn execute_async(&self, params: &[&dyn ToSql]) -> Result<u64> {
        Ok(self.connection.run_prepared(&self.prepared, params).await?.affected)
    }

    /// Runs it; its rows.
    ///
    /// # Errors
    ///
    /// The statement's.
    pub fn query(&self, params: &[&dyn ToSql]) -> Result<Rows> {
        self.connection.block_on(self.query_async(params))
    }

    /// [`Statement::query`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Statement::query`].
    pub async fn query_async(&self, params: &[&dyn ToSql]) -> Result<Rows> {
        Ok(self.connection.run_prepared(&self.prepared, params).await?.into_rows())
    }

    /// Runs it and reads each row.
    ///
    /// # Errors
    ///
    /// The statement's, and the first of `read`.
    pub fn query_map<T>(&self, params: &[&dyn ToSql], read: impl FnMut(Row) -> Result<T>) -> Result<Vec<T>> {
        self.query(params)?.map(read).collect()
    }

    /// Runs it and reads the first row.
    ///
    /// # Errors
    ///
    /// The statement's; 02000 when there is no row; that of `read`.
    pub fn query_row<T>(&self, params: &[&dyn ToSql], read: impl FnOnce(&Row) -> Result<T>) -> Result<T> {
        read(&first(self.query(params)?)?)
    }
}
