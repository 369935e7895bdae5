//! The files of the tree, by level.

use helios_env::sync::Arc;

use crate::CommitTs;
use crate::table::{Table, TableSummary};

/// How many levels there are at most; the deepest is never full.
pub(crate) const LEVELS: usize = 7;

/// A file in its place.
#[derive(Clone)]
pub(crate) struct LevelFile {
    /// Order within level 0: a higher rank is newer. Elsewhere 0.
    pub(crate) rank: u64,
    /// It holds nothing of spaces that were dropped at or below this.
    pub(crate) collected: CommitTs,
    pub(crate) table: Arc<Table>,
}

impl LevelFile {
    pub(crate) fn summary(&self) -> &TableSummary {
        &self.table.summary
    }
}

/// Which file is in which level.
#[derive(Clone, Default)]
pub(crate) struct Levels {
    /// Level 0 newest first, the others by key.
    levels: [Vec<LevelFile>; LEVELS],
}

impl Levels {
    /// These files, each with its level.
    pub(crate) fn new(files: impl IntoIterator<Item = (usize, LevelFile)>) -> Levels {
        let mut levels = Levels::default();
        for (level, file) in files {
            levels.levels[level].push(file);
        }
        levels.sort();
        levels
    }

    fn sort(&mut self) {
        // Files of one flush share a rank and have disjoint ranges: any order will do, if it is always the same.
        self.levels[0].sort_by_key(|file| (std::cmp::Reverse(file.rank), file.table.id()));
        for level in &mut self.levels[1..] {
            level.sort_by(|a, b| a.summary().smallest.cmp(&b.summary().smallest));
        }
    }

    /// Without the files `removed`, and with `added`.
    pub(crate) fn changed(&self, removed: &[u64], added: impl IntoIterator<Item = (usize, LevelFile)>) -> Levels {
        let mut changed = self.clone();
        for level in &mut changed.levels {
            level.retain(|file| !removed.contains(&file.table.id()));
        }
        for (level, file) in added {
            changed.levels[level].push(file);
        }
        changed.sort();
        changed
    }

    /// The files of level 0, newest first.
    pub(crate) fn level0(&self) -> &[LevelFile] {
        &self.levels[0]
    }

    /// The files of a level.
    pub(crate) fn level(&self, level: usize) -> &[LevelFile] {
        &self.levels[level]
    }

    /// Every file with its level.
    pub(crate) fn files(&self) -> impl Iterator<Item = (usize, &LevelFile)> {
        self.levels.iter().enumerate().flat_map(|(level, files)| files.iter().map(move |file| (level, file)))
    }

    /// Bytes in a level.
    pub(crate) fn bytes(&self, level: usize) -> u64 {
        self.levels[level].iter().map(|file| file.summary().bytes).sum()
    }

    /// The file of `level`, which is not 0, that may hold `key`.
    pub(crate) fn covering(&self, level: usize, key: &[u8]) -> Option<&LevelFile> {
        let files = &self.levels[level];
        let at = files.partition_point(|file| file.summary().largest < key);
        files.get(at).filter(|file| file.summary().smallest <= key)
    }

    /// The files of `level`, which is not 0, whose ranges meet this one.
    pub(crate) fn overlapping(&self, level: usize, smallest: &[u8], largest: &[u8]) -> &[LevelFile] {
        let files = &self.levels[level];
        let first = files.partition_point(|file| file.summary().largest < smallest);
        let count = files[first..].partition_point(|file| file.summary().smallest <= largest);
        &files[first..first + count]
    }
}
