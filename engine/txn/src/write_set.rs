//! What a transaction has written and not yet committed.
//!
//! Per key a chain of versions, oldest first, each with the command that wrote it (a statement never sees its own
//! effects) and its sequence number (ROLLBACK TO undoes from the newest backwards). While the write set stands, each
//! key in it is locked exclusively: other transactions probe it ([`WriteSet::lock_on`]).

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use helios_env::hash::HashMap;
use helios_storage::{CommitTs, Space, Value, Write};
use smallvec::SmallVec;

use crate::mode::RowLockMode;
use crate::transaction::CommandId;

/// One buffered version of a key.
#[derive(Clone, Debug)]
pub(crate) struct OwnVersion {
    pub(crate) command: CommandId,
    pub(crate) value: Value,
    /// `None`: the row is born by this transaction's commit.
    pub(crate) birth: Option<CommitTs>,
}

#[derive(Debug, Default)]
struct Chain {
    versions: SmallVec<[OwnVersion; 1]>,
    /// Whether storage holds a live version below, so that a final deletion must be written.
    base_live: bool,
    /// How strongly the key is locked by being here.
    strength: Option<RowLockMode>,
}

/// Every key that a transaction wrote.
#[derive(Debug, Default)]
pub(crate) struct WriteSet {
    spaces: HashMap<Space, BTreeMap<Bytes, Chain>>,
    /// Keys in the order they were written: the undo log.
    order: Vec<(Space, Bytes)>,
    bytes: usize,
}

/// Where a write stands in the undo log.
pub(crate) type Position = usize;

impl WriteSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes of keys and rows held.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }

    pub(crate) fn position(&self) -> Position {
        self.order.len()
    }

    pub(crate) fn touches(&self, space: Space) -> bool {
        self.spaces.get(&space).is_some_and(|keys| !keys.is_empty())
    }

    /// The newest version that `command` may see: written by an earlier command.
    pub(crate) fn visible(&self, space: Space, key: &[u8], command: CommandId) -> Option<&OwnVersion> {
        let chain = self.spaces.get(&space)?.get(key)?;
        chain.versions.iter().rev().find(|version| version.command < command)
    }

    /// The newest version, whoever wrote it.
    pub(crate) fn newest(&self, space: Space, key: &[u8]) -> Option<&OwnVersion> {
        self.spaces.get(&space)?.get(key)?.versions.last()
    }

    /// How strongly this write set locks a key.
    pub(crate) fn lock_on(&self, space: Space, key: &[u8]) -> Option<RowLockMode> {
        self.spaces.get(&space)?.get(key)?.strength
    }

    pub(crate) fn push(
        &mut self,
        space: Space,
        key: Bytes,
        version: OwnVersion,
        base_live: bool,
        strength: RowLockMode,
    ) {
        self.bytes += key.len() + value_bytes(&version.value) + 64;
        self.order.push((space, key.clone()));
        let chain = self.spaces.entry(space).or_default().entry(key).or_default();
        if chain.versions.is_empty() {
            chain.base_live = base_live;
        }
        chain.strength = chain.strength.max(Some(strength));
        chain.versions.push(version);
    }

    /// Undoes everything written since `position`; returns the keys that are no longer locked by this write set.
    pub(crate) fn rollback_to(&mut self, position: Position) -> Vec<(Space, Bytes)> {
        let mut freed = Vec::new();
        while self.order.len() > position {
            let (space, key) = self.order.pop().expect("longer than the position");
            let keys = self.spaces.get_mut(&space).expect("every logged key is in its space");
            let chain = keys.get_mut(&key).expect("every logged key has a chain");
            let version = chain.versions.pop().expect("every logged write has a version");
            self.bytes -= key.len() + value_bytes(&version.value) + 64;
            if chain.versions.is_empty() {
                keys.remove(&key);
                freed.push((space, key));
            }
        }
        freed
    }

    pub(crate) fn clear(&mut self) {
        *self = WriteSet::default();
    }

    /// At most `max` keys of `range` with the version that `command` sees, in key order (descending if `backward`).
    pub(crate) fn visible_range(
        &self,
        space: Space,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        backward: bool,
        command: CommandId,
        max: usize,
        out: &mut Vec<(Bytes, OwnVersion)>,
    ) {
        let Some(keys) = self.spaces.get(&space) else { return };
        if is_empty_range(&range) {
            return;
        }
        let range = keys.range::<[u8], _>(range);
        let visible = |(key, chain): (&Bytes, &Chain)| {
            let version = chain.versions.iter().rev().find(|version| version.command < command)?;
            Some((key.clone(), version.clone()))
        };
        if backward {
            out.extend(range.rev().filter_map(visible).take(max));
        } else {
            out.extend(range.filter_map(visible).take(max));
        }
    }

    /// What COMMIT writes: the last version of each key, in key order within each space. A row that was born and died
    /// here leaves nothing.
    pub(crate) fn writes(&self) -> Vec<Write> {
        let mut spaces: Vec<_> = self.spaces.iter().collect();
        spaces.sort_by_key(|(space, _)| **space);
        let mut writes = Vec::with_capacity(self.spaces.values().map(BTreeMap::len).sum());
        for (space, keys) in spaces {
            for (key, chain) in keys {
                let last = chain.versions.last().expect("an empty chain is removed");
                if !chain.base_live && !matches!(last.value, Value::Row(_)) {
                    continue;
                }
                writes.push(Write {
                    space: *space,
                    key: key.clone(),
                    value: last.value.clone(),
                    is_insert: last.birth.is_none(),
                    birth: last.birth.unwrap_or(CommitTs(0)),
                });
            }
        }
        writes
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Row(row) => row.len(),
        Value::Deleted => 0,
        Value::Moved { to } => to.len(),
    }
}

