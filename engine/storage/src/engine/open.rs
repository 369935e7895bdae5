//! Opening: from a directory to an engine.
//!
//! Nothing in the directory is changed before everything in it has been understood (a new one gets its FORMAT, its
//! directories and an empty manifest, in this order); then the log's
//! unproven tail is made durable in a new segment, a new manifest base is installed, and what neither names is removed.
//! A crash in between leaves a directory from which the same follows again.

use helios_env::sync::{Arc, AsyncMutex, Mutex, Ordering};
use helios_env::{Env, ErrorKind};

use super::{Counters, Engine};
use crate::cache::BlockCache;
use crate::directory::{self, Listing, TABLE_DIRECTORY};
use crate::log::{CommitRecord, Driver, Event, LOG_DIRECTORY, Lsn, Record, SegmentName, Source, TornTail, replay};
use crate::manifest::{EditError, MANIFEST_DIRECTORY, Manifest, ManifestName, ManifestState};
use crate::memtable::Memtable;
use crate::snapshot::Snapshots;
use crate::table::{Table, TableContext, table_path};
use crate::tree::{Facts, LEVELS, LevelFile, Levels, Tree, TreeState};
use crate::{CommitTs, Error, Options, Result, WriteBatch};

/// Edits behind a base before a new base is written.
const MANIFEST_EDITS_MAX: usize = 256;
const MANIFEST_EDITS_MAX_TINY: usize = 8;

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The directory was empty and a database was created in it.
    pub created: bool,
    /// Commits, and bytes of log, that no file held yet.
    pub replayed_commits: u64,
    /// See `replayed_commits`.
    pub replayed_bytes: u64,
    /// What was being written to the log when the end came.
    pub torn_tail: Option<TornTail>,
    /// Bytes of log that could be read but were not known to be durable, and were written again.
    pub rewritten_bytes: u64,
    /// Files that a flush, compaction or rotation had left unfinished, and that were removed.
    pub removed_files: u64,
    /// Highest transaction id ever logged.
    pub last_xid: u64,
    /// Highest catalog version ever logged.
    pub catalog_version: u64,
}

impl Options {
    fn check(&self) -> Result<()> {
        let minimum = if self.direct_io { helios_env::ALIGNMENT } else { 512 };
        if !self.log_block_bytes.is_power_of_two() || self.log_block_bytes < minimum || self.log_block_bytes > 1 << 20 {
            return Err(Error::Invalid(
                format!("a log block of {} bytes is not possible", self.log_block_bytes).into(),
            ));
        }
        Ok(())
    }
}

/// Opens the directory; see the module's documentation.
pub(crate) async fn open(env: Env, options: Options) -> Result<(Arc<Engine>, RecoveryReport)> {
    options.check()?;
    let options = Arc::new(options);
    let lock = directory::lock(&env).await?;
    let mut report = RecoveryReport::default();
    let database = match directory::identify(&env).await? {
        Some(database) => database,
        None if options.must_exist => {
            let what = "there is no database here".into();
            return Err(Error::Foreign { path: env.disk.describe().into(), what });
        }
        None => {
            let rng = env.rng.fork("database identity");
            let database = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
            directory::claim(&env, database).await?;
            database
        }
    };
    directory::settle(&env).await?;
    let listing = directory::list(&env).await?;
    let (manifest_number, state, torn) = read_manifest(&env, &options, database, &listing, &mut report).await?;
    let cache = Arc::new(BlockCache::new(options.cache_bytes));
    let (direct, disk) = (options.direct_io, env.disk.clone());
    let tables = TableContext { disk, database, direct, cache, graveyard: Arc::default() };
    let blame = |error| blame_manifest(manifest_number, torn, error);
    let levels = open_levels(&tables, &listing, &state).await.map_err(blame)?;

    let mut rebuild = Rebuild::new(&state, options.memtable_bytes);
    let source = Source { env: &env, direct, database };
    let mut segments: Vec<u64> = listing.segments.iter().filter_map(|name| name.segment()).collect();
    segments.sort_unstable();
    let (newest, flushed) = (state.newest_segment, state.flushed_lsn);
    let replayed = replay(&source, &segments, newest, flushed, None, &mut |event| rebuild.see(event)).await;
    let replayed = replayed.map_err(blame)?;
    report.replayed_commits = rebuild.commits;
    report.replayed_bytes = rebuild.bytes;
    report.torn_tail = replayed.torn.clone();
    report.rewritten_bytes = replayed.unproven_bytes();
    report.last_xid = rebuild.facts.last_xid;
    report.catalog_version = rebuild.facts.catalog_version;
    if let Some(torn) = &report.torn_tail {
        env.sometimes("storage: recovery found a torn tail");
        tracing::info!(file = torn.file, offset = torn.offset, bytes = torn.bytes, "the log ends in a torn write");
    }

    // Understood; from here on the directory changes. Names of unfinished segments may be used again.
    report.removed_files += remove_unfinished(&env, &listing).await?;
    let obsolete_segments = replayed.obsolete.clone();
    let writer = replayed.go_on(&env, &options, database, lock.clone()).await?;
    let manifest = install_manifest(&env, &options, database, manifest_number, &state, &writer, &listing).await?;
    report.removed_files += remove_orphans(&env, &listing, &state, manifest_number, &obsolete_segments).await?;

    let last_commit = rebuild.last_commit;
    let next_file = manifest.state().next_file;
    let snapshots = Snapshots::new(last_commit);
    let (active, immutable) = rebuild.memtables();
    let state = TreeState { active, immutable, levels: Arc::new(levels) };
    let tree = Arc::new(Tree::new(env, options, tables, snapshots, state, lock));
    *tree.facts.lock() = rebuild.facts;
    tree.next_file.store(next_file, Ordering::Relaxed);
    let (progress, segments) = (writer.progress().clone(), writer.segments().clone());
    let log = Driver::start(writer, tree.clone(), last_commit.next());
    let engine = Arc::new(Engine {
        tree,
        log,
        progress,
        segments,
        manifest: AsyncMutex::new(Box::new(manifest)),
        flush_turn: AsyncMutex::new(()),
        compaction_turn: AsyncMutex::new(()),
        cursors: Mutex::default(),
        undecided: Mutex::default(),
        compaction_is_stuck: false.into(),
        workers: Mutex::default(),
        counters: Counters::default(),
    });
    engine.start_workers();
    engine.tree.flush_wanted.notify();
    engine.tree.want_compaction();
    Ok((engine, report))
}

