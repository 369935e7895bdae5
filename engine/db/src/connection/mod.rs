//! The embedded face: a connection with rusqlite's habits, over a [`Session`].
//!
//! Every method exists twice: `execute` blocks the calling thread, which itself drives the database's work (no other
//! thread is asked); `execute_async` is the same as a future, for callers with a runtime. Both take `&self`: a
//! connection is a session behind a lock, and statements from several threads run one after the other.
//!
//! Parameters are `$1`, `$2`, ...; their types are inferred by the statement, and values are converted to them.
//!
//! ```
//! # use heliosdb::Database;
//! let database = Database::open(":memory:")?;
//! let connection = database.connect()?;
//! let sum: i64 = connection.query_row("SELECT $1::int8 + 2", &[&40], |row| row.get(0))?;
//! assert_eq!(sum, 42);
//! # Ok::<(), heliosdb::Error>(())
//! ```

mod row;
mod statement;
mod transaction;
mod value;

use std::sync::Arc;

use helios_env::sync::AsyncMutex;
use helios_sql::execute::Batch;
use helios_types::{Datum, PgError, Result, SqlState};

use crate::activity::Activity;
use crate::database::Database;
use crate::session::{ColumnDescription, Prepared, Reply, Session};

pub use row::{Row, RowIndex, Rows};
pub use statement::Statement;
pub use transaction::Transaction;
pub use value::{Date, FromSql, Timestamp, ToSql, Value};

/// A connection to a [`Database`].
pub struct Connection {
    database: Database,
    activity: Arc<Activity>,
    session: AsyncMutex<Driven>,
}

/// A session and whether somebody left it in the middle of something.
struct Driven {
    session: Session,
    in_flight: bool,
}

/// What a statement gave.
pub(crate) struct Outcome {
    columns: Arc<[ColumnDescription]>,
    batches: Vec<Batch>,
    affected: u64,
}

impl Connection {
    pub(crate) fn new(session: Session) -> Connection {
        Connection {
            database: session.database().clone(),
            activity: session.activity().clone(),
            session: AsyncMutex::new(Driven { session, in_flight: false }),
        }
    }

    /// Opens a database and connects to it; the database closes with the last of its connections and handles.
    ///
    /// # Errors
    ///
    /// Those of [`Database::open`].
    pub fn open(path: impl Into<crate::Config>) -> Result<Connection> {
        Database::open(path)?.connect()
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The connection as others see it: kept by whoever may have to cancel its statements.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Runs a statement; how many rows it wrote, or returned.
    ///
    /// # Errors
    ///
    /// The statement's.
    pub fn execute(&self, sql: &str, params: &[&dyn ToSql]) -> Result<u64> {
        self.block_on(self.execute_async(sql, params))
    }

    /// [`Connection::execute`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::execute`].
    pub async fn execute_async(&self, sql: &str, params: &[&dyn ToSql]) -> Result<u64> {
        Ok(self.run(sql, params).await?.affected)
    }

    /// Runs a script of statements without parameters, in one transaction unless it says otherwise.
    ///
    /// # Errors
    ///
    /// That of the first statement that fails; the script ends there.
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        self.block_on(self.execute_batch_async(sql))
    }

    /// [`Connection::execute_batch`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::execute_batch`].
    pub async fn execute_batch_async(&self, sql: &str) -> Result<()> {
        let mut driven = self.lock().await;
        driven.session.query(sql);
        while let Some(reply) = driven.session.next().await? {
            if matches!(reply, Reply::CopyIn(_)) {
                return Err(driven.session.copy_in_fail("a script has no data"));
            }
        }
        driven.in_flight = false;
        Ok(())
    }

    /// Runs a query; its rows.
    ///
    /// # Errors
    ///
    /// The query's.
    pub fn query(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Rows> {
        self.block_on(self.query_async(sql, params))
    }

    /// [`Connection::query`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::query`].
    pub async fn query_async(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Rows> {
        Ok(self.run(sql, params).await?.into_rows())
    }

    /// Runs a query and hands its first row to `read`; further rows are ignored.
    ///
    /// # Errors
    ///
    /// The query's; 02000 when there is no row; that of `read`.
    pub fn query_row<T>(&self, sql: &str, params: &[&dyn ToSql], read: impl FnOnce(&Row) -> Result<T>) -> Result<T> {
        read(&first(self.query(sql, params)?)?)
    }

    /// [`Connection::query_row`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::query_row`].
    pub async fn query_row_async<T>(
        &self,
        sql: &str,
        params: &[&dyn ToSql],
        read: impl FnOnce(&Row) -> Result<T>,
    ) -> Result<T> {
        read(&first(self.query_async(sql, params).await?)?)
    }

    /// Runs a query that returns exactly one row.
    ///
    /// # Errors
    ///
    /// The query's; 02000 when there is no row, 21000 when there are several.
    pub fn query_one(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Row> {
        only(self.query(sql, params)?)
    }

    /// [`Connection::query_one`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::query_one`].
    pub async fn query_one_async(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Row> {
        only(self.query_async(sql, params).await?)
    }

    /// Prepares a statement to be run many times.
    ///
    /// # Errors
    ///
    /// The statement's.
    pub fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        self.block_on(self.prepare_async(sql))
    }

    /// [`Connection::prepare`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::prepare`].
    pub async fn prepare_async(&self, sql: &str) -> Result<Statement<'_>> {
        let mut driven = self.lock().await;
        let prepared = driven.prepare(sql).await?;
        driven.session.sync().await?;
        driven.in_flight = false;
        Ok(Statement::new(self, prepared))
    }

    /// Begins a transaction, which rolls back when it is dropped without [`Transaction::commit`]. Statements of this
    /// connection run inside it meanwhile, whoever issues them.
    ///
    /// # Errors
    ///
    /// 25001 when there is a transaction already.
    pub fn transaction(&self) -> Result<Transaction<'_>> {
        self.block_on(self.transaction_async())
    }

    /// [`Connection::transaction`] as a future.
    ///
    /// # Errors
    ///
    /// As [`Connection::transaction`].
    pub async fn transaction_async(&self) -> Result<Transaction<'_>> {
        let mut driven = self.lock().await;
        let status = driven.session.status();
        driven.in_flight = false;
        drop(driven);
        if status != crate::TransactionStatus::Idle {
            return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
        }
        self.execute_batch_async("BEGIN").await?;
        Ok(Transaction::new(self))
    }

