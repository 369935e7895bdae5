//! A transaction: snapshots per statement, a private write set, locks until the end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use helios_env::Env;
use helios_env::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering};
use helios_storage::row::Layout;
use helios_storage::{
    CommitTs, Committing as LogCommit, Direction, Durability, KeyRange, Lookup, Snapshot, Space, Storage, Value,
    Version, WriteBatch,
};

use crate::error::{Error, Result};
use crate::lock_table::{Acquired, LockTable, LockTag, Owner};
use crate::mode::{RowLockMode, TableLockMode, Wait};
use crate::scan::TransactionScan;
use crate::sequences::{Carried, Sequences};
use crate::write_set::OwnVersion;

/// PostgreSQL's isolation levels, as far as they exist here: READ UNCOMMITTED is READ COMMITTED, and SERIALIZABLE is
/// refused by the floors above rather than weakened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// A snapshot per statement.
    ReadCommitted,
    /// One snapshot, taken by the first statement; the first updater wins.
    RepeatableRead,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub struct TransactionOptions {
    /// Isolation level.
    pub isolation: IsolationLevel,
    /// `pg_backend_pid()` of the session, for deadlock reports.
    pub pid: i32,
    /// How long a waiter waits before it looks for a deadlock.
    pub deadlock_timeout: Duration,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        TransactionOptions {
            isolation: IsolationLevel::ReadCommitted,
            pid: 0,
            deadlock_timeout: Duration::from_secs(1),
        }
    }
}

/// Number of a statement within its transaction, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u32);

/// A running statement: what it sees, and under which number it writes.
#[derive(Clone)]
pub struct Statement {
    /// Committed state that it sees.
    pub snapshot: Snapshot,
    /// It sees this transaction's own writes of earlier commands.
    pub command: CommandId,
    /// How long it waits for a key that another transaction is about to take or to free (`lock_timeout`).
    pub lock_timeout: Option<Duration>,
}

impl Statement {
    /// The same statement with this `lock_timeout`.
    #[must_use]
    pub fn with_lock_timeout(self, lock_timeout: Option<Duration>) -> Statement {
        Statement { lock_timeout, ..self }
    }

    /// The timestamp up to which commits are visible.
    pub fn timestamp(&self) -> CommitTs {
        self.snapshot.commit_ts()
    }
}

/// What became of an insertion.
#[derive(Clone, Debug)]
pub enum Inserted {
    /// The key is ours now.
    Done,
    /// A live row has this key: committed, or written by this transaction.
    Exists(Version),
}

/// What was found once a row lock was held.
#[derive(Clone, Debug)]
pub enum RowLock {
    /// The row is as the statement saw it.
    Current(Version),
    /// READ COMMITTED: the row was updated since; here is its newest version and where it is now. Re-check the
    /// statement's condition on it.
    Newer {
        /// The row's key now.
        key: Bytes,
        /// Its newest version.
        version: Version,
    },
    /// READ COMMITTED: the row was deleted since (another row may have its key).
    Gone,
    /// This very statement (or a later one) has changed the row already.
    SelfModified,
    /// SKIP LOCKED, and somebody holds it.
    Skipped,
}

/// What to do with a row that is not the version any more that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// Take what it has become, under whichever key.
    Follow,
    GiveUp,
}

/// Whether a new row may stand before one that the snapshot still shows; see [`Transaction::hides_a_row`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hiding {
    Refused,
    Harmless,
}

/// Everything that transactions of one store share. Cheap to clone.
#[derive(Clone)]
pub struct Transactions(Arc<Shared>);

struct Shared {
    env: Env,
    storage: Storage,
    locks: LockTable,
    sequences: Sequences,
    next_owner: AtomicU64,
    next_xid: AtomicU64,
}

impl Transactions {
    /// Over a store that was just opened; `first_xid` is above every xid in its log.
    pub fn new(env: Env, storage: Storage, first_xid: u64) -> Transactions {
        let sequences = Sequences::new(storage.clone());
        let locks = LockTable::new(env.clone());
        Transactions(Arc::new(Shared {
            env,
            storage,
            locks,
            sequences,
            next_owner: AtomicU64::new(1),
            next_xid: AtomicU64::new(first_xid),
        }))
    }

    /// The store below.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Sequences, which live outside transactions.
    pub fn sequences(&self) -> &Sequences {
        &self.0.sequences
    }

    /// How many locks are held explicitly, by anyone.
    pub fn explicit_locks(&self) -> usize {
        self.0.locks.len()
    }

