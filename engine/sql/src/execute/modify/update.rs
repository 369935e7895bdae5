//! UPDATE and DELETE: each row is locked, and if somebody changed it since the statement saw it, looked at again.
//!
//! ```text
//!   lock_row ─▶ Current  as it was seen: the values computed below hold
//!            ─▶ Newer    its columns are put into the input row, WHERE is evaluated again, then SET
//!            ─▶ Gone, or changed by this very statement: passed over
//! ```

use std::sync::Arc;

use bytes::Bytes;
use helios_storage::Version;
use helios_txn::{RowLock, RowLockMode};
use helios_types::{Column, Datum, PgError, Result};

use super::row::column_index;
use super::{Returned, Writer};
use crate::execute::batch::Batch;
use crate::execute::table_access::identified;
use crate::plan::Scalar;

/// A row that is locked and to be changed.
pub(super) struct Target {
    pub(super) key: Bytes,
    pub(super) version: Version,
    /// All of its values, by attnum - 1.
    pub(super) values: Vec<Datum>,
    /// The input row with what the row is now, when that is not what the statement saw.
    pub(super) fresh: Option<Batch>,
}

impl Writer {
    pub(super) async fn update(
        &mut self,
        batch: &Batch,
        key: usize,
        columns: &[(usize, i16)],
        set: &[(i16, Scalar)],
        returned: &mut Returned,
    ) -> Result<u64> {
        let mode = self.update_mode(set);
        // SET for all rows at once: what hardly any row changes meanwhile need not be computed one by one.
        let assigned = std::future::poll_fn(|cx| self.set.poll_project(cx, batch)).await?;
        let mut written = 0;
        for row in 0..batch.rows() {
            if row >= assigned.rows {
                let error = assigned.error.clone();
                return Err(error.unwrap_or_else(|| PgError::internal("a row was not computed")));
            }
            let Some(target) = self.target(batch, row, key, columns, mode).await? else { continue };
            let new: Vec<Datum> = match &target.fresh {
                None => assigned.columns.iter().map(|column| column.get(row)).collect(),
                Some(fresh) => self.set.row(fresh).await?,
            };
            let mut values = target.values.clone();
            for ((attnum, _), value) in set.iter().zip(new) {
                values[column_index(*attnum)] = value;
            }
            self.replace(&target, &mut values).await?;
            match &target.fresh {
                None => returned.add(&values, Some((batch, row)), (Some(&target.values), Some(&values))),
                Some(fresh) => returned.add(&values, Some((fresh, 0)), (Some(&target.values), Some(&values))),
            }
            written += 1;
        }
        Ok(written)
    }

    pub(super) async fn delete(
        &mut self,
        batch: &Batch,
        key: usize,
        columns: &[(usize, i16)],
        returned: &mut Returned,
    ) -> Result<u64> {
        let mut written = 0;
        for row in 0..batch.rows() {
            let Some(target) = self.target(batch, row, key, columns, RowLockMode::Update).await? else { continue };
            let expressions = self.checks.expressions(&target.values).await?;
            let tables = &self.tables;
            self.access.delete(
                &tables.transaction,
                &tables.statement,
                &target.key,
                &target.version,
                &target.values,
                &expressions,
            )?;
            match &target.fresh {
                None => returned.add(&target.values, Some((batch, row)), (Some(&target.values), None)),
                Some(fresh) => returned.add(&target.values, Some((fresh, 0)), (Some(&target.values), None)),
            }
            written += 1;
        }
        Ok(written)
    }

    /// Writes new values over a locked row, after checking them.
    pub(super) async fn replace(&mut self, target: &Target, values: &mut Vec<Datum>) -> Result<()> {
        let session = self.context.session.clone();
        let expressions = self.checks.one(values, &session).await?;
        let old_expressions = self.checks.expressions(&target.values).await?;
        let old = (&target.key, &target.version, &target.values[..], &old_expressions[..]);
        let tables = &self.tables;
        let outcome = self.access.update(&tables.transaction, &tables.statement, old, values, &expressions).await?;
        self.unique(outcome)
    }

    /// Changing what identifies the row excludes those who only hold on to its key.
    fn update_mode(&self, set: &[(i16, Scalar)]) -> RowLockMode {
        let plan = self.plan();
        let mut keys = plan.indexes.iter().filter(|index| index.index.unique).flat_map(|index| &index.index.keys);
        let changes_key = keys.any(|key| key.attnum == 0 || set.iter().any(|(attnum, _)| *attnum == key.attnum));
        if changes_key { RowLockMode::Update } else { RowLockMode::NoKeyUpdate }
    }

    /// Locks the target of an input row; `None` when there is nothing (any more) to change.
    async fn target(
        &mut self,
        batch: &Batch,
        row: usize,
        key: usize,
        columns: &[(usize, i16)],
        mode: RowLockMode,
    ) -> Result<Option<Target>> {
        let Datum::Bytes(identity) = batch.column(key).get(row) else { return Ok(None) };
        let (key, seen) = identified(&identity)?;
        let (transaction, statement) = (&self.tables.transaction, &self.tables.statement);
        let lock = transaction.lock_row(statement, self.access.space, &key, &seen, mode, self.tables.wait()).await?;
        match lock {
            RowLock::Current(version) => {
                let values = self.decode(&version)?;
                Ok(Some(Target { key, version, values, fresh: None }))
            }
            RowLock::Newer { key, version } => {
                let values = self.decode(&version)?;
                let fresh = refreshed(batch, row, columns, &values, None);
                if !self.recheck.is_empty() && !self.recheck.holds(&fresh).await? {
                    return Ok(None);
                }
                Ok(Some(Target { key, version, values, fresh: Some(fresh) }))
            }
            RowLock::Gone | RowLock::SelfModified | RowLock::Skipped => Ok(None),
        }
    }

    pub(super) fn decode(&self, version: &Version) -> Result<Vec<Datum>> {
        let row = version.value.row().ok_or_else(|| PgError::internal("a locked row is not there"))?;
        self.access.decode_row(row)
    }
}

/// An input row in which a table's columns are what they are now.
pub(super) fn refreshed(
    batch: &Batch,
    row: usize,
    columns: &[(usize, i16)],
    values: &[Datum],
    identity: Option<(usize, Datum)>,
) -> Batch {
    let mut fresh = batch.slice(row, 1).into_columns();
    for (column, attnum) in columns {
        let mut builder = helios_types::ColumnBuilder::of_physical(fresh[*column].data.physical(), 1);
        builder.push(&values[column_index(*attnum)]);
        fresh[*column] = Arc::new(builder.finish());
    }
    if let Some((column, identity)) = identity {
        fresh[column] = Arc::new(Column::constant(helios_types::oid::BYTEA, &identity, 1));
    }
    Batch::new(fresh, 1)
}
