//! A database: the store, the transactions over it, the catalog in memory, and who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{Change, Index, Object, ObjectKind, StorageId, initial_changes};
use helios_env::sync::{AtomicU32, Mutex, Ordering, RwLock};
use helios_env::{Env, Timestamp};
use helios_sql::ddl::{CATALOG, NameSpace, claim_initial_name};
use helios_sql::execute::{CancelReason, MemoryBudget};
use helios_storage::{CommitTs, Direction, KeyRange, RecoveryReport, Storage, Value};
use helios_txn::{CommitOptions, TransactionOptions, Transactions};
use helios_types::{PgError, Result};

use crate::activity::{Activity, ActivityReport};
use crate::config::Config;
use crate::connection::Connection;
use crate::row_counts::RowCounts;
use crate::session::{Session, SessionOptions};
use crate::source_cache::SourceCache;

/// An open database. Cheap to clone; it closes when the last handle, session and connection are gone, or by
/// [`Database::close`].
///
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) env: Env,
    pub(crate) transactions: Transactions,
    catalog: RwLock<CatalogSnapshot>,
    /// By key space, which commit made an index, if that was since the database was opened.
    index_births: Mutex<BTreeMap<StorageId, CommitTs>>,
    pub(crate) config: Config,
    pub(crate) sessions: Mutex<BTreeMap<i32, Arc<Activity>>>,
    next_pid: AtomicU32,
    recovery: RecoveryReport,
    row_counts: RowCounts,
    sources: SourceCache,
    started: Timestamp,
    memory: Arc<MemoryBudget>,
}

impl Database {
    /// Opens the database in a directory, creating it when there is none; `":memory:"` is a database that lives as long
    /// as its handles.
    ///
    /// # Errors
    ///
    /// When the directory is in use by another process, is not a database's, or holds damage that cannot be a torn
    /// tail of the log.
    pub fn open(config: impl Into<Config>) -> Result<Database> {
        let config = config.into();
        let env = config.environment()?;
        let opened = env.clone();
        env.block_on(async move { Database::open_in(opened, config).await })
    }

    /// [`Database::open`] for callers with a runtime of their own.
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open_async(config: impl Into<Config>) -> Result<Database> {
        let config = config.into();
        let env = config.environment()?;
        Database::open_in(env, config).await
    }

    /// Opens the database that an environment's directory holds: how the simulator does it.
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open_in(env: Env, config: Config) -> Result<Database> {
        let (storage, recovery) =
            Storage::open(env.clone(), config.storage_options()).await.map_err(helios_txn::Error::from)?;
        let transactions = Transactions::new(env.clone(), storage, recovery.last_xid + 1);
        let catalog = load_catalog(&transactions, recovery.catalog_version).await?;
        if recovery.replayed_commits > 0 && catalog.tables().next().is_some() {
            env.sometimes("db: a catalog with tables was recovered");
        }
        let memory = MemoryBudget::probed(config.query_memory(), env.probe.clone());
        let started = env.clock.wall();
        let database = Database {
            inner: Arc::new(Inner {
                env,
                transactions,
                catalog: RwLock::new(catalog),
                index_births: Mutex::default(),
                config,
                sessions: Mutex::default(),
                next_pid: AtomicU32::new(1),
                recovery,
                row_counts: RowCounts::default(),
                sources: SourceCache::new(),
                started,
                memory,
            }),
        };
        Ok(database)
    }

