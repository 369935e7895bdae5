//! INSERT ... ON CONFLICT.
//!
//! The row is inserted; if a unique index has its key already, what was written for it is undone, and the row that is
//! in the way is handled. That row may be one that the statement's snapshot does not see: the constraint holds for
//! everybody. It may be gone by the time it is locked; then the insertion is tried again.

use helios_storage::{CommitTs, Value, Version};
use helios_txn::{IsolationLevel, RowLock, RowLockMode};
use helios_types::{Datum, PgError, Result, SqlState};

use super::Writer;
use super::row::column_index;
use super::update::Target;
use crate::execute::batch::Batch;
use crate::plan::{ConflictPlan, ConflictUpdate, ModifyAction};
use crate::table::InsertOutcome;

impl Writer {
    /// Inserts a row, or does what ON CONFLICT says; the row that was written, if one was, and what it was before, if it
    /// was there.
    pub(super) async fn insert_or_update(
        &mut self,
        values: &[Datum],
        expressions: &[Option<Vec<Datum>>],
        conflict: &ConflictPlan,
    ) -> Result<Option<(Vec<Datum>, Option<Vec<Datum>>)>> {
        loop {
            self.context.cancel.check()?;
            let tables = self.tables.clone();
            let savepoint = tables.transaction.savepoint();
            let outcome =
                self.access.insert(&tables.transaction, &tables.statement, &tables.row_ids, values, expressions).await;
            let row_key = match outcome {
                Ok(InsertOutcome::Inserted { .. }) => {
                    tables.transaction.release(savepoint);
                    return Ok(Some((values.to_vec(), None)));
                }
                Ok(InsertOutcome::Conflict { index, key_values, row_key }) => {
                    tables.transaction.rollback_to(savepoint);
                    tables.transaction.release(savepoint);
                    let arbiter = |at: &usize| self.plan().indexes[*at].index.oid == index.oid;
                    if conflict.arbiters.iter().any(arbiter) {
                        row_key
                    } else {
                        // An arbiter that conflicts as well is looked at before any other index is.
                        match self.arbiter_conflict(values, expressions, conflict).await? {
                            Some(row_key) => row_key,
                            None => {
                                self.unique(InsertOutcome::Conflict { index, key_values, row_key })?;
                                continue;
                            }
                        }
                    }
                }
                Err(error) => {
                    tables.transaction.release(savepoint);
                    return Err(error);
                }
            };
            let Some(version) = tables.transaction.newest_row(self.access.space, &row_key).await? else { continue };
            let Some(update) = &conflict.update else {
                self.check_visible(&version)?;
                return Ok(None);
            };
            match self.update_existing(values, update, row_key, version).await? {
                Existing::Updated { stored, before } => return Ok(Some((stored, Some(before)))),
                Existing::Kept => return Ok(None),
                Existing::Gone => {}
            }
        }
    }

    /// The row that an arbiter index already has for these values.
    async fn arbiter_conflict(
        &mut self,
        values: &[Datum],
        expressions: &[Option<Vec<Datum>>],
        conflict: &ConflictPlan,
    ) -> Result<Option<bytes::Bytes>> {
        let (transaction, access) = (self.tables.transaction.clone(), self.access.clone());
        for at in &conflict.arbiters {
            let index = self.plan().indexes[*at].index.clone();
            if index.primary {
                if let Some(key) = access.row_key(values)?
                    && transaction.newest_row(access.space, &key).await?.is_some()
                {
                    return Ok(Some(key));
                }
                continue;
            }
            let Some((secondary, expressions)) =
                access.indexes.iter().zip(expressions).find(|(found, _)| found.index.oid == index.oid)
            else {
                continue;
            };
            let Some(expressions) = expressions else { continue };
            let key_values = secondary.key_values(values, expressions)?;
            let Some(key) = secondary.constraint_key(&key_values)? else { continue };
            let found = transaction.newest_row(secondary.space, &key).await?;
            if let Some(Version { value: Value::Row(row_key), .. }) = found {
                return Ok(Some(row_key));
            }
        }
        Ok(None)
    }

    /// DO UPDATE of the row that is in the way.
    async fn update_existing(
        &mut self,
        proposed: &[Datum],
        update: &ConflictUpdate,
        key: bytes::Bytes,
        seen: Version,
    ) -> Result<Existing> {
        let (transaction, statement) = (&self.tables.transaction, &self.tables.statement);
        let lock = transaction
            .lock_version(statement, self.access.space, &key, &seen, RowLockMode::Update, self.tables.wait())
            .await?;
        let (key, version) = match lock {
            RowLock::Current(version) => (key, version),
            RowLock::Newer { key, version } => (key, version),
            RowLock::Gone | RowLock::Skipped => return Ok(Existing::Gone),
            RowLock::SelfModified => {
                return Err(PgError::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "ON CONFLICT DO UPDATE command cannot affect row a second time",
                )
                .with_hint(
                    "Ensure that no rows proposed for insertion within the same command have duplicate constrained \
                     values.",
                ));
            }
        };
        let existing = self.decode(&version)?;
        let both = self.existing_and_proposed(&existing, proposed);
        if !self.conflict_conditions.is_empty() && !self.conflict_conditions.holds(&both).await? {
            return Ok(Existing::Kept);
        }
        let assigned = self.set.row(&both).await?;
        let mut values = existing.clone();
        for ((attnum, _), value) in update.set.iter().zip(assigned) {
            values[column_index(*attnum)] = value;
        }
        let target = Target { key, version, values: existing, fresh: None };
        self.replace(&target, &mut values).await?;
        Ok(Existing::Updated { stored: values, before: target.values })
    }

    /// The row that SET and WHERE of DO UPDATE see: the existing row, then `excluded`.
    fn existing_and_proposed(&self, existing: &[Datum], proposed: &[Datum]) -> Batch {
        let table = &self.access.table;
        let live = || (0..table.columns.len()).filter(|index| !table.columns[*index].dropped);
        let types: Vec<_> = live().chain(live()).map(|index| table.columns[index].type_oid).collect();
        let values: Vec<Datum> =
            live().map(|index| existing[index].clone()).chain(live().map(|index| proposed[index].clone())).collect();
        Batch::of_row(&types, &values)
    }

    /// REPEATABLE READ: doing nothing because of a row that the snapshot does not see would be a lie.
    fn check_visible(&self, version: &Version) -> Result<()> {
        debug_assert!(matches!(self.plan().action, ModifyAction::Insert { .. }));
        let own = version.commit_ts == CommitTs::NEWEST;
        let newer = !own && version.commit_ts > self.tables.statement.timestamp();
        if newer && self.tables.transaction.isolation() == IsolationLevel::RepeatableRead {
            return Err(PgError::new(
                SqlState::SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update",
            ));
        }
        Ok(())
    }
}

/// What became of the row that was in the way.
enum Existing {
    Updated {
        stored: Vec<Datum>,
        before: Vec<Datum>,
    },
    /// WHERE did not hold.
    Kept,
    Gone,
}