    /// Starts a transaction.
    pub fn begin(&self, options: TransactionOptions) -> Transaction {
        let id = self.0.next_owner.fetch_add(1, Ordering::Relaxed);
        Transaction {
            shared: self.0.clone(),
            owner: Owner::new(id, options.pid),
            options,
            xid: AtomicU64::new(0),
            command: AtomicU32::new(0),
            snapshot: Mutex::new(None),
            savepoints: Mutex::default(),
            numbered: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        }
    }
}

/// A savepoint, in the order of their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavepointId(usize);

struct Savepoint {
    writes: usize,
    locks: usize,
}

/// One transaction. Dropping it rolls it back.
pub struct Transaction {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    options: TransactionOptions,
    xid: AtomicU64,
    command: AtomicU32,
    snapshot: Mutex<Option<Snapshot>>,
    savepoints: Mutex<Vec<Savepoint>>,
    /// It was given numbers of sequences.
    numbered: AtomicBool,
    finished: AtomicBool,
}

impl Transaction {
    /// Its isolation level.
    pub fn isolation(&self) -> IsolationLevel {
        self.options.isolation
    }

    /// Its xid, once it has written something.
    pub fn xid(&self) -> Option<u64> {
        match self.xid.load(Ordering::Relaxed) {
            0 => None,
            xid => Some(xid),
        }
    }

    /// Its xid, assigned now if it has none.
    pub fn assign_xid(&self) -> u64 {
        if self.xid.load(Ordering::Relaxed) == 0 {
            let xid = self.shared.next_xid.fetch_add(1, Ordering::Relaxed);
            self.xid.store(xid, Ordering::Relaxed);
            self.shared.locks.add_writer(&self.owner);
        }
        self.xid.load(Ordering::Relaxed)
    }

    /// It was given a number of a sequence, or has set one: its commit is acknowledged once no crash can make the
    /// sequence give that number again, though it be all that the transaction did.
    pub fn used_sequences(&self) {
        self.numbered.store(true, Ordering::Relaxed);
    }

    /// Whether it has buffered writes.
    pub fn has_writes(&self) -> bool {
        !self.owner.write_set.lock().is_empty()
    }

    /// Bytes buffered.
    pub fn memory(&self) -> usize {
        self.owner.write_set.lock().memory()
    }

    /// The store below.
    pub fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    /// Sequences, which live outside transactions.
    pub fn sequences(&self) -> &Sequences {
        &self.shared.sequences
    }

    /// Begins a statement: a fresh snapshot at READ COMMITTED, the transaction's at REPEATABLE READ, and the next
    /// command number.
    pub fn statement(&self) -> Statement {
        let command = CommandId(self.command.fetch_add(1, Ordering::Relaxed) + 1);
        let snapshot = match self.options.isolation {
            IsolationLevel::ReadCommitted => self.shared.storage.snapshot(),
            IsolationLevel::RepeatableRead => {
                self.snapshot.lock().get_or_insert_with(|| self.shared.storage.snapshot()).clone()
            }
        };
        Statement { snapshot, command, lock_timeout: None }
    }

    /// Up to which commit every further statement sees, if that is settled: at REPEATABLE READ, once there was one.
    pub fn fixed_timestamp(&self) -> Option<CommitTs> {
        self.snapshot.lock().as_ref().map(Snapshot::commit_ts)
    }

    /// The version of a key that `statement` sees; `None` where there is no live row. Answers from memory or says that
    /// it must wait.
    pub fn try_get(&self, statement: &Statement, space: Space, key: &[u8]) -> Result<Lookup> {
        if let Some(own) = self.owner.write_set.lock().visible(space, key, statement.command) {
            return Ok(match own.value {
                Value::Row(_) => Lookup::Found(own_version(own)),
                Value::Deleted | Value::Moved { .. } => Lookup::Absent,
            });
        }
        Ok(match self.shared.storage.try_get(space, key, statement.timestamp())? {
            Lookup::Found(version) if !matches!(version.value, Value::Row(_)) => Lookup::Absent,
            other => other,
        })
    }

    /// [`Transaction::try_get`], waiting where it must.
    pub async fn get(&self, statement: &Statement, space: Space, key: &[u8]) -> Result<Option<Version>> {
        match self.try_get(statement, space, key)? {
            Lookup::Found(version) => Ok(Some(version)),
            Lookup::Absent => Ok(None),
            Lookup::NeedsIo => Ok(live(self.shared.storage.get(space, key, statement.timestamp()).await?)),
        }
    }

