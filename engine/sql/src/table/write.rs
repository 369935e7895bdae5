//! Writing rows together with their index entries.

use std::sync::Arc;

use bytes::Bytes;
use helios_catalog::model::Index;
use helios_env::sync::{AtomicU32, Ordering};
use helios_storage::{Value, Version};
use helios_txn::{Inserted, Statement, Transaction};
use helios_types::{Datum, Result};

use super::keys::IndexEntry;
use super::{IndexAccess, TableAccess};

/// Hidden row ids of tables without a primary key: the transaction's xid, then a counter. Unique because xids are never
/// reused, and ascending within a transaction, so that such a table is read in insertion order.
#[derive(Debug, Default)]
pub struct RowIds {
    next: AtomicU32,
    overflow: AtomicU32,
}

impl RowIds {
    /// The next row id of `transaction`, as a row key.
    pub fn next(&self, transaction: &Transaction) -> Bytes {
        let mut key = [0u8; 16];
        let low = self.next.fetch_add(1, Ordering::Relaxed);
        if low == u32::MAX {
            self.overflow.fetch_add(1, Ordering::Relaxed);
        }
        let high = self.overflow.load(Ordering::Relaxed);
        key[..8].copy_from_slice(&transaction.assign_xid().to_be_bytes());
        key[8..12].copy_from_slice(&high.to_be_bytes());
        key[12..].copy_from_slice(&low.to_be_bytes());
        Bytes::copy_from_slice(&key)
    }
}

/// What became of a row to be inserted.
#[derive(Clone, Debug)]
pub enum InsertOutcome {
    /// It is in, with all its index entries.
    Inserted {
        /// Its key.
        key: Bytes,
    },
    /// A unique index holds its key already. Entries made before that was found are in the write set: the caller
    /// rolls back to a savepoint, or fails the statement.
    Conflict {
        /// The index.
        index: Arc<Index>,
        /// Values of the index's keys.
        key_values: Vec<Datum>,
        /// Key of the row that is there.
        row_key: Bytes,
    },
}

impl TableAccess {
    /// Inserts a row: `values` by attnum - 1, constraints other than unique ones already checked. `expressions` yields,
    /// per secondary index, the values of its expression keys, or `None` when a partial index does not take the row.
    pub async fn insert(
        &self,
        transaction: &Transaction,
        statement: &Statement,
        row_ids: &RowIds,
        values: &[Datum],
        expressions: &[Option<Vec<Datum>>],
    ) -> Result<InsertOutcome> {
        let row = self.encode_row(values)?;
        let key = match (self.row_key(values)?, &self.primary) {
            (Some(key), Some(primary)) => match transaction.insert(statement, self.space, key.clone(), row).await? {
                Inserted::Done => key,
                Inserted::Exists(_) => {
                    return Ok(InsertOutcome::Conflict {
                        index: primary.clone(),
                        key_values: self.primary_values(primary, values),
                        row_key: key,
                    });
                }
            },
            _ => {
                let key = row_ids.next(transaction);
                transaction.put(statement, self.space, key.clone(), row, false);
                key
            }
        };
        for (access, expressions) in self.indexes.iter().zip(expressions) {
            let Some(expressions) = expressions else { continue };
            let key_values = access.key_values(values, expressions)?;
            let entry = access.entry(&key_values, &key)?;
            if let Some(row_key) = access.add(transaction, statement, entry, &key).await? {
                return Ok(InsertOutcome::Conflict { index: access.index.clone(), key_values, row_key });
            }
        }
        Ok(InsertOutcome::Inserted { key })
    }

