//! Joins by equal keys.
//!
//! ```text
//!   inner ──▶ RowStore, KeyTable      head[key] ─▶ row ─next─▶ row ─next─▶ ...
//!   outer ──▶ key ──find──▶ pairs (outer row, inner row) ──residual──▶ pairs ──gather──▶ output columns
//! ```
//!
//! Pairs are made a batch at a time, so that a key with many rows on both sides costs no more memory than another.
//! Outer rows that found nothing follow at the end of their batch (left, full, anti), inner ones at the very end
//! (right, full).

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Bitmap, Oid, PgError, Result};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::hashing::{KeyTable, NO_KEY};
use crate::execute::memory::Reservation;
use crate::execute::row_store::RowStore;
use crate::plan::{HashJoin, ParamSet};
use crate::query::JoinKind;

/// No row: the end of a chain, or the missing side of an outer join.
const NO_ROW: u32 = u32::MAX;

/// A running hash join.
pub(super) struct HashJoinOperator {
    context: Arc<ExecutionContext>,
    kind: JoinKind,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    inner_depends: ParamSet,
    outer_keys: Evaluator,
    inner_keys: Evaluator,
    residual: Evaluator,
    /// Which columns of outer, then inner, go out.
    projection: Vec<usize>,
    outer_width: usize,
    outer_types: Vec<Oid>,
    table: BuildTable,
    built: bool,
    pending_inner: Option<Batch>,
    probe: Option<Probe>,
    /// Pairs whose residual conditions are being evaluated.
    candidates: Option<Candidates>,
    pending_outer: Option<Batch>,
    /// The next inner row to look at for those that found nothing.
    unmatched_inner: Option<usize>,
    failed: Option<PgError>,
    done: bool,
}

/// The inner side.
struct BuildTable {
    rows: RowStore,
    keys: KeyTable,
    key_memory: Reservation,
    heads: Vec<u32>,
    next: Vec<u32>,
    /// Inner rows that were found (right and full joins).
    matched: Vec<bool>,
    numbers: Vec<u32>,
}

/// An outer batch that is being joined.
struct Probe {
    batch: Batch,
    /// Number of each row's key.
    numbers: Vec<u32>,
    matched: Bitmap,
    row: usize,
    /// The inner row that comes next in the chain of `row`; `None` when the chain has not been begun.
    chain: Option<u32>,
    exhausted: bool,
}

struct Candidates {
    outer: Vec<u32>,
    inner: Vec<u32>,
    batch: Batch,
}

impl BuildTable {
    fn new(key_types: &[Oid], row_types: &[Oid], context: &ExecutionContext) -> BuildTable {
        BuildTable {
            rows: RowStore::new(row_types, &context.memory),
            keys: KeyTable::new(key_types, false),
            key_memory: Reservation::new(&context.memory),
            heads: Vec::new(),
            next: Vec::new(),
            matched: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.keys.clear();
        self.key_memory.clear();
        self.heads.clear();
        self.next.clear();
        self.matched.clear();
    }

    fn add(&mut self, batch: &Batch, keys: &[ColumnRef]) -> Result<()> {
        let first = self.rows.len() as u32;
        self.rows.append(batch, batch.rows() * 8)?;
        self.keys.insert(keys, batch.rows(), &mut self.numbers);
        self.key_memory.resize(self.keys.memory() + self.heads.capacity() * 4)?;
        self.heads.resize(self.keys.len(), NO_ROW);
        for (index, number) in self.numbers.iter().enumerate() {
            if *number == NO_KEY {
                self.next.push(NO_ROW);
                continue;
            }
            let head = &mut self.heads[*number as usize];
            self.next.push(*head);
            *head = first + index as u32;
        }
        Ok(())
    }

    fn head(&self, number: u32) -> u32 {
        if number == NO_KEY { NO_ROW } else { self.heads[number as usize] }
    }
}

impl HashJoinOperator {
    pub(super) fn new(
        join: &HashJoin,
        outer: Box<dyn Operator>,
        inner: Box<dyn Operator>,
        context: &Arc<ExecutionContext>,
    ) -> HashJoinOperator {
        let evaluator = |scalars: &[crate::plan::Scalar]| {
            Evaluator::new(context, scalars.iter().map(|scalar| scalar.program.clone()))
        };
        let key_types: Vec<Oid> = join.inner_keys.iter().map(|key| key.expr.ty.oid).collect();
        HashJoinOperator {
            context: context.clone(),
            kind: join.kind,
            outer,
            inner,
            inner_depends: join.inner.depends.clone(),
            outer_keys: evaluator(&join.outer_keys),
            inner_keys: evaluator(&join.inner_keys),
            residual: evaluator(&join.residual),
            projection: join.projection.clone(),
            outer_width: join.outer.output.len(),
            outer_types: join.outer.types(),
            table: BuildTable::new(&key_types, &join.inner.types(), context),
            built: false,
            pending_inner: None,
            probe: None,
            candidates: None,
            pending_outer: None,
            unmatched_inner: None,
            failed: None,
            done: false,
        }
    }