/// `BTreeMap::range` panics on these.
fn is_empty_range(range: &(Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match range {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low), Bound::Excluded(high)) | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
        (Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use helios_storage::{BranchId, StorageId};

    use super::*;

    const SPACE: Space = Space { branch: BranchId(0), storage: StorageId(7) };

    fn row(text: &'static str, command: u32) -> OwnVersion {
        OwnVersion { command: CommandId(command), value: Value::Row(Bytes::from_static(text.as_bytes())), birth: None }
    }

    #[test]
    fn a_command_sees_only_earlier_ones() {
        let mut set = WriteSet::default();
        set.push(SPACE, Bytes::from_static(b"k"), row("one", 1), false, RowLockMode::Update);
        set.push(SPACE, Bytes::from_static(b"k"), row("two", 2), false, RowLockMode::Update);
        assert!(set.visible(SPACE, b"k", CommandId(1)).is_none());
        assert_eq!(set.visible(SPACE, b"k", CommandId(2)).unwrap().value, row("one", 1).value);
        assert_eq!(set.visible(SPACE, b"k", CommandId(3)).unwrap().value, row("two", 2).value);
    }

    #[test]
    fn rollback_restores_the_older_version_and_frees_new_keys() {
        let mut set = WriteSet::default();
        set.push(SPACE, Bytes::from_static(b"a"), row("one", 1), false, RowLockMode::Update);
        let position = set.position();
        set.push(SPACE, Bytes::from_static(b"a"), row("two", 2), false, RowLockMode::Update);
        set.push(SPACE, Bytes::from_static(b"b"), row("new", 2), false, RowLockMode::Update);
        assert_eq!(set.rollback_to(position), vec![(SPACE, Bytes::from_static(b"b"))]);
        assert_eq!(set.newest(SPACE, b"a").unwrap().value, row("one", 1).value);
        assert!(set.newest(SPACE, b"b").is_none());
    }

    #[test]
    fn a_row_born_and_deleted_here_writes_nothing() {
        let mut set = WriteSet::default();
        set.push(SPACE, Bytes::from_static(b"a"), row("one", 1), false, RowLockMode::Update);
        let gone = OwnVersion { command: CommandId(2), value: Value::Deleted, birth: None };
        set.push(SPACE, Bytes::from_static(b"a"), gone, false, RowLockMode::Update);
        assert!(set.writes().is_empty());
    }
}
