//! DDL over a store in memory. What is expected was observed on PostgreSQL 18.

mod alterations;
mod drops;
mod objects;
mod tables;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::PUBLIC_SCHEMA;
use helios_env::sync::Mutex;
use helios_env::{BoxFuture, Env};
use helios_storage::{Options, Storage};
use helios_txn::{CommitOptions, Transaction, TransactionOptions, Transactions, Wait};
use helios_types::{Datum, Oid, PgError, Result};

use super::*;
use crate::execute::{Batch, CancelToken, CatalogFunctions, Doors, MemoryBudget, Sequences, SystemRelations};
use crate::expr::ExprType;
use crate::parse::{Notice, parse};
use crate::session::SessionContext;
use crate::table::RowIds;

/// A database without queries: what one transaction after the other leaves.
pub(super) struct World {
    env: Env,
    transactions: Transactions,
    newest: Arc<Mutex<CatalogSnapshot>>,
    session: SessionContext,
    open: Option<Open>,
    pub(super) notices: Vec<Notice>,
}

struct Open {
    transaction: Transaction,
    catalog: CatalogEdit,
    row_ids: RowIds,
}

struct NoDoors;

impl Sequences for NoDoors {
    fn next(&self, _sequence: Oid) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async { Err(PgError::unsupported("nextval")) })
    }
    fn current(&self, _sequence: Oid) -> Result<i64> {
        Err(PgError::unsupported("currval"))
    }
    fn last(&self) -> Result<i64> {
        Err(PgError::unsupported("lastval"))
    }
    fn set(&self, _sequence: Oid, _value: i64, _is_called: bool) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async { Err(PgError::unsupported("setval")) })
    }
}

impl CatalogFunctions for NoDoors {
    fn call<'a>(&'a self, source: &'a str, _args: &'a [Datum], _ty: ExprType) -> BoxFuture<'a, Result<Datum>> {
        Box::pin(async move { Err(PgError::unsupported(source)) })
    }
    fn schema_name(&self, _schema: Oid) -> String {
        "public".to_owned()
    }
}

impl SystemRelations for NoDoors {
    fn scan<'a>(&'a self, _relation: Oid, _columns: &'a [usize]) -> BoxFuture<'a, Result<Vec<Batch>>> {
        Box::pin(async { Err(PgError::unsupported("a system relation")) })
    }
}

fn send<F: Future + Send>(future: F) -> F {
    future
}

impl World {
    pub(super) fn new() -> World {
        let env = Env::memory().expect("an environment in memory");
        let opened = env.clone();
        let storage = env.block_on(async move { Storage::open(opened, Options::default()).await });
        let (storage, _) = storage.expect("a store in memory");
        let transactions = Transactions::new(env.clone(), storage, 1);
        let session = SessionContext {
            settings: Arc::new(BTreeMap::from([("search_path".to_owned(), "\"$user\", public".to_owned())])),
            ..crate::execute::testing::session()
        };
        let newest = Arc::new(Mutex::new(CatalogSnapshot::initial()));
        World { env, transactions, newest, session, open: None, notices: Vec::new() }
    }

    pub(super) fn catalog(&self) -> CatalogSnapshot {
        match &self.open {
            Some(open) => open.catalog.snapshot().clone(),
            None => self.newest.lock().clone(),
        }
    }

    /// The transaction that statements are part of, begun now if there is none.
    fn begin(&mut self) -> &mut Open {
        let newest = self.newest.lock().clone();
        let transactions = &self.transactions;
        self.open.get_or_insert_with(|| Open {
            transaction: transactions.begin(TransactionOptions::default()),
            catalog: CatalogEdit::new(&newest),
            row_ids: RowIds::default(),
        })
    }

    fn statement(&mut self, sql: &str) -> Result<String> {
        self.begin();
        let statements = parse(sql)?;
        let [statement] = statements.as_slice() else { panic!("one statement: {sql}") };
        let open = self.open.as_mut().expect("begun");
        let newest = self.newest.clone();
        let newest = move || newest.lock().clone();
        let path = open.catalog.snapshot().search_path("\"$user\", public", "postgres");
        let command = open.transaction.statement();
        let doors = Arc::new(NoDoors);
        let mut ctx = DdlContext {
            transaction: &open.transaction,
            statement: &command,
            catalog: &mut open.catalog,
            newest: &newest,
            session: &self.session,
            search_path: &path,
            source: sql,
            notices: &mut self.notices,
            row_ids: &open.row_ids,
            wait: Wait::Block(None),
            in_block: false,
            doors: Doors { sequences: doors.clone(), functions: doors.clone(), relations: doors },
            memory: MemoryBudget::new(1 << 30),
            cancel: CancelToken::default(),
        };
        poll_once(send(execute(statement.node(), &mut ctx)))
    }

    pub(super) fn commit(&mut self) {
        let Some(open) = self.open.take() else { return };
        let outcome = open.catalog.finish();
        let options = CommitOptions {
            dropped_spaces: outcome.dropped_spaces,
            dropped_sequences: outcome.dropped_sequences,
            layouts: outcome.layouts,
            ..CommitOptions::default()
        };
        let transaction = open.transaction;
        self.env.block_on(async move { transaction.commit(options).await }).expect("committed");
        let mut newest = self.newest.lock();
        *newest = newest.apply(&outcome.changes);
    }

    pub(super) fn rollback(&mut self) {
        self.open = None;
    }

    /// Runs statements, each in a transaction of its own; the last one's tag.
    pub(super) fn run(&mut self, sql: &str) -> String {
        let mut tag = String::new();
        for statement in parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}")) {
            let text = statement.text(sql);
            tag = self.statement(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            self.commit();
        }
        tag
    }

    /// Runs a statement inside the open transaction.
    pub(super) fn run_open(&mut self, sql: &str) -> String {
        self.statement(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// What a statement fails with: `SQLSTATE message`, and DETAIL and HINT in further lines.
    pub(super) fn error(&mut self, sql: &str) -> String {
        let error = self.statement(sql).expect_err(sql);
        self.rollback();
        let mut text = format!("{} {}", error.code(), error.message());
        for (label, part) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
            if let Some(part) = part {
                text.push_str(&format!("\n{label}: {part}"));
            }
        }
        text
    }

    /// The NOTICEs since the last call.
    pub(super) fn take_notices(&mut self) -> Vec<String> {
        let notices = std::mem::take(&mut self.notices);
        let text = |notice: Notice| match notice.detail {
            Some(detail) => format!("{}\n{detail}", notice.message),
            None => notice.message,
        };
        notices.into_iter().map(text).collect()
    }

    pub(super) fn table(&self, name: &str) -> Arc<helios_catalog::model::Table> {
        match self.catalog().relation_in(PUBLIC_SCHEMA, name) {
            Some(helios_catalog::model::Relation::Table(table)) => table.clone(),
            other => panic!("{name} is {other:?}"),
        }
    }

    pub(super) fn is_there(&self, name: &str) -> bool {
        self.catalog().relation_in(PUBLIC_SCHEMA, name).is_some()
    }
}

/// Nothing waits in a store in memory with one session.
fn poll_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a statement waits"),
    }
}