/// What the newest manifest says, and its number; a first one is made in a directory that is being created.
async fn read_manifest(
    env: &Env,
    options: &Options,
    database: u128,
    listing: &Listing,
    report: &mut RecoveryReport,
) -> Result<(u64, ManifestState, Option<u64>)> {
    let Some(newest) = listing.manifests.iter().filter_map(|name| name.manifest()).max() else {
        let segment = listing.segments.iter().find_map(|name| name.segment()).map(|id| SegmentName::Segment(id).path());
        return match segment.or_else(|| listing.tables.first().map(|&id| table_path(id))) {
            None => {
                report.created = true;
                // Before there is a log: a log without a manifest is a database that lost it.
                let (direct, state) = (options.direct_io, ManifestState::default());
                let created = Manifest::create(env, direct, database, 1, state, MANIFEST_EDITS_MAX).await;
                created.map_err(manifest_error)?;
                Ok((1, ManifestState::default(), None))
            }
            Some(path) => {
                let what = format!("there is no manifest, but there is \"{path}\"");
                Err(Error::corruption(MANIFEST_DIRECTORY, 0, what))
            }
        };
    };
    let (state, torn) = Manifest::read(env, options.direct_io, database, newest).await?;
    if let Some(offset) = torn {
        env.sometimes("storage: recovery found a torn manifest edit");
        tracing::info!(offset, "the manifest ends in a torn write");
    }
    Ok((newest, state, torn))
}

/// An edit that cannot be read is taken for one that was being written. If files or log then do not fit, it was not: they
/// were changed after it was durable.
fn blame_manifest(manifest: u64, torn: Option<u64>, error: Error) -> Error {
    match (torn, error) {
        (Some(offset), error @ Error::Corruption { .. }) => {
            let what = format!("an edit cannot be read, and without it {error}");
            Error::corruption(&ManifestName::Manifest(manifest).path(), offset, what)
        }
        (_, error) => error,
    }
}

async fn open_levels(tables: &TableContext, listing: &Listing, state: &ManifestState) -> Result<Levels> {
    let mut files = Vec::with_capacity(state.files.len());
    for record in state.files.values() {
        let id = record.summary.id;
        if !listing.tables.contains(&id) {
            return Err(Error::corruption(&table_path(id), 0, "the file is missing: the manifest names it"));
        }
        let level = usize::from(record.level);
        if level >= LEVELS {
            return Err(Error::corruption(&table_path(id), 0, "the manifest puts the file into an unknown level"));
        }
        let table = Table::open(tables, record.summary.clone()).await?;
        files.push((level, LevelFile { rank: record.rank, collected: record.collected, table }));
    }
    Ok(Levels::new(files))
}

/// The base that every open writes: what was read may not have been durable.
async fn install_manifest(
    env: &Env,
    options: &Options,
    database: u128,
    number: u64,
    state: &ManifestState,
    writer: &crate::log::LogWriter,
    listing: &Listing,
) -> Result<Manifest> {
    let mut state = state.clone();
    state.version += 1;
    state.newest_segment = writer.segments().newest().unwrap_or(0);
    // Numbers of files that no manifest names were used, too.
    let highest = listing.tables.iter().max().copied().unwrap_or(0);
    state.next_file = state.next_file.max(highest + 1);
    let is_tiny = options.segment_bytes < 1 << 20;
    let edits_max = if is_tiny { MANIFEST_EDITS_MAX_TINY } else { MANIFEST_EDITS_MAX };
    let manifest = Manifest::create(env, options.direct_io, database, number + 1, state, edits_max).await;
    manifest.map_err(manifest_error)
}

