//! The catalog as a transaction sees and changes it.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{Change, Object, ObjectKey};
use helios_storage::Space;
use helios_storage::row::Layout;
use helios_txn::{Statement, Transaction};

use super::CATALOG;

/// The newest committed catalog with one transaction's changes on top.
#[derive(Debug)]
pub struct CatalogEdit {
    base_version: u64,
    current: CatalogSnapshot,
    changes: Vec<Change>,
    dropped_spaces: Vec<Space>,
    dropped_sequences: Vec<u64>,
    layouts: Vec<Layout>,
}

/// How far an edit had come, for ROLLBACK TO.
#[derive(Clone, Copy, Debug)]
pub struct EditMark {
    changes: usize,
    spaces: usize,
    sequences: usize,
    layouts: usize,
}

/// What an edit leaves for COMMIT to carry.
#[derive(Debug, Default)]
pub struct EditOutcome {
    /// Changes to publish, in order.
    pub changes: Vec<Change>,
    /// Key spaces to drop.
    pub dropped_spaces: Vec<Space>,
    /// Sequences to drop.
    pub dropped_sequences: Vec<u64>,
    /// Layouts to log.
    pub layouts: Vec<Layout>,
}

impl CatalogEdit {
    /// Nothing changed yet, over the newest committed catalog.
    pub fn new(newest: &CatalogSnapshot) -> CatalogEdit {
        CatalogEdit {
            base_version: newest.version(),
            current: newest.clone(),
            changes: Vec::new(),
            dropped_spaces: Vec::new(),
            dropped_sequences: Vec::new(),
            layouts: Vec::new(),
        }
    }

    /// What names mean now, in this transaction.
    pub fn snapshot(&self) -> &CatalogSnapshot {
        &self.current
    }

    /// Whether this transaction changed anything: then plans made for others may not serve it.
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes over what others have committed meanwhile; whether anything had changed.
    pub fn refresh(&mut self, newest: &CatalogSnapshot) -> bool {
        if self.base_version == newest.version() {
            return false;
        }
        self.base_version = newest.version();
        self.current = if self.changes.is_empty() { newest.clone() } else { newest.apply(&self.changes) };
        true
    }

    /// Creates or replaces an object.
    pub fn put(&mut self, transaction: &Transaction, statement: &Statement, object: impl Into<Object>) {
        self.change(transaction, statement, Change::Put(object.into()));
    }

    /// Drops an object.
    pub fn remove(&mut self, transaction: &Transaction, statement: &Statement, key: ObjectKey) {
        self.change(transaction, statement, Change::Remove(key));
    }

    fn change(&mut self, transaction: &Transaction, statement: &Statement, change: Change) {
        let (key, value) = change.encode();
        let existed = self.current.object(change.key().kind, change.key().oid).is_some();
        match value {
            Some(value) => transaction.put(statement, CATALOG, key.into(), value.into(), existed),
            None => transaction.delete_entry(statement, CATALOG, key.into(), existed),
        }
        self.current = self.current.apply(std::slice::from_ref(&change));
        self.changes.push(change);
    }

    /// Forgets a key space once the transaction commits.
    pub fn drop_space(&mut self, space: Space) {
        self.dropped_spaces.push(space);
    }

    /// Forgets a sequence's value once the transaction commits.
    pub fn drop_sequence(&mut self, state: u64) {
        self.dropped_sequences.push(state);
    }

    /// Logs a row layout with the commit.
    pub fn add_layout(&mut self, layout: Layout) {
        self.layouts.push(layout);
    }

    /// Where the edit stands, for a savepoint.
    pub fn mark(&self) -> EditMark {
        EditMark {
            changes: self.changes.len(),
            spaces: self.dropped_spaces.len(),
            sequences: self.dropped_sequences.len(),
            layouts: self.layouts.len(),
        }
    }

    /// Undoes everything since the mark; the transaction's own rollback undoes the rows.
    pub fn rollback_to(&mut self, mark: EditMark, newest: &CatalogSnapshot) {
        self.changes.truncate(mark.changes);
        self.dropped_spaces.truncate(mark.spaces);
        self.dropped_sequences.truncate(mark.sequences);
        self.layouts.truncate(mark.layouts);
        self.base_version = newest.version();
        self.current = if self.changes.is_empty() { newest.clone() } else { newest.apply(&self.changes) };
    }

    /// What COMMIT carries and publishes.
    pub fn finish(self) -> EditOutcome {
        EditOutcome {
            changes: self.changes,
            dropped_spaces: self.dropped_spaces,
            dropped_sequences: self.dropped_sequences,
            layouts: self.layouts,
        }
    }
}
