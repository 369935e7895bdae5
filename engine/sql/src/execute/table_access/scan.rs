//! SeqScan and IndexScan.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_storage::{Direction, KeyRange};
use helios_types::{Datum, PgError, Result};

use super::range::{self, Bounds};
use super::{Keys, ScanCursor, ScanRequest, ScanSource};
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::operator::Operator;
use crate::plan::{IndexScan, NodeKind, ParamSet, PlanNode, TableScan};
use crate::table::{TableAccess, space};

/// Rows of the first batch, where nobody has said how many are wanted; the next ones are larger.
const FIRST_BATCH_ROWS: usize = 64;

/// A table being read, whole or through an index.
pub(crate) struct TableScanOperator {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    access: Arc<TableAccess>,
    /// The values of an index scan's bounds.
    bounds: Evaluator,
    filter: Evaluator,
    cursor: Option<Box<dyn ScanCursor>>,
    current: Option<Batch>,
    failed: Option<PgError>,
    rows_max: usize,
    first_rows: usize,
    removed: usize,
}

fn table_scan(node: &PlanNode) -> (&TableScan, Option<&IndexScan>) {
    match &node.kind {
        NodeKind::SeqScan(scan) => (scan, None),
        NodeKind::IndexScan(index) => (&index.scan, Some(index)),
        _ => unreachable!("made for a table scan"),
    }
}

impl TableScanOperator {
    pub(crate) fn new(node: &Arc<PlanNode>, context: &Arc<ExecutionContext>) -> Result<TableScanOperator> {
        let (scan, index) = table_scan(node);
        let bounds = index.into_iter().flat_map(|index| {
            let ranges = index.lower.iter().chain(&index.upper).map(|(bound, _)| bound);
            index.equal.iter().chain(ranges).map(|bound| bound.value.program.clone())
        });
        Ok(TableScanOperator {
            node: node.clone(),
            context: context.clone(),
            access: Arc::new(TableAccess::new(scan.table.clone(), index.map(|index| index.index.clone()))?),
            bounds: Evaluator::new(context, bounds),
            filter: Evaluator::new(context, scan.filter.iter().map(|filter| filter.program.clone())),
            cursor: None,
            current: None,
            failed: None,
            rows_max: FIRST_BATCH_ROWS,
            first_rows: FIRST_BATCH_ROWS,
            removed: 0,
        })
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.cursor.is_some() {
            return Poll::Ready(Ok(()));
        }
        let (scan, index) = table_scan(&self.node);
        let keys = match index {
            None => vec![Keys::Range(KeyRange::all())],
            Some(index) => {
                let evaluated = ready!(self.bounds.poll_project(cx, &Batch::new(Vec::new(), 1)))?;
                if let Some(error) = evaluated.error {
                    return Poll::Ready(Err(error));
                }
                let values = evaluated.columns.iter().map(|column| column.get(0)).collect();
                index_keys(index, values)?
            }
        };
        let request = ScanRequest {
            access: self.access.clone(),
            columns: scan.columns.clone(),
            identity: scan.row_key,
            index: index.filter(|index| !index.index.primary).map(|index| space(index.index.storage)),
            keys,
            direction: if index.is_some_and(|index| index.backward) { Direction::Backward } else { Direction::Forward },
        };
        let tables = self.context.tables.as_ref().ok_or_else(|| PgError::internal("a table without a transaction"))?;
        self.cursor = Some(tables.open(request));
        Poll::Ready(Ok(()))
    }
}

/// The keys that an index scan's bounds, given their values, stand for.
fn index_keys(scan: &IndexScan, values: Vec<Datum>) -> Result<Vec<Keys>> {
    let mut values = values.into_iter();
    let mut next = || values.next().ok_or_else(|| PgError::internal("a bound without a value"));
    let mut bounds = Bounds { equal: Vec::with_capacity(scan.equal.len()), lower: None, upper: None };
    // A comparison with NULL holds for no row.
    for bound in &scan.equal {
        let equal = match next()? {
            Datum::Null => return Ok(Vec::new()),
            Datum::Array(array) if bound.any => {
                array.elements.iter().filter(|element| !element.is_null()).cloned().collect()
            }
            value => vec![value],
        };
        bounds.equal.push(equal);
    }
    if let Some((_, inclusive)) = &scan.lower {
        bounds.lower = Some((next()?, *inclusive));
    }
    if let Some((_, inclusive)) = &scan.upper {
        bounds.upper = Some((next()?, *inclusive));
    }
    if bounds.lower.iter().chain(&bounds.upper).any(|(value, _)| value.is_null()) {
        return Ok(Vec::new());
    }
    // An entry of a unique index without NULLs has no row key behind its columns.
    let whole = scan.index.unique;
    range::keys(&scan.index, &bounds, whole, scan.backward)
}

impl Operator for TableScanOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        ready!(self.poll_open(cx))?;
        loop {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => {
                    self.context.cancel.check()?;
                    let cursor = self.cursor.as_mut().expect("opened above");
                    match ready!(cursor.poll_next(cx, self.rows_max))? {
                        Some(batch) => batch,
                        None => return Poll::Ready(Ok(None)),
                    }
                }
            };
            self.rows_max = (self.rows_max * 4).min(BATCH_ROWS);
            if self.filter.is_empty() {
                return Poll::Ready(Ok(Some(batch)));
            }
            let filtered = match self.filter.poll_filter(cx, &batch) {
                Poll::Ready(filtered) => filtered?,
                Poll::Pending => {
                    self.current = Some(batch);
                    return Poll::Pending;
                }
            };
            if let Some(error) = filtered.error {
                if filtered.rows.is_empty() {
                    return Poll::Ready(Err(error));
                }
                self.failed = Some(error);
            }
            self.removed += batch.rows() - filtered.rows.len();
            if filtered.rows.len() == batch.rows() {
                return Poll::Ready(Ok(Some(batch)));
            }
            if !filtered.rows.is_empty() {
                return Poll::Ready(Ok(Some(batch.gather(&filtered.rows))));
            }
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.cursor = None;
        self.current = None;
        self.failed = None;
        self.rows_max = self.first_rows;
        self.bounds.rescan(changed);
        self.filter.rescan(changed);
    }

    fn expect_rows(&mut self, rows: usize) {
        if self.filter.is_empty() {
            self.first_rows = rows.clamp(1, BATCH_ROWS);
            self.rows_max = self.first_rows;
        }
    }

    fn take_removed(&mut self) -> usize {
        std::mem::take(&mut self.removed)
    }
}
