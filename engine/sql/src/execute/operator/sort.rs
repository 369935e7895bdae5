//! ORDER BY: rows by keys that compare as bytes.
//!
//! ```text
//!   rows ──▶ RowStore            key of each row: its values, memcomparable, back to back in an arena
//!        └─▶ (first 8 bytes, row)  sorted; equal prefixes are decided in the arena, equal keys by the row's number
//! ```
//!
//! When at most n rows will be asked for, the store is cut back to the best n whenever it has grown to a multiple of
//! that, and rows that cannot be among them are not kept at all.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Column, ColumnData, Oid, Result, key, oid};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::execute::row_store::RowStore;
use crate::expr::SortOrder;
use crate::plan::{ParamSet, PlanNode, SortKey};

/// Appends the memcomparable form of a row's value, in the direction of the order.
pub(crate) fn append_key(
    column: &Column,
    row: usize,
    type_oid: Oid,
    order: SortOrder,
    out: &mut Vec<u8>,
) -> Result<()> {
    macro_rules! fixed {
        ($values:expr, $sign:expr) => {{
            if column.is_null(row) {
                out.push(if order.nulls_first { 0 } else { 2 });
                return Ok(());
            }
            out.push(1);
            let bits = $values[row] ^ $sign;
            out.extend_from_slice(&if order.descending { !bits } else { bits }.to_be_bytes());
        }};
    }
    match &column.data {
        ColumnData::I16(values) => fixed!(values, i16::MIN),
        ColumnData::I32(values) => fixed!(values, i32::MIN),
        ColumnData::I64(values) => fixed!(values, i64::MIN),
        ColumnData::U32(values) => fixed!(values, 0),
        ColumnData::Text(values) if !column.is_null(row) && type_oid != oid::BPCHAR && !order.descending => {
            let bytes = values.get(row);
            if bytes.contains(&0) {
                return key::encode(type_oid, &column.get(row), order.descending, order.nulls_first, out);
            }
            out.push(1);
            out.extend_from_slice(bytes);
            out.extend_from_slice(&[0, 1]);
        }
        _ => key::encode(type_oid, &column.get(row), order.descending, order.nulls_first, out)?,
    }
    Ok(())
}

/// The keys of rows, in one arena.
#[derive(Default)]
pub(crate) struct KeyArena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyArena {
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    fn prefix(&self, row: usize) -> u64 {
        let key = self.get(row);
        match key.first_chunk::<8>() {
            Some(eight) => u64::from_be_bytes(*eight),
            None => {
                let mut eight = [0; 8];
                eight[..key.len()].copy_from_slice(key);
                u64::from_be_bytes(eight)
            }
        }
    }

    /// Appends a row's key.
    pub(crate) fn push(&mut self, batch: &Batch, row: usize, keys: &[SortKey]) -> Result<()> {
        for key in keys {
            append_key(batch.column(key.column), row, key.ty.oid, key.order, &mut self.bytes)?;
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Takes the last key back.
    fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 8
    }

    /// The rows in the order of their keys; equal ones in the order they came.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut entries: Vec<(u64, u32)> = (0..self.ends.len()).map(|row| (self.prefix(row), row as u32)).collect();
        entries.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| self.get(a.1 as usize).cmp(self.get(b.1 as usize))).then_with(|| a.1.cmp(&b.1))
        });
        entries.into_iter().map(|entry| entry.1).collect()
    }

    /// The keys of these rows.
    fn gather(&self, rows: &[u32]) -> KeyArena {
        let mut gathered = KeyArena::default();
        for row in rows {
            gathered.bytes.extend_from_slice(self.get(*row as usize));
            gathered.ends.push(gathered.bytes.len());
        }
        gathered
    }
}

/// Sorted rows.
pub(super) struct Sort {
    input: Box<dyn Operator>,
    context: Arc<ExecutionContext>,
    keys: Vec<SortKey>,
    depends: ParamSet,
    store: RowStore,
    arena: KeyArena,
    /// At most so many rows are asked for.
    wanted: Option<usize>,
    /// The key that a row must be below to be among the wanted ones.
    threshold: Option<Vec<u8>>,
    sorted: Option<Vec<u32>>,
    next: usize,
}

impl Sort {
    pub(super) fn new(
        input: Box<dyn Operator>,
        keys: &[SortKey],
        node: &PlanNode,
        context: &Arc<ExecutionContext>,
    ) -> Sort {
        Sort {
            input,
            context: context.clone(),
            keys: keys.to_vec(),
            depends: node.depends.clone(),
            store: RowStore::new(&node.types(), &context.memory),
            arena: KeyArena::default(),
            wanted: None,
            threshold: None,
            sorted: None,
            next: 0,
        }
    }

    fn keep(&mut self, batch: &Batch) -> Result<()> {
        let before = self.arena.memory();
        let mut kept = Vec::new();
        for row in 0..batch.rows() {
            self.arena.push(batch, row, &self.keys)?;
            if let Some(threshold) = &self.threshold
                && self.arena.get(self.arena.len() - 1) >= &threshold[..]
            {
                self.arena.pop();
                continue;
            }
            kept.push(row as u32);
        }
        let extra = self.arena.memory() - before + kept.len() * 16;
        if kept.len() == batch.rows() {
            self.store.append(batch, extra)?;
        } else if !kept.is_empty() {
            self.store.append(&batch.gather(&kept), extra)?;
        }
        if let Some(wanted) = self.wanted
            && self.store.len() >= wanted.saturating_mul(2).max(BATCH_ROWS * 2)
        {
            let mut best = self.arena.sorted();
            best.truncate(wanted);
            self.arena = self.arena.gather(&best);
            self.store.retain(&best);
            self.threshold = (!best.is_empty()).then(|| self.arena.get(best.len() - 1).to_vec());
        }
        Ok(())
    }
}

impl Operator for Sort {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let order = match &self.sorted {
            Some(order) => order,
            None => {
                while let Some(batch) = ready!(self.input.poll_next(cx))? {
                    self.context.cancel.check()?;
                    self.keep(&batch)?;
                }
                let mut order = self.arena.sorted();
                if let Some(wanted) = self.wanted {
                    order.truncate(wanted);
                }
                self.arena = KeyArena::default();
                self.sorted.insert(order)
            }
        };
        if self.next >= order.len() {
            return Poll::Ready(Ok(None));
        }
        let rows = &order[self.next..order.len().min(self.next + BATCH_ROWS)];
        self.next += rows.len();
        Poll::Ready(Ok(Some(self.store.gather(rows))))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = 0;
        if self.sorted.is_some() && self.wanted.is_none() && !self.depends.intersects(changed) {
            return;
        }
        self.sorted = None;
        self.threshold = None;
        self.arena = KeyArena::default();
        self.store.clear();
        self.input.rescan(changed);
    }

    fn expect_rows(&mut self, rows: usize) {
        if self.sorted.is_none() && self.store.len() == 0 {
            self.wanted = Some(rows);
        }
    }
}