    /// A connection to the database `postgres` as its superuser.
    ///
    /// # Errors
    ///
    /// When there is no such role or database any more.
    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection::new(self.session(SessionOptions::default())?))
    }

    /// A session: what a connection or a server's client drives.
    ///
    /// # Errors
    ///
    /// When the user or the database does not exist.
    pub fn session(&self, options: SessionOptions) -> Result<Session> {
        Session::new(self.clone(), options)
    }

    /// What recovery found when the database was opened.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// The newest committed catalog.
    pub fn catalog(&self) -> CatalogSnapshot {
        self.inner.catalog.read().clone()
    }

    /// The environment that the database runs in.
    pub fn env(&self) -> &Env {
        &self.inner.env
    }

    /// The store below, for tools.
    pub fn storage(&self) -> &Storage {
        self.inner.transactions.storage()
    }

    /// Writes everything in memory to files, so that the next opening replays nothing.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(self.storage().flush().await.map_err(helios_txn::Error::from)?)
    }

    /// Closes the store: flushes it and releases the directory. Sessions still there fail from here on.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub async fn close(&self) -> Result<()> {
        Ok(self.storage().close().await.map_err(helios_txn::Error::from)?)
    }

    pub(crate) fn transactions(&self) -> &Transactions {
        &self.inner.transactions
    }

    /// Runs before any lock of the committed transaction is released.
    pub(crate) fn publish(inner: &Inner, changes: &[Change]) {
        let mut catalog = inner.catalog.write();
        let next = catalog.apply(changes);
        inner.note_index_births(&catalog, &next, changes);
        *catalog = next;
    }

    /// Whether a snapshot sees the entries of an index: it is not older than the commit that made them.
    pub(crate) fn index_is_in(&self, index: &Index, snapshot: CommitTs) -> bool {
        let committed = self.catalog().index(index.oid).is_some_and(|known| known.storage == index.storage);
        committed && self.inner.index_births.lock().get(&index.storage).is_none_or(|birth| *birth <= snapshot)
    }

    /// Whether there is an index that a snapshot is too old for.
    pub(crate) fn has_index_after(&self, snapshot: CommitTs) -> bool {
        self.inner.index_births.lock().values().any(|birth| *birth > snapshot)
    }

    /// Ends the statement that the session with this key runs, as a cancel request asks. Whether there is such a
    /// session is not told.
    pub fn cancel(&self, pid: i32, secret: i32) {
        let session = self.inner.sessions.lock().get(&pid).cloned();
        if let Some(session) = session.filter(|session| session.secret() == secret) {
            session.cancel(CancelReason::UserRequest);
        }
    }

    /// Ends what a session runs, as one who is trusted; whether there is such a session.
    pub(crate) fn signal(&self, pid: i32, reason: CancelReason) -> bool {
        let session = self.inner.sessions.lock().get(&pid).cloned();
        session.is_some_and(|session| {
            session.cancel(reason);
            true
        })
    }

    /// When it was opened.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Everybody who is connected, by pid.
    pub fn activities(&self) -> Vec<ActivityReport> {
        self.inner.sessions.lock().values().map(|session| session.report()).collect()
    }

    /// What a role's password is checked against (`SCRAM-SHA-256$...`); `None` when it has none, or there is no such
    /// role.
    pub fn role_verifier(&self, name: &str) -> Option<String> {
        self.catalog().role_by_name(name)?.verifier.clone()
    }

    pub(crate) fn register(&self, activity: &Arc<Activity>) {
        self.inner.sessions.lock().insert(activity.pid(), activity.clone());
    }

    pub(crate) fn unregister(&self, pid: i32) {
        self.inner.sessions.lock().remove(&pid);
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Parsed texts.
    pub(crate) fn sources(&self) -> &SourceCache {
        &self.inner.sources
    }

    pub(crate) fn row_counts(&self) -> &RowCounts {
        &self.inner.row_counts
    }

    /// The memory that all running queries share.
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.inner.memory
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.inner.config.query_memory()
    }

    pub(crate) fn next_pid(&self) -> i32 {
        (self.inner.next_pid.fetch_add(1, Ordering::Relaxed) & 0x7fff_ffff).cast_signed()
    }
}

impl Inner {
    /// Remembers when new indexes were made, and forgets those that are gone. The commit is published, the catalog not
    /// yet: whoever knows the index from now on and takes a snapshot afterwards sees its entries.
    fn note_index_births(&self, old: &CatalogSnapshot, new: &CatalogSnapshot, changes: &[Change]) {
        if !changes.iter().any(|change| change.key().kind == ObjectKind::Index) {
            return;
        }
        let now = self.transactions.storage().last_commit();
        let mut births = self.index_births.lock();
        for index in changes.iter().filter_map(|change| new.index(change.key().oid)) {
            if old.index(index.oid).is_none_or(|known| known.storage != index.storage) {
                births.insert(index.storage, now);
            }
        }
        births.retain(|storage, _| new.indexes().any(|index| index.storage == *storage));
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.inner.config.path).finish_non_exhaustive()
    }
}

/// Reads the catalog's rows; a new store is given its first ones.
async fn load_catalog(transactions: &Transactions, version: u64) -> Result<CatalogSnapshot> {
    let stored = stored_changes(transactions).await?;
    if !stored.is_empty() {
        return Ok(CatalogSnapshot::empty().apply(&stored).with_version(version.max(1)));
    }
    let changes = initial_changes();
    let transaction = transactions.begin(TransactionOptions::default());
    let statement = transaction.statement();
    for change in &changes {
        let (key, value) = change.encode();
        let value = value.ok_or_else(|| PgError::internal("the initial catalog removes an object"))?;
        transaction.put(&statement, CATALOG, key.into(), value.into(), false);
        if let Change::Put(object) = change {
            let (kind, name) = match object {
                Object::Schema(schema) => (NameSpace::Schema, &schema.name),
                Object::Role(role) => (NameSpace::Role, &role.name),
                Object::Database(database) => (NameSpace::Database, &database.name),
                _ => continue,
            };
            claim_initial_name(&transaction, &statement, kind, name, change.key().oid);
        }
    }
    transaction.commit(CommitOptions { catalog_version: 1, ..CommitOptions::default() }).await?;
    Ok(CatalogSnapshot::empty().apply(&changes))
}

async fn stored_changes(transactions: &Transactions) -> Result<Vec<Change>> {
    let storage = transactions.storage();
    let snapshot = storage.snapshot();
    let mut scan = storage.scan(CATALOG, KeyRange::all(), Direction::Forward, snapshot.commit_ts());
    let mut changes = Vec::new();
    let mut rows = Vec::new();
    loop {
        let more = scan.next_rows(1024, &mut rows).await.map_err(helios_txn::Error::from)?;
        for row in rows.drain(..) {
            if let Value::Row(value) = &row.version.value {
                changes.push(Change::decode(&row.key, Some(value))?);
            }
        }
        if !more {
            return Ok(changes);
        }
    }
}