    /// The rows of a range that `statement` sees, in key order.
    pub fn scan(&self, statement: &Statement, space: Space, range: KeyRange, direction: Direction) -> TransactionScan {
        let own = self.owner.write_set.lock().touches(space).then(|| self.owner.clone());
        let storage = self.shared.storage.scan(space, range.clone(), direction, statement.timestamp());
        TransactionScan::new(storage, own, statement.clone(), space, range, direction)
    }

    /// Locks a table, by OID, until the end of the transaction. `false`: skipped.
    pub async fn lock_table(&self, table: u32, mode: TableLockMode, wait: Wait) -> Result<bool> {
        let acquired = self.acquire(None, LockTag::Table(table), mode.into(), wait).await?;
        Ok(acquired != Acquired::Skipped)
    }

    /// Takes a lock, or fails with the storage's poison.
    ///
    /// A commit that met a failed sync has let go of its locks, and whether it happened nobody knows before the store is
    /// opened again: a lock that was free only because of that would let its holder conclude that it did not. Reading
    /// what was published before goes on.
    async fn acquire(
        &self,
        command: Option<CommandId>,
        tag: LockTag,
        mode: crate::mode::Mode,
        wait: Wait,
    ) -> Result<Acquired> {
        let only_reads = matches!(tag, LockTag::Table(_)) && mode == TableLockMode::AccessShare.into();
        let timeout = self.options.deadlock_timeout;
        let acquired = self.shared.locks.acquire(&self.owner, command, tag, mode, wait, timeout).await?;
        if !only_reads {
            self.shared.storage.check_health()?;
        }
        Ok(acquired)
    }

    /// Locks the row that `statement` saw as `seen` under `key`, and says what it is now.
    ///
    /// REPEATABLE READ fails with [`Error::SerializationFailure`] when the row was changed after its snapshot.
    pub async fn lock_row(
        &self,
        statement: &Statement,
        space: Space,
        key: &Bytes,
        seen: &Version,
        mode: RowLockMode,
        wait: Wait,
    ) -> Result<RowLock> {
        self.lock_row_or_heir(statement, space, key, seen, mode, (wait, Changed::Follow)).await
    }

    /// Locks the row version `seen`, the newest of `key` a moment ago. If it is not the newest any more when the lock is had,
    /// the row is [`RowLock::Gone`] and not locked: ON CONFLICT begins anew then, since what came in its place need not be
    /// in the way (ExecOnConflictUpdate in PostgreSQL's nodeModifyTable.c).
    pub async fn lock_version(
        &self,
        statement: &Statement,
        space: Space,
        key: &Bytes,
        seen: &Version,
        mode: RowLockMode,
        wait: Wait,
    ) -> Result<RowLock> {
        self.lock_row_or_heir(statement, space, key, seen, mode, (wait, Changed::GiveUp)).await
    }

    async fn lock_row_or_heir(
        &self,
        statement: &Statement,
        space: Space,
        key: &Bytes,
        seen: &Version,
        mode: RowLockMode,
        (wait, changed): (Wait, Changed),
    ) -> Result<RowLock> {
        let mut key = key.clone();
        let mut moved = false;
        loop {
            let tag = LockTag::Row(space, key.clone());
            let acquired = self.acquire(Some(statement.command), tag.clone(), mode.into(), wait).await?;
            if acquired == Acquired::Skipped {
                return Ok(RowLock::Skipped);
            }
            let forget = || {
                if acquired == Acquired::New {
                    self.shared.locks.drop_last(&self.owner, statement.command, &tag);
                }
            };
            let own = self.owner.write_set.lock().newest(space, &key).cloned();
            if let Some(own) = own {
                if own.command >= statement.command {
                    return Ok(RowLock::SelfModified);
                }
                return match own.value {
                    Value::Row(_) => Ok(RowLock::Current(own_version(&own))),
                    Value::Deleted | Value::Moved { .. } => Ok(RowLock::Gone),
                };
            }
            let newest = self.newest(space, &key).await?;
            let Some(newest) = newest else {
                forget();
                return Ok(RowLock::Gone);
            };
            if newest.commit_ts <= statement.timestamp() && !moved {
                return Ok(RowLock::Current(newest));
            }
            if self.options.isolation == IsolationLevel::RepeatableRead {
                let what = if matches!(newest.value, Value::Deleted) { "delete" } else { "update" };
                self.shared.env.sometimes("txn: the first updater won");
                return Err(Error::SerializationFailure(what));
            }
            match &newest.value {
                _ if changed == Changed::GiveUp && newest.commit_ts != seen.commit_ts => {
                    forget();
                    return Ok(RowLock::Gone);
                }
                Value::Row(_) if newest.birth == seen.birth => {
                    self.shared.env.sometimes("txn: a row was newer than its statement's snapshot");
                    return Ok(RowLock::Newer { key, version: newest });
                }
                Value::Moved { to } if newest.birth == seen.birth => {
                    forget();
                    self.shared.env.sometimes("txn: a waiter followed a row to its new key");
                    key = to.clone();
                    moved = true;
                }
                _ => {
                    forget();
                    return Ok(RowLock::Gone);
                }
            }
        }
    }

