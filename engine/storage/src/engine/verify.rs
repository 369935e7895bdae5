//! Verify: read everything, believe nothing.
//!
//! Checks every block's checksum, the order of keys in every file, index entries against the blocks that they name,
//! filters against the keys, properties and the manifest's summaries against the contents, levels against their order, the
//! log's chain, and the manifest against the directory. It changes nothing and stops at nothing: what it finds is listed.

use std::cmp::Reverse;

use bytes::Bytes;
use helios_env::sync::Arc;

use super::Engine;
use crate::directory;
use crate::log::{Source, replay};
use crate::manifest::{Manifest, ManifestName, ManifestState};
use crate::table::{BlockKind, Handle, IndexBlock, Table, TableSummary, check_filter, scan_block, table_path};
use crate::tree::{LEVELS, Levels};
use crate::{CommitTs, Error, Result};

/// What [`crate::Storage::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// One line per problem, each naming its file; none means clean.
    pub problems: Vec<String>,
    /// Files of the tree that were read.
    pub tables: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Versions in them.
    pub entries: u64,
    /// Segments of the log that were read.
    pub segments: u64,
}

impl VerifyReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn note(&mut self, problem: impl ToString) {
        self.problems.push(problem.to_string());
    }
}

impl Engine {
    /// See the module's documentation. Flushes and compactions wait meanwhile; commits do not.
    pub(crate) async fn verify(&self) -> VerifyReport {
        let mut report = VerifyReport::default();
        let _flush = self.flush_turn.lock().await;
        let _compaction = self.compaction_turn.lock().await;
        let levels = self.tree.state().levels.clone();
        verify_order(&levels, &mut report);
        for (_, file) in levels.files() {
            report.tables += 1;
            if let Err(error) = verify_table(&file.table, &mut report).await {
                report.note(error);
            }
        }
        if let Err(error) = self.verify_directory(&levels, &mut report).await {
            report.note(error);
        }
        report
    }

    async fn verify_directory(&self, levels: &Levels, report: &mut VerifyReport) -> Result<()> {
        let manifest = self.manifest.lock().await;
        let tree = &self.tree;
        let listing = directory::list(&tree.env).await?;
        let direct = tree.options.direct_io;
        let number = listing.manifests.iter().filter_map(|name| match name {
            ManifestName::Manifest(number) => Some(*number),
            ManifestName::Unfinished(_) => None,
        });
        let newest = number.max().ok_or_else(|| Error::corruption("manifest", 0, "there is no manifest"))?;
        let (on_disk, _) = Manifest::read(&tree.env, direct, tree.database, newest).await?;
        verify_manifest(&manifest, &on_disk, levels, report);
        for (id, _) in on_disk.files.iter().filter(|(id, _)| !listing.tables.contains(id)) {
            report.note(Error::corruption(&table_path(*id), 0, "the file is missing: the manifest names it"));
        }
        // Only what is complete by now: commits go on meanwhile.
        let until = self.progress.written();
        let source = Source { env: &tree.env, direct, database: tree.database };
        let segments = self.segments.ids();
        report.segments = segments.len() as u64;
        replay(&source, &segments, on_disk.newest_segment, on_disk.flushed_lsn, Some(until), &mut |_| ()).await?;
        Ok(())
    }
}

fn verify_manifest(manifest: &Manifest, on_disk: &ManifestState, levels: &Levels, report: &mut VerifyReport) {
    if !manifest.may_be_read_as(on_disk) {
        report.note("the manifest on disk is not the one in memory");
    }
    let state = manifest.state();
    let mut in_tree: Vec<(u64, usize)> = levels.files().map(|(level, file)| (file.table.id(), level)).collect();
    in_tree.sort_unstable();
    let named: Vec<(u64, usize)> = state.files.iter().map(|(&id, file)| (id, usize::from(file.level))).collect();
    if in_tree != named {
        report.note("the manifest names other files than the tree holds");
    }
}