    /// Runs `work` in a transaction: committed when it returns `Ok`, rolled back otherwise.
    ///
    /// ```
    /// # let connection = heliosdb::Connection::open(":memory:")?;
    /// let answer = connection.with_transaction(|tx| tx.query_row("SELECT 42", &[], |row| row.get::<_, i32>(0)))?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), heliosdb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `work` and of the commit.
    pub fn with_transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.transaction()?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    pub(crate) fn block_on<T: Send>(&self, future: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.database.env().block_on(future)
    }

    pub(crate) async fn status_async(&self) -> crate::TransactionStatus {
        let mut driven = self.lock().await;
        driven.in_flight = false;
        driven.session.status()
    }

    /// Rolls a transaction back, now or before the next statement.
    pub(crate) fn roll_back_soon(&self) {
        match self.session.try_lock() {
            Some(mut driven) => driven.session.roll_back(),
            // Somebody is in the middle of a statement: it fails, and whoever comes next finds a failed transaction.
            None => self.activity.cancel(helios_sql::execute::CancelReason::UserRequest),
        }
    }

    /// The session, in order.
    async fn lock(&self) -> helios_env::sync::AsyncMutexGuard<'_, Driven> {
        let mut driven = self.session.lock().await;
        if driven.in_flight {
            // A future was dropped before it was done.
            driven.session.fail();
        }
        driven.in_flight = true;
        driven
    }

    async fn run(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Outcome> {
        let mut driven = self.lock().await;
        let prepared = driven.prepare(sql).await?;
        driven.run(prepared, params).await
    }

    async fn run_prepared(&self, prepared: &Arc<Prepared>, params: &[&dyn ToSql]) -> Result<Outcome> {
        let mut driven = self.lock().await;
        driven.run(prepared.clone(), params).await
    }
}

impl Driven {
    async fn prepare(&mut self, sql: &str) -> Result<Arc<Prepared>> {
        self.session.prepare("", sql, &[]).await?;
        self.session.prepared("")
    }

    async fn run(&mut self, prepared: Arc<Prepared>, params: &[&dyn ToSql]) -> Result<Outcome> {
        let outcome = self.run_now(prepared, params).await;
        if outcome.is_err() {
            self.session.fail();
        }
        self.in_flight = false;
        outcome
    }

    async fn run_now(&mut self, prepared: Arc<Prepared>, params: &[&dyn ToSql]) -> Result<Outcome> {
        let types = prepared.params();
        if types.len() != params.len() {
            return Err(PgError::new(
                SqlState::PROTOCOL_VIOLATION,
                format!("the statement has {} parameters, but {} values were given", types.len(), params.len()),
            ));
        }
        let values: Result<Vec<Datum>> =
            params.iter().zip(types).map(|(value, type_oid)| value.to_datum(*type_oid)).collect();
        let columns = prepared.columns().cloned().unwrap_or_else(|| Arc::from([]));
        self.session.bind_datums("", prepared, values?, &[])?;
        self.session.execute("", 0)?;
        let mut outcome = Outcome { columns, batches: Vec::new(), affected: 0 };
        while let Some(reply) = self.session.next().await? {
            match reply {
                Reply::Rows(batch) => outcome.batches.push(batch),
                Reply::Complete(tag) => {
                    let count = tag.rsplit(' ').next().and_then(|last| last.parse().ok());
                    outcome.affected = count.unwrap_or(0);
                }
                Reply::CopyIn(_) => return Err(self.session.copy_in_fail("use Connection::copy_in")),
                _ => {}
            }
        }
        self.session.close_portal("");
        self.session.sync().await?;
        Ok(outcome)
    }
}

impl Outcome {
    fn into_rows(self) -> Rows {
        Rows::new(self.columns, self.batches)
    }
}

fn no_rows() -> PgError {
    PgError::new(SqlState::NO_DATA, "query returned no rows")
}

fn first(mut rows: Rows) -> Result<Row> {
    rows.next().ok_or_else(no_rows)
}

fn only(mut rows: Rows) -> Result<Row> {
    let row = rows.next().ok_or_else(no_rows)?;
    if rows.next().is_some() {
        return Err(PgError::new(SqlState::CARDINALITY_VIOLATION, "query returned more than one row"));
    }
    Ok(row)
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("pid", &self.activity.pid()).finish_non_exhaustive()
    }
}
