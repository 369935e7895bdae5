//! Compaction: files of one level merge into the next, and what nobody needs any more goes.

use std::collections::BTreeMap;
use std::time::Duration;

use helios_env::sync::{Arc, Ordering};

use super::Engine;
use super::collect::Collector;
use super::output::Output;
use super::pick::{self, Job};
use crate::manifest::{Edit, FileRecord};
use crate::read::{LevelCursor, Merge, Source};
use crate::table::{Bounds, Table};
use crate::tree::{LEVELS, LevelFile, Levels};
use crate::{CommitTs, Direction, Error, Result, Space};

/// Pause after a compaction failed.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Versions merged between two looks at whether the storage stops, and two chances for other tasks.
const STEPS_BETWEEN_YIELDS: usize = 1024;

impl Engine {
    /// Compacts whenever a level is too full, until the storage stops.
    pub(super) async fn compact_in_background(self: &Arc<Self>) {
        while !self.tree.is_stopping() && self.tree.check_health().is_ok() {
            self.tree.tables.graveyard.arrivals.notified().await;
            if self.tree.is_stopping() {
                return;
            }
            let outcome = self.compact_until_done().await;
            self.compaction_is_stuck.store(outcome.is_err(), Ordering::Release);
            self.tree.progress.wake_all();
            if let Err(error) = outcome
                && !self.tree.is_stopping()
            {
                tracing::warn!(%error, "compaction failed and will be tried again");
                self.tree.env.sometimes("storage: a compaction failed and was tried again");
                self.tree.env.sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Takes steps until none is due.
    pub(crate) async fn compact_until_done(&self) -> Result<()> {
        let _turn = self.compaction_turn.lock().await;
        loop {
            self.sweep().await;
            self.forget_dropped_spaces().await?;
            let Some(job) = self.pick().await else { return Ok(()) };
            self.run_job(job).await?;
            self.tree.progress.wake_all();
            if self.tree.is_stopping() {
                return Ok(());
            }
        }
    }

    /// Merges level by level until everything is in the deepest level in use: one version per key where no snapshot needs
    /// more, and no deletion.
    pub(crate) async fn compact_everything(&self) -> Result<()> {
        self.compact_until_done().await?;
        let _turn = self.compaction_turn.lock().await;
        for level in 0..LEVELS - 1 {
            let levels = self.tree.state().levels.clone();
            let deeper_is_empty = (level + 1..LEVELS).all(|deeper| levels.level(deeper).is_empty());
            let inputs = levels.level(level).to_vec();
            if inputs.is_empty() || (deeper_is_empty && level > 0) {
                continue;
            }
            let below = levels.level(level + 1).to_vec();
            self.run_job(Job::Merge { level, inputs, below }).await?;
        }
        self.forget_dropped_spaces().await?;
        self.sweep().await;
        Ok(())
    }

    /// Spaces dropped so long ago that no snapshot sees them.
    async fn dead_spaces(&self) -> BTreeMap<Space, CommitTs> {
        let dropped = self.manifest.lock().await.state().dropped_spaces.clone();
        if dropped.is_empty() {
            return dropped;
        }
        let horizon = self.tree.snapshots.raise_horizon();
        dropped.into_iter().filter(|(_, commit_ts)| *commit_ts <= horizon).collect()
    }

    async fn pick(&self) -> Option<Job> {
        let dead = self.dead_spaces().await;
        let levels = self.tree.state().levels.clone();
        let cursors = self.cursors.lock();
        pick::pick(&levels, &self.tree.options, &dead, &cursors)
    }

    /// A dropped space of which no file holds anything needs no remembering: whatever was written to it came before the
    /// drop, and the drop is in the manifest only once all that was flushed.
    async fn forget_dropped_spaces(&self) -> Result<()> {
        let dead = self.dead_spaces().await;
        let levels = self.tree.state().levels.clone();
        let is_gone = |(space, dropped): (Space, CommitTs)| {
            let held = levels.files().any(|(_, file)| pick::may_hold(file, space, dropped));
            (!held).then_some(space)
        };
        let forgotten_spaces: Vec<Space> = dead.into_iter().filter_map(is_gone).collect();
        if forgotten_spaces.is_empty() {
            return Ok(());
        }
        self.apply_edit(&Edit { forgotten_spaces, ..Edit::default() }).await
    }

    async fn run_job(&self, job: Job) -> Result<()> {
        self.tree.check_health()?;
        match job {
            Job::Move { level, inputs } => {
                self.counters.moves.fetch_add(1, Ordering::Relaxed);
                self.advance_cursor(level, &inputs);
                let moved = inputs.iter().map(|file| LevelFile { rank: 0, ..file.clone() }).collect();
                self.replace(&inputs, moved, level + 1).await
            }
            Job::Remove { inputs } => self.replace(&inputs, Vec::new(), 0).await,
            Job::Rewrite { level, input } => {
                let sources = vec![source(std::slice::from_ref(&input))];
                let files = self.merge(sources, u64::MAX, input.rank, |_| false).await?;
                self.replace(&[input], files, level).await
            }
            Job::Merge { level, inputs, below } => {
                self.advance_cursor(level, &inputs);
                let mut sources = Vec::new();
                if level == 0 {
                    sources.extend(inputs.iter().map(|file| source(std::slice::from_ref(file))));
                } else {
                    sources.push(source(&inputs));
                }
                sources.push(source(&below));
                let levels = self.tree.state().levels.clone();
                let is_bottom = |key: &[u8]| (level + 2..LEVELS).all(|deeper| levels.covering(deeper, key).is_none());
                let files = self.merge(sources, self.tree.options.table_bytes, 0, is_bottom).await?;
                let all: Vec<LevelFile> = inputs.into_iter().chain(below).collect();
                self.replace(&all, files, level + 1).await
            }
        }
    }

    fn advance_cursor(&self, level: usize, inputs: &[LevelFile]) {
        if let Some(last) = inputs.last() {
            self.cursors.lock()[level] = last.summary().largest.clone();
        }
    }

    /// Merges the sources into new files, which are not part of the tree yet.
    async fn merge(
        &self,
        sources: Vec<Source>,
        bytes_max: u64,
        rank: u64,
        is_bottom: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<LevelFile>> {
        let (known, known_until) = {
            let manifest = self.manifest.lock().await;
            (manifest.state().dropped_spaces.clone(), manifest.state().last_commit)
        };
        let horizon = self.tree.snapshots.raise_horizon();
        let mut collector = Collector::new(horizon, known, known_until);
        let mut merge = Merge::new(sources, Direction::Forward);
        let mut output = Output::new(self, bytes_max);
        let outcome = self.merge_into(&mut merge, &mut collector, &mut output, is_bottom).await;
        if let Err(error) = outcome {
            output.abandon().await;
            return Err(error);
        }
        let files = output.finish().await?;
        let opened = self.open_tables(&files).await?;
        let collected = collector.collected();
        Ok(opened.into_iter().map(|table| LevelFile { rank, collected, table }).collect())
    }

    async fn merge_into(
        &self,
        merge: &mut Merge,
        collector: &mut Collector,
        output: &mut Output<'_>,
        is_bottom: impl Fn(&[u8]) -> bool,
    ) -> Result<()> {
        let mut steps = 0;
        while std::future::poll_fn(|cx| merge.poll_ready(cx)).await? {
            let front = merge.front();
            let (key, _) = front.entry().expect("a ready merge stands on an entry");
            let version = front.version()?;
            if collector.keeps(key, &version, &is_bottom) {
                output.add(key, &version).await?;
            }
            merge.advance()?;
            steps += 1;
            if steps % STEPS_BETWEEN_YIELDS == 0 || self.tree.env.buggify("storage: a compaction yields") {
                self.tree.env.spawn.yield_now().await;
                if self.tree.is_stopping() {
                    return Err(Error::Closed);
                }
                self.tree.check_health()?;
            }
        }
        Ok(())
    }

    /// Replaces files of the tree by others, first in the manifest.
    async fn replace(&self, old: &[LevelFile], new: Vec<LevelFile>, level: usize) -> Result<()> {
        let removed: Vec<u64> = old.iter().map(|file| file.table.id()).collect();
        let record = |file: &LevelFile| {
            let (level, summary) = (level as u8, file.summary().clone());
            FileRecord { level, rank: file.rank, collected: file.collected, summary }
        };
        let edit = Edit {
            added: new.iter().map(record).collect(),
            removed: removed.clone(),
            next_file: Some(self.tree.next_file.load(Ordering::Relaxed)),
            ..Edit::default()
        };
        self.apply_edit(&edit).await?;
        let kept: Vec<u64> = new.iter().map(|file| file.table.id()).collect();
        self.tree.change_state(|state| {
            let added = new.into_iter().map(|file| (level, file));
            state.levels = Arc::new(Levels::changed(&state.levels, &removed, added));
        });
        for file in old.iter().filter(|file| !kept.contains(&file.table.id())) {
            file.table.mark_obsolete();
        }
        self.counters.compactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn source(files: &[LevelFile]) -> Source {
    let tables: Vec<Arc<Table>> = files.iter().map(|file| file.table.clone()).collect();
    Source::Level(LevelCursor::new(tables.into_iter(), Direction::Forward, Bounds::ALL, false, 0))
}