    /// Replaces a row that was locked and found to be `previous` under `key`. The outcome's key is the new one.
    pub async fn update(
        &self,
        transaction: &Transaction,
        statement: &Statement,
        old: (&Bytes, &Version, &[Datum], &[Option<Vec<Datum>>]),
        values: &[Datum],
        expressions: &[Option<Vec<Datum>>],
    ) -> Result<InsertOutcome> {
        let (key, previous, old_values, old_expressions) = old;
        let row = self.encode_row(values)?;
        let new_key = self.row_key(values)?.unwrap_or_else(|| key.clone());
        if new_key == *key {
            transaction.update(statement, self.space, key.clone(), row, previous);
        } else {
            let moved =
                transaction.move_row(statement, self.space, key.clone(), new_key.clone(), row, previous).await?;
            if let (Inserted::Exists(_), Some(primary)) = (moved, &self.primary) {
                let key_values = self.primary_values(primary, values);
                return Ok(InsertOutcome::Conflict { index: primary.clone(), key_values, row_key: new_key });
            }
        }
        for ((access, old_expressions), expressions) in self.indexes.iter().zip(old_expressions).zip(expressions) {
            let entry_of = |values: &[Datum], expressions: &Option<Vec<Datum>>, key: &Bytes| {
                let Some(expressions) = expressions else { return Ok(None) };
                let key_values = access.key_values(values, expressions)?;
                Ok::<_, helios_types::PgError>(Some((access.entry(&key_values, key)?, key_values)))
            };
            let old_entry = entry_of(old_values, old_expressions, key)?;
            let new_entry = entry_of(values, expressions, &new_key)?;
            let same = match (&old_entry, &new_entry) {
                (Some((old, _)), Some((new, _))) => old == new,
                _ => false,
            };
            if same && new_key == *key {
                continue;
            }
            if let Some((entry, _)) = old_entry {
                transaction.delete_entry(statement, access.space, entry.key, true);
            }
            if let Some((entry, key_values)) = new_entry
                && let Some(row_key) = access.add(transaction, statement, entry, &new_key).await?
            {
                return Ok(InsertOutcome::Conflict { index: access.index.clone(), key_values, row_key });
            }
        }
        Ok(InsertOutcome::Inserted { key: new_key })
    }

    /// Deletes a row that was locked and found to be `previous` under `key`.
    pub fn delete(
        &self,
        transaction: &Transaction,
        statement: &Statement,
        key: &Bytes,
        previous: &Version,
        values: &[Datum],
        expressions: &[Option<Vec<Datum>>],
    ) -> Result<()> {
        for (access, expressions) in self.indexes.iter().zip(expressions) {
            let Some(expressions) = expressions else { continue };
            let entry = access.entry(&access.key_values(values, expressions)?, key)?;
            transaction.delete_entry(statement, access.space, entry.key, true);
        }
        transaction.delete(statement, self.space, key.clone(), previous);
        Ok(())
    }

    /// The newest committed or own version of a row that a unique index led to.
    pub async fn newest_row(&self, transaction: &Transaction, row_key: &Bytes) -> Result<Option<Version>> {
        Ok(transaction.newest_row(self.space, row_key).await?)
    }

    fn primary_values(&self, primary: &Index, values: &[Datum]) -> Vec<Datum> {
        let value = |attnum: i16| usize::try_from(attnum - 1).ok().and_then(|index| values.get(index)).cloned();
        primary.keys.iter().map(|key| value(key.attnum).unwrap_or(Datum::Null)).collect()
    }
}

impl IndexAccess {
    /// Adds an entry; the key of the row that holds it already, if the index is unique and one does.
    async fn add(
        &self,
        transaction: &Transaction,
        statement: &Statement,
        entry: IndexEntry,
        row_key: &Bytes,
    ) -> Result<Option<Bytes>> {
        if !entry.constrained {
            transaction.put(statement, self.space, entry.key, row_key.clone(), false);
            return Ok(None);
        }
        match transaction.insert(statement, self.space, entry.key, row_key.clone()).await? {
            Inserted::Done => Ok(None),
            Inserted::Exists(Version { value: Value::Row(holder), .. }) => Ok(Some(holder)),
            Inserted::Exists(_) => Ok(Some(Bytes::new())),
        }
    }

    /// Adds the entry of a row that exists: CREATE INDEX. The outcome is [`InsertOutcome::Conflict`] when two rows share
    /// a unique key.
    pub async fn build_entry(
        &self,
        transaction: &Transaction,
        statement: &Statement,
        row_key: &Bytes,
        key_values: Vec<Datum>,
    ) -> Result<InsertOutcome> {
        let entry = self.entry(&key_values, row_key)?;
        match self.add(transaction, statement, entry, row_key).await? {
            None => Ok(InsertOutcome::Inserted { key: row_key.clone() }),
            Some(holder) => Ok(InsertOutcome::Conflict { index: self.index.clone(), key_values, row_key: holder }),
        }
    }
}
