//! Which versions a flush or a compaction keeps.
//!
//! Below the horizon nobody looks, except for the newest version there: of each key, every version above the horizon stays,
//! and the newest at or below it, unless that is a deletion and nothing older of the key can lie in a deeper level.
//! Spaces that were dropped at or below the horizon go as a whole.
//!
//! ```text
//!   horizon 5:   9 ● 7 ● 5 ● 3 ○ 2 ○      ● stays, ○ goes
//!                9 ● 4 ✕ 2 ○              ✕ a deletion: stays unless this is the bottom for its key
//! ```

use std::collections::BTreeSet;

use crate::{CommitTs, Space, Version};

/// See the module's documentation. Versions are shown to it in order: keys ascend, versions of a key descend.
pub(super) struct Collector {
    horizon: CommitTs,
    known_until: CommitTs,
    dropped: BTreeSet<Space>,
    key: Vec<u8>,
    is_dropped: bool,
    /// The newest version at or below the horizon was seen.
    is_decided: bool,
    is_first: bool,
}

impl Collector {
    /// For versions that nobody needs below `horizon`, and for `dropped`: all spaces that were dropped up to
    /// `known_until`.
    pub(super) fn new(
        horizon: CommitTs,
        dropped: impl IntoIterator<Item = (Space, CommitTs)>,
        known_until: CommitTs,
    ) -> Collector {
        let dropped = dropped.into_iter().filter(|(_, commit_ts)| *commit_ts <= horizon).map(|(space, _)| space);
        Collector {
            horizon,
            known_until,
            dropped: dropped.collect(),
            key: Vec::new(),
            is_dropped: false,
            is_decided: false,
            is_first: true,
        }
    }

    /// What this collector lets pass holds nothing of spaces that were dropped at or below this.
    pub(super) fn collected(&self) -> CommitTs {
        self.horizon.min(self.known_until)
    }

    /// Whether the version stays. `is_bottom` says whether nothing of the key lies deeper.
    pub(super) fn keeps(&mut self, key: &[u8], version: &Version, is_bottom: impl FnOnce(&[u8]) -> bool) -> bool {
        if self.is_first || self.key != key {
            self.is_first = false;
            self.key.clear();
            self.key.extend_from_slice(key);
            self.is_decided = false;
            self.is_dropped =
                !self.dropped.is_empty() && Space::decode(key).is_some_and(|(space, _)| self.dropped.contains(&space));
        }
        if self.is_dropped || self.is_decided {
            return false;
        }
        if version.commit_ts > self.horizon {
            return true;
        }
        self.is_decided = true;
        version.value.is_live() || !is_bottom(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn kept(horizon: u64, versions: &[(u64, bool)], is_bottom: bool) -> Vec<u64> {
        let mut collector = Collector::new(CommitTs(horizon), [(Space::new(0, 9), CommitTs(5))], CommitTs(9));
        let key = [&Space::new(0, 1).encode()[..], b"k"].concat();
        let keep = |&&(ts, live): &&(u64, bool)| {
            let value = if live { Value::Row(Default::default()) } else { Value::Deleted };
            let version = Version { commit_ts: CommitTs(ts), birth: CommitTs(ts), value };
            collector.keeps(&key, &version, |_| is_bottom)
        };
        versions.iter().filter(keep).map(|(ts, _)| *ts).collect()
    }

    #[test]
    fn only_what_a_snapshot_can_see_stays() {
        let all = [(9, true), (7, true), (5, true), (3, true), (2, true)];
        assert_eq!(kept(5, &all, false), [9, 7, 5]);
        assert_eq!(kept(9, &all, true), [9]);
        assert_eq!(kept(1, &all, true), [9, 7, 5, 3, 2]);
        let deleted = [(9, true), (4, false), (2, true)];
        assert_eq!(kept(5, &deleted, false), [9, 4]);
        assert_eq!(kept(5, &deleted, true), [9]);
        assert_eq!(kept(3, &deleted, true), [9, 4, 2]);
    }

    #[test]
    fn a_dropped_space_goes_once_the_horizon_has_passed() {
        let key = [&Space::new(0, 9).encode()[..], b"k"].concat();
        let version = Version { commit_ts: CommitTs(3), birth: CommitTs(3), value: Value::Row(Default::default()) };
        for (horizon, stays) in [(4, true), (5, false)] {
            let mut collector = Collector::new(CommitTs(horizon), [(Space::new(0, 9), CommitTs(5))], CommitTs(9));
            assert_eq!(collector.keeps(&key, &version, |_| true), stays);
        }
    }
}