    /// The newest live version of a key, committed or this transaction's own, whatever any snapshot says.
    pub async fn newest_row(&self, space: Space, key: &[u8]) -> Result<Option<Version>> {
        if let Some(own) = self.owner.write_set.lock().newest(space, key) {
            return Ok(live(Some(own_version(own))));
        }
        Ok(live(self.newest(space, key).await?))
    }

    async fn newest(&self, space: Space, key: &[u8]) -> Result<Option<Version>> {
        let newest = CommitTs::NEWEST;
        match self.shared.storage.try_get(space, key, newest)? {
            Lookup::Found(version) => Ok(Some(version)),
            Lookup::Absent => Ok(None),
            Lookup::NeedsIo => Ok(self.shared.storage.get(space, key, newest).await?),
        }
    }

    /// Inserts a row under a key that must be free, waiting for whoever is about to take or to free it. Sees the newest
    /// committed state, whatever the snapshot (a unique constraint holds for everybody).
    pub async fn insert(&self, statement: &Statement, space: Space, key: Bytes, row: Bytes) -> Result<Inserted> {
        self.insert_unless_taken(statement, space, key, row, Hiding::Refused).await
    }

    /// [`Transaction::insert`] where nobody reads through a snapshot: the key may have been freed after this
    /// transaction's. Names of the catalog are such keys.
    pub async fn claim(&self, statement: &Statement, space: Space, key: Bytes, row: Bytes) -> Result<Inserted> {
        self.insert_unless_taken(statement, space, key, row, Hiding::Harmless).await
    }

    async fn insert_unless_taken(
        &self,
        statement: &Statement,
        space: Space,
        key: Bytes,
        row: Bytes,
        hiding: Hiding,
    ) -> Result<Inserted> {
        self.assign_xid();
        let tag = LockTag::Row(space, key.clone());
        let wait = Wait::Block(statement.lock_timeout);
        let acquired = self.acquire(Some(statement.command), tag.clone(), RowLockMode::Update.into(), wait).await?;
        let drop_lock = || {
            if acquired == Acquired::New {
                self.shared.locks.drop_last(&self.owner, statement.command, &tag);
            }
        };
        let own = self.owner.write_set.lock().newest(space, &key).cloned();
        match own {
            Some(own) if matches!(own.value, Value::Row(_)) => {
                drop_lock();
                return Ok(Inserted::Exists(own_version(&own)));
            }
            // Deleted by this transaction: free again. The chain remembers what is below.
            Some(_) => {}
            None => {
                let newest = self.newest(space, &key).await?;
                if hiding == Hiding::Refused && self.hides_a_row(statement, space, &key, newest.as_ref()).await? {
                    drop_lock();
                    return Err(Error::SerializationFailure("delete"));
                }
                if let Some(version) = live(newest) {
                    drop_lock();
                    return Ok(Inserted::Exists(version));
                }
            }
        }
        let version = OwnVersion { command: statement.command, value: Value::Row(row), birth: None };
        self.owner.write_set.lock().push(space, key, version, false, RowLockMode::Update);
        drop_lock();
        Ok(Inserted::Done)
    }

    /// Whether a row written under this key now would stand before one that the snapshot still shows: somebody has deleted it
    /// since. PostgreSQL shows both then, the old row and the new one; a key holds one row here, and to hide one that the
    /// transaction has a right to would be to answer wrongly.
    async fn hides_a_row(
        &self,
        statement: &Statement,
        space: Space,
        key: &Bytes,
        newest: Option<&Version>,
    ) -> Result<bool> {
        let at = statement.timestamp();
        let is_newer = |version: &Version| version.commit_ts > at && version.value.row().is_none();
        if self.options.isolation != IsolationLevel::RepeatableRead || !newest.is_some_and(is_newer) {
            return Ok(false);
        }
        Ok(live(self.shared.storage.get(space, key, at).await?).is_some())
    }

