//! Writing a run of versions to as many files as it takes.

use helios_env::IoError;

use super::{Engine, table_error};
use crate::checksum::FileIdentity;
use crate::table::{TableSummary, TableWriter};
use crate::{Result, Version};

/// The files of one flush or one compaction.
pub(super) struct Output<'a> {
    engine: &'a Engine,
    /// Files are closed at this size.
    bytes_max: u64,
    current: Option<TableWriter>,
    /// Every file created, finished or not.
    created: Vec<u64>,
    finished: Vec<TableSummary>,
}

impl<'a> Output<'a> {
    pub(super) fn new(engine: &'a Engine, bytes_max: u64) -> Output<'a> {
        Output { engine, bytes_max, current: None, created: Vec::new(), finished: Vec::new() }
    }

    /// Appends a version; keys ascend, versions of a key descend.
    pub(super) async fn add(&mut self, key: &[u8], version: &Version) -> Result<()> {
        // A key's versions stay in one file, and a file holds one branch.
        let must_close = self.current.as_ref().is_some_and(|writer| {
            let last = writer.last_key();
            last != key && (last[..4] != key[..4] || writer.estimated_bytes() >= self.bytes_max)
        });
        if must_close {
            self.close().await?;
        }
        let writer = match &mut self.current {
            Some(writer) => writer,
            None => {
                let tree = &self.engine.tree;
                let file = tree.new_file_id();
                let identity = FileIdentity { database: tree.database, file };
                self.created.push(file);
                let writer = TableWriter::create(&tree.env, &tree.options, identity).await.map_err(table_error)?;
                self.current.insert(writer)
            }
        };
        writer.add(key, version);
        if writer.wants_to_write() {
            writer.write_out().await.map_err(table_error)?;
            self.engine.tree.env.spawn.yield_now().await;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(writer) = self.current.take() {
            // A file whose sync failed is thrown away and written again under another number: nothing was built on it.
            let summary: Result<TableSummary, IoError> = writer.finish().await;
            self.finished.push(summary.map_err(table_error)?);
        }
        Ok(())
    }

    /// Closes the last file, and makes all of them durable.
    pub(super) async fn finish(mut self) -> Result<Vec<TableSummary>> {
        let closed = self.close().await;
        if let Err(error) = closed {
            self.abandon().await;
            return Err(error);
        }
        if !self.finished.is_empty() {
            self.engine.sync_tables().await?;
        }
        self.engine.note_written(&self.finished);
        Ok(self.finished)
    }

    /// Removes every file again.
    pub(super) async fn abandon(self) {
        self.engine.remove_tables(&self.created).await;
    }
}