fn manifest_error(error: EditError) -> Error {
    match error {
        EditError::NoSpace(error) | EditError::Fatal(error) => Error::Io(error),
        EditError::Refused(what) => Error::corruption(MANIFEST_DIRECTORY, 0, what),
    }
}

async fn remove_unfinished(env: &Env, listing: &Listing) -> Result<u64> {
    let segments = listing.segments.iter().filter(|name| name.segment().is_none()).map(|name| name.path());
    let manifests = listing.manifests.iter().filter(|name| name.manifest().is_none()).map(|name| name.path());
    let mut removed = 0;
    for path in segments.chain(manifests) {
        env.sometimes("storage: recovery removed an unfinished file");
        remove(env, &path).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Removes what is not part of the database any more, or never was.
async fn remove_orphans(
    env: &Env,
    listing: &Listing,
    state: &ManifestState,
    manifest: u64,
    segments: &[u64],
) -> Result<u64> {
    let mut removed = 0;
    for &id in listing.tables.iter().filter(|id| !state.files.contains_key(id)) {
        env.sometimes("storage: recovery removed a table that no manifest names");
        remove(env, &table_path(id)).await?;
        removed += 1;
    }
    let older = listing.manifests.iter().filter_map(|name| name.manifest()).filter(|&number| number < manifest);
    for number in older.chain([manifest]) {
        remove(env, &ManifestName::Manifest(number).path()).await?;
    }
    for &id in segments {
        remove(env, &SegmentName::Segment(id).path()).await?;
    }
    // Lest a file come back under a number that is used again.
    for directory in [TABLE_DIRECTORY, LOG_DIRECTORY, MANIFEST_DIRECTORY] {
        env.disk.sync_dir(directory).await?;
    }
    Ok(removed)
}

async fn remove(env: &Env, path: &str) -> Result<()> {
    match env.disk.remove(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Memtables and facts, rebuilt from the log.
struct Rebuild {
    facts: Facts,
    active: Memtable,
    /// Full ones, oldest first.
    full: Vec<Memtable>,
    memtable_bytes: usize,
    last_commit: CommitTs,
    commits: u64,
    bytes: u64,
}

impl Rebuild {
    fn new(state: &ManifestState, memtable_bytes: usize) -> Rebuild {
        let facts = Facts {
            sequences: state.sequences.clone(),
            layouts: state.layouts.clone(),
            last_xid: state.last_xid,
            catalog_version: state.catalog_version,
        };
        let last_commit = state.last_commit;
        let (active, full) = (Memtable::starting_at(state.flushed_lsn), Vec::new());
        Rebuild { facts, active, full, memtable_bytes, last_commit, commits: 0, bytes: 0 }
    }

    fn see(&mut self, event: Event) {
        match event {
            // Only here: positions before a boundary are the same in the log that goes on.
            Event::Boundary(position) => self.rotate_if_full(position),
            Event::Batch(records, bytes) => {
                self.bytes += bytes;
                records.into_iter().for_each(|record| self.apply(record));
            }
        }
    }

    fn rotate_if_full(&mut self, position: Lsn) {
        if self.active.bytes() >= self.memtable_bytes {
            self.active.set_log_end(position);
            self.full.push(std::mem::replace(&mut self.active, Memtable::starting_at(position)));
        }
    }

    fn apply(&mut self, record: Record) {
        let batch = match record {
            Record::Commit(commit) => return self.apply_commit(commit),
            Record::Seal => return,
            Record::Layout(layout) => WriteBatch { layouts: vec![layout], ..WriteBatch::default() },
            Record::Sequences { reserved, dropped } => {
                WriteBatch { sequences: reserved, dropped_sequences: dropped, ..WriteBatch::default() }
            }
        };
        self.facts.apply(&batch);
        self.active.note(&batch, self.last_commit);
    }

    fn apply_commit(&mut self, commit: CommitRecord) {
        let CommitRecord { xid, commit_ts, catalog_version, writes, dropped_spaces } = commit;
        let batch = WriteBatch { xid, catalog_version, dropped_spaces, ..WriteBatch::default() };
        self.facts.apply(&batch);
        self.active.note(&batch, commit_ts);
        self.last_commit = self.last_commit.max(commit_ts);
        self.commits += 1;
        self.active.rebuild(writes);
    }

    fn memtables(&mut self) -> (Arc<Memtable>, Vec<Arc<Memtable>>) {
        let full = std::mem::take(&mut self.full).into_iter().rev().map(Arc::new).collect();
        (Arc::new(std::mem::take(&mut self.active)), full)
    }
}

impl SegmentName {
    fn segment(self) -> Option<u64> {
        match self {
            SegmentName::Segment(id) => Some(id),
            SegmentName::Unfinished(_) => None,
        }
    }
}

impl ManifestName {
    fn manifest(self) -> Option<u64> {
        match self {
            ManifestName::Manifest(number) => Some(number),
            ManifestName::Unfinished(_) => None,
        }
    }
}
