//! Checking a whole database: every file below, and every index against its table.

use std::fmt;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::Table;
use helios_sql::table::{IndexAccess, TableAccess};
use helios_storage::{CommitTs, Direction, Entry, KeyRange, Space, Value};
use helios_types::Result;

use crate::database::Database;

/// Rows looked at together.
const CHUNK_ROWS: usize = 1024;

/// What [`Database::verify`] found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// One line per problem; none means clean.
    pub problems: Vec<String>,
    /// Files and segments that were read.
    pub files: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Tables whose rows were all read.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Indexes that were held against their tables.
    pub indexes: u64,
    /// Entries in them.
    pub entries: u64,
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files, {} blocks, {} tables with {} rows, {} indexes with {} entries: {} problems",
            self.files,
            self.blocks,
            self.tables,
            self.rows,
            self.indexes,
            self.entries,
            self.problems.len()
        )
    }
}

impl Database {
    /// Reads everything: each checksum and key order in each file, each row of each table, each index entry both ways.
    ///
    /// # Errors
    ///
    /// When reading fails for another reason than damage, which is reported.
    pub async fn verify(&self) -> Result<VerifyReport> {
        let below = self.storage().verify().await;
        let mut report = VerifyReport {
            problems: below.problems,
            files: below.tables + below.segments,
            blocks: below.blocks,
            ..VerifyReport::default()
        };
        let catalog = self.catalog();
        let snapshot = self.storage().snapshot();
        for table in catalog.tables() {
            if let Err(error) = self.verify_table(&catalog, table, snapshot.commit_ts(), &mut report).await {
                report.problems.push(format!("table \"{}\": {}", table.name, error.message()));
            }
        }
        Ok(report)
    }

    async fn verify_table(
        &self,
        catalog: &CatalogSnapshot,
        table: &std::sync::Arc<Table>,
        at: CommitTs,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let indexes: Vec<_> = table.indexes.iter().filter_map(|oid| catalog.index(*oid).cloned()).collect();
        if indexes.len() != table.indexes.len() {
            report.problems.push(format!("table \"{}\": it names an index that is not in the catalog", table.name));
        }
        let access = TableAccess::new(table.clone(), indexes)?;
        let mut rows = 0u64;
        let mut expected = vec![0u64; access.indexes.len()];
        let mut scan = self.storage().scan(access.space, KeyRange::all(), Direction::Forward, at);
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        loop {
            let more = scan.next_rows(CHUNK_ROWS, &mut chunk).await.map_err(helios_txn::Error::from)?;
            for entry in chunk.drain(..) {
                rows += 1;
                self.verify_row(&access, &entry, at, &mut expected, report).await?;
            }
            if !more {
                break;
            }
        }
        report.tables += 1;
        report.rows += rows;
        for (index, expected) in access.indexes.iter().zip(expected) {
            self.verify_index(&access, index, expected, at, report).await?;
        }
        Ok(())
    }

    /// A row: that it decodes, that its key is its primary key's, that each index has its entry.
    async fn verify_row(
        &self,
        access: &TableAccess,
        entry: &Entry,
        at: CommitTs,
        expected: &mut [u64],
        report: &mut VerifyReport,
    ) -> Result<()> {
        let name = &access.table.name;
        let Value::Row(row) = &entry.version.value else { return Ok(()) };
        let values = access.decode_row(row)?;
        if let Some(key) = access.row_key(&values)?
            && key != entry.key
        {
            report.problems.push(format!("table \"{name}\": a row is stored under a key that is not its own"));
        }
        for (index, expected) in access.indexes.iter().zip(expected) {
            if !is_plain(index) {
                continue;
            }
            *expected += 1;
            let key = index.entry_key(&index.key_values(&values, &[])?, &entry.key)?;
            let found = self.read(index.space, &key, at).await?;
            if found.as_deref() != Some(&entry.key[..]) {
                report
                    .problems
                    .push(format!("index \"{}\": the entry of a row is missing or another's", index.index.name));
            }
        }
        Ok(())
    }

    /// An index: that every entry leads to a row, and that there are no more than there should be.
    async fn verify_index(
        &self,
        access: &TableAccess,
        index: &IndexAccess,
        expected: u64,
        at: CommitTs,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let mut entries = 0u64;
        let mut scan = self.storage().scan(index.space, KeyRange::all(), Direction::Forward, at);
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        loop {
            let more = scan.next_rows(CHUNK_ROWS, &mut chunk).await.map_err(helios_txn::Error::from)?;
            for entry in chunk.drain(..) {
                entries += 1;
                let Value::Row(row_key) = &entry.version.value else { continue };
                if self.read(access.space, row_key, at).await?.is_none() {
                    report.problems.push(format!("index \"{}\": an entry leads to no row", index.index.name));
                }
            }
            if !more {
                break;
            }
        }
        if is_plain(index) && entries != expected {
            let name = &index.index.name;
            report.problems.push(format!("index \"{name}\": {entries} entries for {expected} rows"));
        }
        report.indexes += 1;
        report.entries += entries;
        Ok(())
    }

    /// The live value of a key.
    async fn read(&self, space: Space, key: &[u8], at: CommitTs) -> Result<Option<bytes::Bytes>> {
        let found = self.storage().get(space, key, at).await.map_err(helios_txn::Error::from)?;
        Ok(found.and_then(|version| version.value.row().cloned()))
    }
}

/// Whether every row has an entry that its columns alone determine. The entries of an index on an expression, or of a
/// partial one, are checked in one direction: each must lead to a row.
fn is_plain(index: &IndexAccess) -> bool {
    index.index.predicate.is_none() && index.index.keys.iter().all(|key| key.expression.is_none())
}