    fn poll_build(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.built {
            let batch = match self.pending_inner.take() {
                Some(batch) => batch,
                None => match ready!(self.inner.poll_next(cx))? {
                    Some(batch) => batch,
                    None => {
                        self.built = true;
                        if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
                            self.table.matched = vec![false; self.table.rows.len()];
                        }
                        break;
                    }
                },
            };
            self.context.cancel.check()?;
            match self.inner_keys.poll_project(cx, &batch) {
                Poll::Pending => {
                    self.pending_inner = Some(batch);
                    return Poll::Pending;
                }
                Poll::Ready(keys) => {
                    let keys = keys?;
                    if let Some(error) = keys.error {
                        return Poll::Ready(Err(error));
                    }
                    self.table.add(&batch, &keys.columns)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Fetches an outer batch and finds its keys; `false` at the end.
    fn poll_probe(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        let mut batch = match self.pending_outer.take() {
            Some(batch) => batch,
            None => match ready!(self.outer.poll_next(cx))? {
                Some(batch) => batch,
                None => return Poll::Ready(Ok(false)),
            },
        };
        self.context.cancel.check()?;
        let keys = match self.outer_keys.poll_project(cx, &batch) {
            Poll::Pending => {
                self.pending_outer = Some(batch);
                return Poll::Pending;
            }
            Poll::Ready(keys) => keys?,
        };
        if let Some(error) = keys.error {
            if keys.rows == 0 {
                return Poll::Ready(Err(error));
            }
            self.failed = Some(error);
            batch = batch.slice(0, keys.rows);
        }
        let mut numbers = Vec::new();
        self.table.keys.find(&keys.columns, batch.rows(), &mut numbers);
        let matched = Bitmap::new(batch.rows(), false);
        self.probe = Some(Probe { batch, numbers, matched, row: 0, chain: None, exhausted: false });
        Poll::Ready(Ok(true))
    }

    /// The columns that go out, of these outer and inner rows; `NO_ROW` where a side is missing.
    fn output(&self, batch: &Batch, outer: &[u32], inner: &[u32]) -> Batch {
        let inner_missing = inner.contains(&NO_ROW);
        let columns = self.projection.iter().map(|column| match column.checked_sub(self.outer_width) {
            None => Arc::new(batch.column(*column).gather(outer)),
            Some(column) if inner_missing => Arc::new(self.table.rows.columns()[column].gather_or_null(inner)),
            Some(column) => Arc::new(self.table.rows.columns()[column].gather(inner)),
        });
        Batch::new(columns.collect(), outer.len())
    }

    /// Only outer columns go out: semi and anti joins.
    fn outer_output(&self, batch: &Batch, rows: &[u32]) -> Batch {
        let picked = self.projection.iter().map(|column| batch.column(*column).clone()).collect();
        let picked = Batch::new(picked, batch.rows());
        if rows.len() == batch.rows() { picked } else { picked.gather(rows) }
    }

    /// What is left to say about the outer batch once all its pairs were made.
    fn finish_probe(&mut self, probe: &Probe) -> Option<Batch> {
        let wanted = match self.kind {
            JoinKind::Left | JoinKind::Full | JoinKind::Anti => false,
            JoinKind::Semi => true,
            JoinKind::Inner | JoinKind::Right => return None,
        };
        let rows: Vec<u32> =
            (0..probe.batch.rows() as u32).filter(|row| probe.matched.get(*row as usize) == wanted).collect();
        if rows.is_empty() {
            return None;
        }
        Some(match self.kind {
            JoinKind::Left | JoinKind::Full => self.output(&probe.batch, &rows, &vec![NO_ROW; rows.len()]),
            _ => self.outer_output(&probe.batch, &rows),
        })
    }

    /// Inner rows that found nothing, a batch at a time.
    fn next_unmatched_inner(&mut self) -> Option<Batch> {
        let next = self.unmatched_inner.as_mut()?;
        let mut rows = Vec::new();
        while *next < self.table.matched.len() && rows.len() < BATCH_ROWS {
            if !self.table.matched[*next] {
                rows.push(*next as u32);
            }
            *next += 1;
        }
        if rows.is_empty() {
            return None;
        }
        let columns = self.projection.iter().map(|column| match column.checked_sub(self.outer_width) {
            None => Arc::new(self.null_outer(*column, rows.len())),
            Some(column) => Arc::new(self.table.rows.columns()[column].gather(&rows)),
        });
        Some(Batch::new(columns.collect(), rows.len()))
    }

    fn null_outer(&self, column: usize, rows: usize) -> helios_types::Column {
        helios_types::Column::constant(self.outer_types[column], &helios_types::Datum::Null, rows)
    }

    /// Notes which rows were found and says what goes out for them.
    fn accept(&mut self, outer: Vec<u32>, inner: Vec<u32>) -> Option<Batch> {
        let probe = self.probe.as_mut()?;
        if self.kind != JoinKind::Inner {
            outer.iter().for_each(|row| probe.matched.set(*row as usize, true));
        }
        match self.kind {
            JoinKind::Right | JoinKind::Full => {
                inner.iter().for_each(|row| self.table.matched[*row as usize] = true);
            }
            JoinKind::Semi | JoinKind::Anti => return None,
            JoinKind::Inner | JoinKind::Left => {}
        }
        if outer.is_empty() {
            return None;
        }
        let batch = self.probe.as_ref()?.batch.clone();
        Some(self.output(&batch, &outer, &inner))
    }

    /// The next pairs with equal keys.
    fn next_pairs(&mut self) -> Option<(Vec<u32>, Vec<u32>)> {
        let exists_only = matches!(self.kind, JoinKind::Semi | JoinKind::Anti);
        let without_residual = self.residual.is_empty();
        let probe = self.probe.as_mut()?;
        let (mut outer, mut inner) = (Vec::with_capacity(BATCH_ROWS), Vec::with_capacity(BATCH_ROWS));
        while probe.row < probe.numbers.len() {
            let mut at = probe.chain.take().unwrap_or_else(|| self.table.head(probe.numbers[probe.row]));
            if exists_only && without_residual && at != NO_ROW {
                outer.push(probe.row as u32);
                inner.push(at);
                at = NO_ROW;
            }
            while at != NO_ROW {
                if outer.len() == BATCH_ROWS {
                    probe.chain = Some(at);
                    return Some((outer, inner));
                }
                outer.push(probe.row as u32);
                inner.push(at);
                at = self.table.next[at as usize];
            }
            probe.row += 1;
            if outer.len() >= BATCH_ROWS {
                break;
            }
        }
        probe.exhausted = probe.row >= probe.numbers.len();
        Some((outer, inner))
    }
}

impl Operator for HashJoinOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            if self.done {
                return Poll::Ready(Ok(None));
            }
            if !self.built {
                ready!(self.poll_build(cx))?;
                let needs_inner = matches!(self.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Right);
                self.done = needs_inner && self.table.rows.len() == 0;
                continue;
            }
            if let Some(candidates) = &self.candidates {
                let filtered = ready!(self.residual.poll_filter(cx, &candidates.batch))?;
                let candidates = self.candidates.take().expect("checked above");
                if let Some(error) = filtered.error {
                    return Poll::Ready(Err(error));
                }
                let pick = |from: &[u32]| filtered.rows.iter().map(|row| from[*row as usize]).collect();
                if let Some(batch) = self.accept(pick(&candidates.outer), pick(&candidates.inner)) {
                    return Poll::Ready(Ok(Some(batch)));
                }
                continue;
            }
            let Some(probe) = &self.probe else {
                if let Some(error) = self.failed.take() {
                    return Poll::Ready(Err(error));
                }
                if self.unmatched_inner.is_some() {
                    let batch = self.next_unmatched_inner();
                    self.done = batch.is_none();
                    return Poll::Ready(Ok(batch));
                }
                if !ready!(self.poll_probe(cx))? {
                    match self.kind {
                        JoinKind::Right | JoinKind::Full => self.unmatched_inner = Some(0),
                        _ => self.done = true,
                    }
                }
                continue;
            };
            if probe.exhausted {
                let probe = self.probe.take().expect("checked above");
                if let Some(batch) = self.finish_probe(&probe) {
                    return Poll::Ready(Ok(Some(batch)));
                }
                continue;
            }
            let Some((outer, inner)) = self.next_pairs() else { continue };
            if outer.is_empty() {
                continue;
            }
            if self.residual.is_empty() {
                if let Some(batch) = self.accept(outer, inner) {
                    return Poll::Ready(Ok(Some(batch)));
                }
                continue;
            }
            let probe = self.probe.as_ref().expect("pairs come of a probe");
            let batch = probe.batch.gather(&outer).with_columns(self.table.rows.gather(&inner).into_columns());
            self.candidates = Some(Candidates { outer, inner, batch });
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.outer_keys.rescan(changed);
        self.residual.rescan(changed);
        self.pending_outer = None;
        self.probe = None;
        self.candidates = None;
        self.unmatched_inner = None;
        self.failed = None;
        self.done = false;
        self.outer.rescan(changed);
        if self.built && !self.inner_depends.intersects(changed) {
            self.table.matched.iter_mut().for_each(|matched| *matched = false);
            let needs_inner = matches!(self.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Right);
            self.done = needs_inner && self.table.rows.len() == 0;
            return;
        }
        self.built = false;
        self.pending_inner = None;
        self.table.clear();
        self.inner_keys.rescan(changed);
        self.inner.rescan(changed);
    }
}
