//! Flush: a full memtable becomes a file of level 0.

use std::time::Duration;

use bytes::Bytes;
use helios_env::sync::{Arc, Ordering};

use super::Engine;
use super::collect::Collector;
use super::output::Output;
use crate::manifest::{Edit, FileRecord};
use crate::memtable::{Memtable, Notes};
use crate::table::{Table, TableSummary};
use crate::tree::LevelFile;
use crate::{CommitTs, Error, Result, Space};

/// Keys copied out of a memtable under one hold of its lock.
const CHUNK: usize = 128;
/// Pause before a failed flush is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

impl Engine {
    /// Flushes whenever a memtable is full, until the storage stops.
    pub(super) async fn flush_in_background(self: &Arc<Self>) {
        while !self.tree.is_stopping() {
            self.tree.flush_wanted.notified().await;
            while !self.tree.is_stopping() && self.flush_immutable().await.is_err() {
                if self.tree.check_health().is_err() {
                    return;
                }
                self.tree.env.sometimes("storage: a flush failed and was tried again");
                self.tree.env.sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Flushes every memtable that is full, oldest first.
    pub(crate) async fn flush_immutable(&self) -> Result<()> {
        let _turn = self.flush_turn.lock().await;
        loop {
            let oldest = self.tree.state().immutable.last().cloned();
            let Some(oldest) = oldest else { return Ok(()) };
            self.wait_for_compaction().await;
            let outcome = self.flush_one(&oldest).await;
            self.tree.note_flush(&outcome);
            outcome?;
        }
    }

    /// Waits while level 0 has too many files for readers' comfort.
    async fn wait_for_compaction(&self) {
        loop {
            let turn = self.tree.progress.wait();
            let crowded = self.tree.state().levels.level0().len() >= self.tree.options.level0_files_max;
            let hopeless = self.compaction_is_stuck.load(Ordering::Acquire) || self.tree.check_health().is_err();
            if !crowded || hopeless || !self.tree.options.background || self.tree.is_stopping() {
                return;
            }
            self.tree.env.sometimes("storage: a flush waited for compaction");
            self.tree.want_compaction();
            turn.await;
        }
    }

    async fn flush_one(&self, memtable: &Arc<Memtable>) -> Result<()> {
        self.tree.check_health()?;
        let log_end = memtable.log_end();
        assert!(self.progress.durable() >= log_end, "the log is synced before a memtable becomes immutable");
        let notes = memtable.notes();
        let (files, collected) = self.write_memtable(memtable, &notes).await?;
        let opened = self.open_tables(&files).await?;
        let rank = self.tree.next_rank.fetch_add(1, Ordering::Relaxed);
        let (reserved, dropped): (Vec<_>, Vec<_>) =
            notes.sequences.iter().partition(|(_, sequence)| sequence.is_some());
        let edit = Edit {
            added: files.into_iter().map(|summary| FileRecord { level: 0, rank, collected, summary }).collect(),
            flushed_lsn: Some(log_end),
            newest_segment: self.segments.newest(),
            next_file: Some(self.tree.next_file.load(Ordering::Relaxed)),
            last_commit: Some(notes.last_commit),
            last_xid: Some(notes.last_xid),
            catalog_version: Some(notes.catalog_version),
            sequences: reserved.into_iter().filter_map(|(_, sequence)| *sequence).collect(),
            dropped_sequences: dropped.into_iter().map(|(id, _)| *id).collect(),
            layouts: notes.layouts,
            dropped_spaces: notes.dropped_spaces,
            ..Edit::default()
        };
        self.apply_edit(&edit).await?;
        self.tree.change_state(|state| {
            let flushed = state.immutable.pop();
            assert!(flushed.is_some_and(|flushed| Arc::ptr_eq(&flushed, memtable)), "memtables are flushed in order");
            let added = opened.into_iter().map(|table| (0, LevelFile { rank, collected, table }));
            state.levels = Arc::new(state.levels.changed(&[], added));
        });
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        self.segments.remove_below(&self.tree.env, log_end).await;
        self.tree.want_compaction();
        Ok(())
    }

    async fn write_memtable(&self, memtable: &Memtable, notes: &Notes) -> Result<(Vec<TableSummary>, CommitTs)> {
        let known = self.manifest.lock().await.state().dropped_spaces.clone();
        let horizon = self.tree.snapshots.raise_horizon();
        let dropped = known.into_iter().chain(notes.dropped_spaces.iter().copied());
        let mut collector = Collector::new(horizon, dropped, notes.last_commit);
        let mut output = Output::new(self, u64::MAX);
        let mut after: Option<(Space, Bytes)> = None;
        let mut encoded = Vec::new();
        loop {
            let chunk = memtable.keys_after(after.as_ref(), CHUNK);
            let Some((space, key, _)) = chunk.last() else { break };
            after = Some((*space, key.clone()));
            for (space, key, chain) in chunk {
                encoded.clear();
                encoded.extend_from_slice(&space.encode());
                encoded.extend_from_slice(&key);
                for version in chain.iter().rev() {
                    if collector.keeps(&encoded, version, |_| false)
                        && let Err(error) = output.add(&encoded, version).await
                    {
                        output.abandon().await;
                        return Err(error);
                    }
                }
            }
            if self.tree.env.buggify("storage: a flush yields") {
                self.tree.env.spawn.yield_now().await;
            }
        }
        Ok((output.finish().await?, collector.collected()))
    }

    /// Opens files that were just written. They are removed again when one of them cannot be read.
    pub(super) async fn open_tables(&self, files: &[TableSummary]) -> Result<Vec<Arc<Table>>> {
        let mut opened = Vec::with_capacity(files.len());
        for file in files {
            match Table::open(&self.tree.tables, file.clone()).await {
                Ok(table) => opened.push(table),
                Err(error) => {
                    let written: Vec<u64> = files.iter().map(|file| file.id).collect();
                    self.remove_tables(&written).await;
                    return Err(match error {
                        Error::Io(error) => super::table_error(error),
                        error => error,
                    });
                }
            }
        }
        Ok(opened)
    }
}
