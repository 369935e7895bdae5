//! Who takes part, behind one face.

use std::error::Error;
use std::path::Path;

use heliosdb::Database;
use postgres::{Client, NoTls};

/// What goes wrong for a contender ends the run.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One connection to a contender, and what the workloads ask of it.
pub trait Connection: Send {
    /// Statements for their effect.
    ///
    /// # Errors
    ///
    /// The contender's, as of all of these.
    fn run(&mut self, sql: &str) -> Outcome<()>;
    /// How many rows a query has; they are all fetched.
    ///
    /// # Errors
    ///
    /// See [`Connection::run`].
    fn count_rows(&mut self, sql: &str) -> Outcome<usize>;
    /// `note` of the row `id` of `load`, by a prepared statement, `times` over with ids from `next`.
    ///
    /// # Errors
    ///
    /// See [`Connection::run`].
    fn point_selects(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()>;
    /// Rows into `single`, each a transaction of its own, by a prepared statement.
    ///
    /// # Errors
    ///
    /// See [`Connection::run`].
    fn inserts(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()>;
}

/// Somebody who can be connected to.
pub trait Contender {
    /// The column's heading.
    fn name(&self) -> &'static str;
    /// A new connection.
    ///
    /// # Errors
    ///
    /// When there is none.
    fn connect(&self) -> Outcome<Box<dyn Connection>>;
    /// `rows` rows as a query: (id int, grp int, amount bigint, note text).
    fn rows(&self, rows: u32) -> String {
        format!("SELECT i, i % 1000, i * 7::bigint, 'note number ' || i FROM generate_series(1, {rows}) i")
    }
}

const SELECT: &str = "SELECT note FROM load WHERE id = $1";
const INSERT: &str = "INSERT INTO single (id, note) VALUES ($1, 'a row of its own')";

/// HeliosDB in this process.
pub struct Embedded(pub Database);

impl Contender for Embedded {
    fn name(&self) -> &'static str {
        "helios embedded"
    }

    fn connect(&self) -> Outcome<Box<dyn Connection>> {
        Ok(Box::new(self.0.connect()?))
    }
}

impl Connection for heliosdb::Connection {
    fn run(&mut self, sql: &str) -> Outcome<()> {
        Ok(self.execute_batch(sql)?)
    }

    fn count_rows(&mut self, sql: &str) -> Outcome<usize> {
        Ok(self.query(sql, &[])?.count())
    }

    fn point_selects(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let statement = self.prepare(SELECT)?;
        for _ in 0..times {
            statement.query_row(&[&next()], |row| row.get::<_, String>(0))?;
        }
        Ok(())
    }

    fn inserts(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let statement = self.prepare(INSERT)?;
        for _ in 0..times {
            statement.execute(&[&next()])?;
        }
        Ok(())
    }
}

/// A server that speaks PostgreSQL's protocol.
pub struct Wire {
    /// The column's heading.
    pub name: &'static str,
    /// Where it is.
    pub uri: String,
}

impl Contender for Wire {
    fn name(&self) -> &'static str {
        self.name
    }

    fn connect(&self) -> Outcome<Box<dyn Connection>> {
        Ok(Box::new(Client::connect(&self.uri, NoTls)?))
    }
}

impl Connection for Client {
    fn run(&mut self, sql: &str) -> Outcome<()> {
        Ok(self.batch_execute(sql)?)
    }

    fn count_rows(&mut self, sql: &str) -> Outcome<usize> {
        Ok(self.query(sql, &[])?.len())
    }

    fn point_selects(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let statement = self.prepare(SELECT)?;
        for _ in 0..times {
            self.query_one(&statement, &[&next()])?.try_get::<_, &str>(0)?;
        }
        Ok(())
    }

    fn inserts(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let statement = self.prepare(INSERT)?;
        for _ in 0..times {
            self.execute(&statement, &[&next()])?;
        }
        Ok(())
    }
}

/// SQLite in this process.
pub struct Sqlite<'d>(pub &'d Path);

impl Contender for Sqlite<'_> {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn connect(&self) -> Outcome<Box<dyn Connection>> {
        let connection = rusqlite::Connection::open(self.0.join("sqlite.db"))?;
        connection.busy_timeout(std::time::Duration::from_secs(60))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        Ok(Box::new(connection))
    }

    fn rows(&self, rows: u32) -> String {
        format!(
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {rows})
             SELECT i, i % 1000, i * 7, 'note number ' || i FROM s"
        )
    }
}

impl Connection for rusqlite::Connection {
    fn run(&mut self, sql: &str) -> Outcome<()> {
        Ok(self.execute_batch(sql)?)
    }

    fn count_rows(&mut self, sql: &str) -> Outcome<usize> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            row.get::<_, rusqlite::types::Value>(0)?;
            count += 1;
        }
        Ok(count)
    }

    fn point_selects(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let mut statement = self.prepare(SELECT)?;
        for _ in 0..times {
            statement.query_row([next()], |row| row.get::<_, String>(0))?;
        }
        Ok(())
    }

    fn inserts(&mut self, times: u32, next: &mut dyn FnMut() -> i32) -> Outcome<()> {
        let mut statement = self.prepare(INSERT)?;
        for _ in 0..times {
            statement.execute([next()])?;
        }
        Ok(())
    }
}