    /// Writes under a key that nobody else can want: a hidden row id just drawn, or an index entry whose row is locked.
    /// `base_live` says whether storage may hold a live version of the key.
    pub fn put(&self, statement: &Statement, space: Space, key: Bytes, row: Bytes, base_live: bool) {
        self.assign_xid();
        let version = OwnVersion { command: statement.command, value: Value::Row(row), birth: None };
        self.owner.write_set.lock().push(space, key, version, base_live, RowLockMode::Update);
    }

    /// Replaces a row that [`Transaction::lock_row`] locked. `previous` is the version that it found.
    pub fn update(&self, statement: &Statement, space: Space, key: Bytes, row: Bytes, previous: &Version) {
        self.write_over(statement, space, key, Value::Row(row), previous, RowLockMode::NoKeyUpdate);
    }

    /// Deletes a row that [`Transaction::lock_row`] locked.
    pub fn delete(&self, statement: &Statement, space: Space, key: Bytes, previous: &Version) {
        self.write_over(statement, space, key, Value::Deleted, previous, RowLockMode::Update);
    }

    /// Moves a row that [`Transaction::lock_row`] locked to another key, which must be free, keeping its identity.
    pub async fn move_row(
        &self,
        statement: &Statement,
        space: Space,
        from: Bytes,
        to: Bytes,
        row: Bytes,
        previous: &Version,
    ) -> Result<Inserted> {
        match self.insert(statement, space, to.clone(), row.clone()).await? {
            Inserted::Exists(version) => Ok(Inserted::Exists(version)),
            Inserted::Done => {
                // The insertion began a new row; a moved one keeps its birth.
                if let Some(birth) = own_birth(previous) {
                    let version = OwnVersion { command: statement.command, value: Value::Row(row), birth: Some(birth) };
                    self.owner.write_set.lock().push(space, to.clone(), version, false, RowLockMode::Update);
                }
                self.write_over(statement, space, from, Value::Moved { to }, previous, RowLockMode::Update);
                Ok(Inserted::Done)
            }
        }
    }

    fn write_over(
        &self,
        statement: &Statement,
        space: Space,
        key: Bytes,
        value: Value,
        previous: &Version,
        strength: RowLockMode,
    ) {
        self.assign_xid();
        let base_live = previous.commit_ts != OWN;
        let version = OwnVersion { command: statement.command, value, birth: own_birth(previous) };
        let tag = LockTag::Row(space, key.clone());
        // The write stands for the lock from here on, so it must not be the weaker of the two.
        let locked = self.shared.locks.last_strength(&self.owner, statement.command, &tag);
        let strength = locked.map_or(strength, |locked| locked.max(strength));
        self.owner.write_set.lock().push(space, key, version, base_live, strength);
        self.shared.locks.drop_last(&self.owner, statement.command, &tag);
    }

    /// Deletes an index entry of a row that this transaction holds. `base_live` as in [`Transaction::put`]; what the
    /// transaction has put there itself is known. An entry that it has not written is in storage, whoever wrote the row:
    /// an earlier statement may have written the row again and left its keys as they were.
    pub fn delete_entry(&self, statement: &Statement, space: Space, key: Bytes, base_live: bool) {
        self.assign_xid();
        let version = OwnVersion { command: statement.command, value: Value::Deleted, birth: None };
        self.owner.write_set.lock().push(space, key, version, base_live, RowLockMode::Update);
    }

    /// Establishes a savepoint.
    pub fn savepoint(&self) -> SavepointId {
        let mut savepoints = self.savepoints.lock();
        let writes = self.owner.write_set.lock().position();
        savepoints.push(Savepoint { writes, locks: self.owner.held_position() });
        SavepointId(savepoints.len() - 1)
    }

    /// Undoes everything since the savepoint, which stays; locks taken since are released.
    pub fn rollback_to(&self, savepoint: SavepointId) {
        let mut savepoints = self.savepoints.lock();
        savepoints.truncate(savepoint.0 + 1);
        let Some(at) = savepoints.last() else { return };
        let freed = self.owner.write_set.lock().rollback_to(at.writes);
        self.shared.locks.release_to(&self.owner, at.locks);
        self.shared.locks.wake_freed(&self.owner, &freed);
    }

    /// Forgets the savepoint and those after it; what was done since stays.
    pub fn release(&self, savepoint: SavepointId) {
        self.savepoints.lock().truncate(savepoint.0);
    }

