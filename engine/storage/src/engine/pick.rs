//! What to compact next.
//!
//! In this order: files that hold nothing but dropped spaces are removed, files that hold some of one are written again
//! without it, and then the level that exceeds its size most is relieved: level 0 as a whole into level 1, a deeper level by
//! one file at a time, in turn by key, into the next. A file that meets nothing below simply moves.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::tree::{LEVELS, LevelFile, Levels};
use crate::{CommitTs, Options, Space};

/// Where the last compaction of each level ended.
pub(super) type Cursors = [Bytes; LEVELS];

/// One step of compaction.
pub(super) enum Job {
    /// Merge files of `level` and those that they meet below into the level below.
    Merge { level: usize, inputs: Vec<LevelFile>, below: Vec<LevelFile> },
    /// The files go one level down as they are.
    Move { level: usize, inputs: Vec<LevelFile> },
    /// Write a file again in its place, without dropped spaces.
    Rewrite { level: usize, input: LevelFile },
    /// The files hold nothing that anybody needs.
    Remove { inputs: Vec<LevelFile> },
}

/// The next step, if one is due. `dropped` are spaces that nobody needs any more.
pub(super) fn pick(
    levels: &Levels,
    options: &Options,
    dropped: &BTreeMap<Space, CommitTs>,
    cursors: &Cursors,
) -> Option<Job> {
    pick_dropped(levels, dropped).or_else(|| pick_level(levels, options, cursors))
}

fn first_space(file: &LevelFile) -> Option<Space> {
    Space::decode(&file.summary().smallest).map(|(space, _)| space)
}

fn last_space(file: &LevelFile) -> Option<Space> {
    Space::decode(&file.summary().largest).map(|(space, _)| space)
}

/// Whether the file may hold something of a space that was dropped at this timestamp.
pub(super) fn may_hold(file: &LevelFile, space: Space, dropped: CommitTs) -> bool {
    file.collected < dropped && first_space(file) <= Some(space) && Some(space) <= last_space(file)
}

fn pick_dropped(levels: &Levels, dropped: &BTreeMap<Space, CommitTs>) -> Option<Job> {
    if dropped.is_empty() {
        return None;
    }
    let is_wholly_dropped = |file: &LevelFile| {
        let space = first_space(file);
        space == last_space(file) && space.is_some_and(|space| dropped.contains_key(&space))
    };
    let dead: Vec<LevelFile> =
        levels.files().filter(|(_, file)| is_wholly_dropped(file)).map(|(_, file)| file.clone()).collect();
    if !dead.is_empty() {
        return Some(Job::Remove { inputs: dead });
    }
    let has_dropped = |file: &LevelFile| dropped.iter().any(|(&space, &at)| may_hold(file, space, at));
    let (level, input) = levels.files().find(|(_, file)| has_dropped(file))?;
    Some(Job::Rewrite { level, input: input.clone() })
}

fn pick_level(levels: &Levels, options: &Options, cursors: &Cursors) -> Option<Job> {
    // How full a level is, in thousandths.
    let mut fullest = (1000, None);
    let level0 = levels.level0().len() as u64 * 1000 / options.level0_files.max(1) as u64;
    if level0 >= fullest.0 {
        fullest = (level0, Some(0));
    }
    let mut target = options.level1_bytes.max(1);
    for level in 1..LEVELS - 1 {
        let fill = levels.bytes(level).saturating_mul(1000) / target;
        if fill > fullest.0 {
            fullest = (fill, Some(level));
        }
        target = target.saturating_mul(options.level_multiplier.max(2));
    }
    let level = fullest.1?;
    let inputs: Vec<LevelFile> = if level == 0 {
        levels.level0().to_vec()
    } else {
        let files = levels.level(level);
        let next = files.iter().find(|file| file.summary().smallest > cursors[level]).or_else(|| files.first());
        next.into_iter().cloned().collect()
    };
    Some(job(levels, level, inputs))
}

/// Merges or moves `inputs`, which are files of `level`, into the level below.
pub(super) fn job(levels: &Levels, level: usize, inputs: Vec<LevelFile>) -> Job {
    // Whatever lies below the hull of the inputs, not just below each: a file of the output may span a gap between two
    // inputs, and must not overlap a file in it.
    let smallest = inputs.iter().map(|file| &file.summary().smallest).min();
    let largest = inputs.iter().map(|file| &file.summary().largest).max();
    let below = match (smallest, largest) {
        (Some(smallest), Some(largest)) => levels.overlapping(level + 1, smallest, largest).to_vec(),
        _ => Vec::new(),
    };
    let disjoint = || {
        inputs.iter().enumerate().all(|(number, file)| {
            let summary = file.summary();
            !inputs[..number].iter().any(|other| other.summary().overlaps(&summary.smallest, &summary.largest))
        })
    };
    if below.is_empty() && disjoint() {
        return Job::Move { level, inputs };
    }
    Job::Merge { level, inputs, below }
}
