//! Walking over keys and fetching rows, inside a transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use helios_env::BoxFuture;
use helios_storage::{Entry, Lookup, Space, Version};
use helios_txn::TransactionScan;
use helios_types::{ColumnBuilder, PgError, Result, SqlState, oid};

use super::{Keys, ScanCursor, ScanRequest, Tables, identity};
use crate::execute::batch::Batch;
use crate::table::RowDecoder;

/// A read that has to wait.
type Get = BoxFuture<'static, helios_txn::Result<Option<Version>>>;

/// A table being read by a statement.
pub(super) struct TableCursor {
    tables: Arc<Tables>,
    request: ScanRequest,
    decoder: RowDecoder,
    /// Which of the request's keys come next.
    next_keys: usize,
    walk: Option<TransactionScan>,
    /// Rows, or entries of the index, that were read and not handled yet.
    entries: Vec<Entry>,
    waiting: VecDeque<Entry>,
    get: Option<(Bytes, Get)>,
    scratch: Vec<u8>,
}

/// The batch that is being filled.
struct Rows {
    columns: Vec<ColumnBuilder>,
    identities: Option<ColumnBuilder>,
    rows: usize,
}

impl TableCursor {
    pub(super) fn new(tables: Arc<Tables>, request: ScanRequest) -> TableCursor {
        TableCursor {
            decoder: RowDecoder::new(&request.access, &request.columns),
            tables,
            request,
            next_keys: 0,
            walk: None,
            entries: Vec::new(),
            waiting: VecDeque::new(),
            get: None,
            scratch: Vec::new(),
        }
    }

    /// The space that the request's keys are in.
    fn space(&self) -> Space {
        self.request.index.unwrap_or(self.request.access.space)
    }

    fn rows(&self, capacity: usize) -> Rows {
        Rows {
            columns: self.decoder.builders(capacity),
            identities: self.request.identity.then(|| ColumnBuilder::new(oid::BYTEA, capacity)),
            rows: 0,
        }
    }

    /// Reads a key, waiting if it must.
    fn poll_get(&mut self, cx: &mut Context<'_>, space: Space, key: &Bytes) -> Poll<Result<Option<Version>>> {
        if self.get.is_none() {
            match self.tables.transaction.try_get(&self.tables.statement, space, key)? {
                Lookup::Found(version) => return Poll::Ready(Ok(Some(version))),
                Lookup::Absent => return Poll::Ready(Ok(None)),
                Lookup::NeedsIo => {
                    let (tables, wanted) = (self.tables.clone(), key.clone());
                    let get = Box::pin(async move { tables.transaction.get(&tables.statement, space, &wanted).await });
                    self.get = Some((key.clone(), get));
                }
            }
        }
        let (_, get) = self.get.as_mut().expect("made above");
        let version = ready!(get.as_mut().poll(cx));
        self.get = None;
        Poll::Ready(Ok(version?))
    }

    /// Reads the next rows, or entries of the index, into `self.entries`; `false` when there are no more.
    fn poll_entries(&mut self, cx: &mut Context<'_>, rows_max: usize) -> Poll<Result<bool>> {
        loop {
            if let Some(walk) = &mut self.walk {
                let more = ready!(walk.poll_next_rows(cx, rows_max, &mut self.entries))?;
                if !more {
                    self.walk = None;
                }
                if !self.entries.is_empty() {
                    return Poll::Ready(Ok(true));
                }
                continue;
            }
            let space = self.space();
            match self.request.keys.get(self.next_keys) {
                None => return Poll::Ready(Ok(false)),
                Some(Keys::Range(range)) => {
                    let (transaction, statement) = (&self.tables.transaction, &self.tables.statement);
                    self.walk = Some(transaction.scan(statement, space, range.clone(), self.request.direction));
                    self.next_keys += 1;
                }
                Some(Keys::Point(key)) => {
                    let key = key.clone();
                    let version = ready!(self.poll_get(cx, space, &key))?;
                    self.next_keys += 1;
                    if let Some(version) = version {
                        self.entries.push(Entry { key, version });
                        return Poll::Ready(Ok(true));
                    }
                }
            }
        }
    }

    fn decode(&mut self, key: &[u8], version: &Version, rows: &mut Rows) -> Result<()> {
        let Some(row) = version.value.row() else { return Ok(()) };
        self.decoder.decode(&self.request.access, row, &mut rows.columns)?;
        if let Some(identities) = &mut rows.identities {
            identity(key, version.birth, &mut self.scratch);
            identities.push_bytes(&self.scratch);
        }
        rows.rows += 1;
        Ok(())
    }

    /// Fetches the rows that the waiting entries of an index point to.
    fn poll_fetch(&mut self, cx: &mut Context<'_>, rows: &mut Rows) -> Poll<Result<()>> {
        while let Some(entry) = self.waiting.front() {
            let Some(row_key) = entry.version.value.row().cloned() else {
                self.waiting.pop_front();
                continue;
            };
            let space = self.request.access.space;
            let version = match self.poll_get(cx, space, &row_key) {
                Poll::Ready(version) => version?,
                Poll::Pending if rows.rows > 0 => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            };
            let version = version.ok_or_else(|| {
                let table = &self.request.access.table.name;
                PgError::new(
                    SqlState::INDEX_CORRUPTED,
                    format!("an index of relation \"{table}\" has an entry without a row"),
                )
            })?;
            self.waiting.pop_front();
            self.decode(&row_key, &version, rows)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl ScanCursor for TableCursor {
    fn poll_next(&mut self, cx: &mut Context<'_>, rows_max: usize) -> Poll<Result<Option<Batch>>> {
        loop {
            if !self.waiting.is_empty() {
                let mut rows = self.rows(self.waiting.len());
                ready!(self.poll_fetch(cx, &mut rows))?;
                if rows.rows > 0 {
                    return Poll::Ready(Ok(Some(rows.finish())));
                }
                continue;
            }
            if !ready!(self.poll_entries(cx, rows_max))? {
                return Poll::Ready(Ok(None));
            }
            if self.request.index.is_some() {
                self.waiting.extend(self.entries.drain(..));
                continue;
            }
            let mut rows = self.rows(self.entries.len());
            let mut entries = std::mem::take(&mut self.entries);
            for entry in entries.drain(..) {
                self.decode(&entry.key, &entry.version, &mut rows)?;
            }
            self.entries = entries;
            if rows.rows > 0 {
                return Poll::Ready(Ok(Some(rows.finish())));
            }
        }
    }
}

impl Rows {
    fn finish(self) -> Batch {
        let columns = self.columns.into_iter().chain(self.identities);
        Batch::new(columns.map(|column| Arc::new(column.finish())).collect(), self.rows)
    }
}