/// Levels below the first ascend without overlap.
fn verify_order(levels: &Levels, report: &mut VerifyReport) {
    for level in 1..LEVELS {
        for pair in levels.level(level).windows(2) {
            let (left, right) = (pair[0].summary(), pair[1].summary());
            if left.largest >= right.smallest {
                let (left, right) = (table_path(left.id), table_path(right.id));
                report.note(format!("files \"{left}\" and \"{right}\" of level {level} overlap"));
            }
        }
    }
}

/// What a walk over a file has seen so far.
#[derive(Default)]
struct Seen {
    last: Option<(Vec<u8>, Reverse<CommitTs>)>,
    summary: TableSummary,
}

async fn verify_table(table: &Arc<Table>, report: &mut VerifyReport) -> Result<()> {
    let mut seen = Seen::default();
    seen.summary.min_ts = CommitTs(u64::MAX);
    let top = table.top();
    for partition in 0..top.count() {
        let malformed = || table.damaged(Handle::default(), "the top index is malformed");
        let entry = top.entry(partition).ok_or_else(malformed)?;
        let filter = match entry.filter {
            Some(handle) => Some((handle, table.read(handle, BlockKind::Filter, false).await?)),
            None => None,
        };
        report.blocks += 1 + u64::from(filter.is_some());
        let payload = table.read(entry.handle, BlockKind::Index, false).await?;
        let index = table.index_block(entry.handle, payload)?;
        verify_partition(table, &index, filter.as_ref(), entry.handle, &mut seen, report).await?;
        if seen.last.as_ref().is_none_or(|(key, _)| key != entry.last_key) {
            return Err(table.damaged(entry.handle, "the top index states another last key than the partition has"));
        }
    }
    report.entries += seen.summary.entries;
    let Some((largest, _)) = seen.last else { return Err(table.damaged(Handle::default(), "the file holds nothing")) };
    let (id, bytes) = (table.summary.id, table.summary.bytes);
    let found = TableSummary { id, bytes, largest: largest.into(), ..seen.summary };
    if found != table.summary {
        return Err(table.damaged(Handle::default(), "the file's properties do not match its contents"));
    }
    Ok(())
}

async fn verify_partition(
    table: &Arc<Table>,
    index: &IndexBlock,
    filter: Option<&(Handle, Bytes)>,
    handle: Handle,
    seen: &mut Seen,
    report: &mut VerifyReport,
) -> Result<()> {
    for slot in 0..index.count() {
        let entry = index.entry(slot).ok_or_else(|| table.damaged(handle, "an index block is malformed"))?;
        let payload = table.read(entry.handle, BlockKind::Data, false).await?;
        let block = table.data_block(entry.handle, payload)?;
        report.blocks += 1;
        let mut problem = None;
        let walked = scan_block(&block, &mut |key, commit_ts, is_live| {
            let place = (key.to_vec(), Reverse(commit_ts));
            if seen.last.as_ref().is_some_and(|last| *last >= place) {
                problem = Some("keys are out of order");
            }
            if filter.is_some_and(|(_, payload)| !check_filter(payload, key)) {
                problem = Some("the filter denies a key that is there");
            }
            let summary = &mut seen.summary;
            if summary.entries == 0 {
                summary.smallest = Bytes::copy_from_slice(key);
            }
            summary.entries += 1;
            summary.deletions += u64::from(!is_live);
            summary.min_ts = summary.min_ts.min(commit_ts);
            summary.max_ts = summary.max_ts.max(commit_ts);
            seen.last = Some(place);
        });
        if walked.is_none() {
            problem = Some("a data block is malformed");
        }
        if seen.last.as_ref().is_none_or(|(key, _)| key != entry.last_key) {
            problem = problem.or(Some("the index states another last key than the block has"));
        }
        if let Some(problem) = problem {
            return Err(table.damaged(entry.handle, problem));
        }
    }
    Ok(())
}
