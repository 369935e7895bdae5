//! Looking up one key in the whole tree.
//!
//! A [`Search`] first asks the memtables, which never waits, and then the files from new to old. When it lacks a block
//! it says which; whoever can wait reads it, hands it over, and lets the search go on from that file.

use helios_env::sync::Arc;
use smallvec::SmallVec;

use super::levels::LEVELS;
use super::{Tree, TreeState};
use crate::table::{BlockKind, Handle, HeldBlocks, Table, TableFound, Target};
use crate::{CommitTs, Result, Space, Version};

/// How far a search has come.
pub(crate) enum Progress {
    /// The newest version at the timestamp, or that there is none.
    Done(Option<Version>),
    /// This block must be read first.
    Needs(Arc<Table>, Handle, BlockKind),
}

/// A lookup under way.
pub(crate) struct Search {
    state: Arc<TreeState>,
    at: CommitTs,
    key: SmallVec<[u8; 64]>,
    /// Files that were searched without success: of level 0, then one per level.
    files_done: usize,
    held: HeldBlocks,
}

impl Search {
    /// Searches the memtables; `Err` holds the answer when it was found there.
    pub(crate) fn begin(tree: &Tree, space: Space, key: &[u8], at: CommitTs) -> Result<Result<Search, Version>> {
        let state = tree.state();
        let (at, found) = match at {
            CommitTs::NEWEST => state.active.get_newest(space, key, &tree.snapshots),
            at => {
                let found = state.active.get(space, key, at);
                // The active memtable prunes, and the state's files may have dropped what nobody had pinned.
                tree.snapshots.check_readable(at)?;
                (at, found)
            }
        };
        if let Some(version) = found {
            return Ok(Err(version));
        }
        if let Some(version) = state.immutable.iter().find_map(|memtable| memtable.get(space, key, at)) {
            return Ok(Err(version));
        }
        let mut encoded = SmallVec::from_slice(&space.encode());
        encoded.extend_from_slice(key);
        Ok(Ok(Search { state, at, key: encoded, files_done: 0, held: HeldBlocks::default() }))
    }

    /// Searches the files as far as blocks in memory allow.
    pub(crate) fn go_on(&mut self) -> Result<Progress> {
        let levels = &self.state.levels;
        let level0 = levels.level0();
        let mut target = Target::new(&self.key);
        while self.files_done < level0.len() + LEVELS - 1 {
            let file = match level0.get(self.files_done) {
                Some(file) => Some(file).filter(|file| file.summary().covers(&self.key)),
                None => levels.covering(self.files_done - level0.len() + 1, &self.key),
            };
            if let Some(file) = file {
                match file.table.find(&mut target, self.at, &self.held)? {
                    TableFound::Version(version) => return Ok(Progress::Done(Some(version))),
                    TableFound::Absent => (),
                    TableFound::Needs(handle, kind) => return Ok(Progress::Needs(file.table.clone(), handle, kind)),
                }
            }
            self.files_done += 1;
        }
        Ok(Progress::Done(None))
    }

    /// Searches to the end, reading what it lacks.
    pub(crate) async fn finish(mut self) -> Result<Option<Version>> {
        loop {
            match self.go_on()? {
                Progress::Done(found) => return Ok(found),
                Progress::Needs(table, handle, kind) => {
                    let block = table.read(handle, kind, true).await?;
                    self.held.hold(&table, handle, block);
                }
            }
        }
    }
}
