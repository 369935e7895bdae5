//! Transactions as guards.

use std::ops::Deref;

use helios_types::Result;

use super::Connection;

/// A transaction of a connection. It rolls back when it is dropped without [`Transaction::commit`].
#[derive(Debug)]
pub struct Transaction<'c> {
    connection: &'c Connection,
    finished: bool,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection) -> Transaction<'c> {
        Transaction { connection, finished: false }
    }

    /// Commits; durable when it returns, unless `synchronous_commit` is off.
    ///
    /// # Errors
    ///
    /// Those of the commit; 25P02 when a statement has failed before, and everything was rolled back.
    pub fn commit(self) -> Result<()> {
        let connection = self.connection;
        connection.block_on(self.commit_async())
    }

    /// [`Transaction::commit`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Transaction::commit`].
    pub async fn commit_async(mut self) -> Result<()> {
        self.finished = true;
        if self.connection.status_async().await == crate::TransactionStatus::Failed {
            self.connection.execute_batch_async("ROLLBACK").await?;
            return Err(crate::session::failed_block());
        }
        self.connection.execute_batch_async("COMMIT").await
    }

    /// Undoes everything.
    ///
    /// # Errors
    ///
    /// None that matter: after one the connection is in no transaction either.
    pub fn rollback(self) -> Result<()> {
        let connection = self.connection;
        connection.block_on(self.rollback_async())
    }

    /// [`Transaction::rollback`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Transaction::rollback`].
    pub async fn rollback_async(mut self) -> Result<()> {
        self.finished = true;
        self.connection.execute_batch_async("ROLLBACK").await
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing is written by a rollback: there is nothing to wait for.
            self.connection.roll_back_soon();
        }
    }
}