    /// Undoes everything and releases every lock.
    pub fn rollback(&self) {
        if !self.finished.swap(true, Ordering::Relaxed) {
            self.shared.locks.end(&self.owner);
            *self.snapshot.lock() = None;
        }
    }

    /// Commits: one log record, durable as asked, then published, then every lock released. `None` when there was
    /// nothing to write.
    ///
    /// An error means that nothing was committed, except for storage errors that poison the store: then the outcome is
    /// whatever recovery finds.
    pub async fn commit(&self, options: CommitOptions) -> Result<Option<CommitTs>> {
        assert!(!self.finished.swap(true, Ordering::Relaxed), "a transaction ends once");
        let CommitOptions { durability, catalog_version, dropped_spaces, dropped_sequences, layouts, on_published } =
            options;
        let writes = self.owner.write_set.lock().writes();
        let batch =
            WriteBatch { catalog_version, writes, dropped_spaces, dropped_sequences, layouts, ..WriteBatch::default() };
        let batch = if batch != (WriteBatch { catalog_version, ..WriteBatch::default() }) {
            WriteBatch { xid: self.assign_xid(), ..batch }
        } else if self.numbered.load(Ordering::Relaxed) && self.shared.sequences.owe() {
            WriteBatch::default()
        } else {
            self.shared.locks.end(&self.owner);
            return Ok(None);
        };
        let (outcome, carried) = self.shared.sequences.enqueue(batch, durability);
        let (shared, owner) = (self.shared.clone(), self.owner.clone());
        let mut committing = Committing { shared, owner, outcome: Some(outcome), durability, carried, on_published };
        let committed = std::future::poll_fn(|cx| committing.poll_outcome(cx)).await;
        committing.finish(committed.is_ok());
        Ok(Some(committed?))
    }
}

/// What a commit carries beside the write set.
#[derive(Default)]
pub struct CommitOptions {
    /// When it is acknowledged.
    pub durability: Durability,
    /// Version of the catalog that the transaction ran under.
    pub catalog_version: u64,
    /// Key spaces that nobody reads after this commit.
    pub dropped_spaces: Vec<Space>,
    /// Sequences that no longer exist.
    pub dropped_sequences: Vec<u64>,
    /// Row layouts that its rows are the first to use.
    pub layouts: Vec<Layout>,
    /// Runs once the commit is visible and before any lock is released, also when the committer was dropped.
    pub on_published: Option<Box<dyn FnOnce() + Send>>,
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.rollback();
    }
}

/// A commit that the log is deciding. Dropped early, it goes on in a task of its own, which releases the locks.
struct Committing {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    outcome: Option<LogCommit>,
    durability: Durability,
    carried: Carried,
    on_published: Option<Box<dyn FnOnce() + Send>>,
}

impl Committing {
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<helios_storage::Result<CommitTs>> {
        let outcome = self.outcome.as_mut().expect("polled until it is ready");
        Pin::new(outcome).poll(cx)
    }

    fn finish(&mut self, committed: bool) {
        self.outcome = None;
        if committed {
            self.shared.sequences.settle(&self.carried, self.durability);
        }
        if let (true, Some(on_published)) = (committed, self.on_published.take()) {
            on_published();
        }
        self.shared.locks.end(&self.owner);
    }
}

impl Drop for Committing {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            let mut rest = Committing {
                shared: self.shared.clone(),
                owner: self.owner.clone(),
                outcome: None,
                durability: self.durability,
                carried: std::mem::take(&mut self.carried),
                on_published: self.on_published.take(),
            };
            self.shared.env.sometimes("txn: a commit's client left");
            let spawn = self.shared.env.spawn.clone();
            // Nobody is left to hear the outcome; the locks and the catalog must still learn it.
            let _detached = spawn
                .spawn("commit after its client left", Box::pin(async move { rest.finish(outcome.await.is_ok()) }));
        }
    }
}

/// Commit timestamp of versions that are not committed yet but the transaction's own.
pub(crate) const OWN: CommitTs = CommitTs::NEWEST;

pub(crate) fn own_version(own: &OwnVersion) -> Version {
    Version { commit_ts: OWN, birth: own.birth.unwrap_or(OWN), value: own.value.clone() }
}

fn own_birth(previous: &Version) -> Option<CommitTs> {
    (previous.birth != OWN).then_some(previous.birth)
}

fn live(version: Option<Version>) -> Option<Version> {
    version.filter(|version| matches!(version.value, Value::Row(_)))
}
