//! LIMIT, OFFSET and FETCH FIRST ... WITH TIES.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::Operator;
use crate::execute::batch::{Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::hashing::of_row;
use crate::plan::{ParamSet, Scalar};

/// Some of the rows. The counts are computed before the first row is asked for.
pub(super) struct Limit {
    input: Box<dyn Operator>,
    offset: Option<Evaluator>,
    limit: Option<Evaluator>,
    counts: Option<Counts>,
    ties: Option<Vec<usize>>,
    types: Vec<Oid>,
    /// The values that ties are equal in, of the last row within the limit.
    last: Option<Vec<Option<Vec<u8>>>>,
    done: bool,
}

#[derive(Clone, Copy)]
struct Counts {
    skip: u64,
    take: Option<u64>,
}

impl Limit {
    pub(super) fn new(
        input: Box<dyn Operator>,
        limit: Option<&Scalar>,
        offset: Option<&Scalar>,
        ties: Option<&[usize]>,
        types: &[Oid],
        context: &Arc<ExecutionContext>,
    ) -> Limit {
        let evaluator = |scalar: &Scalar| Evaluator::new(context, [scalar.program.clone()]);
        Limit {
            input,
            offset: offset.map(evaluator),
            limit: limit.map(evaluator),
            counts: None,
            ties: ties.map(<[usize]>::to_vec),
            types: types.to_vec(),
            last: None,
            done: false,
        }
    }

    fn poll_counts(&mut self, cx: &mut Context<'_>) -> Poll<Result<Counts>> {
        if let Some(counts) = self.counts {
            return Poll::Ready(Ok(counts));
        }
        let skip = match &mut self.offset {
            None => 0,
            Some(offset) => match ready!(poll_count(offset, cx))? {
                Some(count) if count < 0 => {
                    return Poll::Ready(Err(PgError::new(
                        SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
                        "OFFSET must not be negative",
                    )));
                }
                count => count.unwrap_or(0) as u64,
            },
        };
        let take = match &mut self.limit {
            None => None,
            Some(limit) => match ready!(poll_count(limit, cx))? {
                Some(count) if count < 0 => {
                    return Poll::Ready(Err(PgError::new(
                        SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
                        "LIMIT must not be negative",
                    )));
                }
                count => count.map(|count| count as u64),
            },
        };
        if let (Some(take), None) = (take, &self.ties) {
            self.input.expect_rows(usize::try_from(take.saturating_add(skip)).unwrap_or(usize::MAX));
        }
        Poll::Ready(Ok(*self.counts.insert(Counts { skip, take })))
    }

    fn tie_key(&self, batch: &Batch, row: usize) -> Vec<Option<Vec<u8>>> {
        let columns = self.ties.as_deref().unwrap_or_default();
        let values: Vec<ColumnRef> = columns.iter().map(|column| batch.column(*column).clone()).collect();
        let types: Vec<Oid> = columns.iter().map(|column| self.types[*column]).collect();
        of_row(&values, row, &types)
    }
}

fn poll_count(evaluator: &mut Evaluator, cx: &mut Context<'_>) -> Poll<Result<Option<i64>>> {
    let evaluated = ready!(evaluator.poll_project(cx, &Batch::new(Vec::new(), 1)))?;
    Poll::Ready(match evaluated.error {
        Some(error) => Err(error),
        None => match evaluated.columns[0].get(0) {
            Datum::I64(count) => Ok(Some(count)),
            Datum::Null => Ok(None),
            other => Err(PgError::internal(format_args!("{other:?} as a number of rows"))),
        },
    })
}

impl Operator for Limit {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let Counts { mut skip, mut take } = ready!(self.poll_counts(cx))?;
        while !self.done {
            if take == Some(0) && self.last.is_none() {
                break;
            }
            let Some(batch) = ready!(self.input.poll_next(cx))? else { break };
            let rows = batch.rows() as u64;
            if rows <= skip {
                skip -= rows;
                self.counts = Some(Counts { skip, take });
                continue;
            }
            let from = skip as usize;
            let mut len = batch.rows() - from;
            skip = 0;
            if let Some(left) = take {
                let within = len.min(usize::try_from(left).unwrap_or(usize::MAX));
                let mut to = within;
                if self.ties.is_some() {
                    if within > 0 {
                        self.last = Some(self.tie_key(&batch, from + within - 1));
                    }
                    while to < len && self.last.as_ref() == Some(&self.tie_key(&batch, from + to)) {
                        to += 1;
                    }
                }
                self.done = to < len || (left == within as u64 && self.ties.is_none());
                take = Some(left - within as u64);
                len = to;
            }
            self.counts = Some(Counts { skip, take });
            if len > 0 {
                return Poll::Ready(Ok(Some(batch.slice(from, len))));
            }
        }
        self.done = true;
        Poll::Ready(Ok(None))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.counts = None;
        self.last = None;
        self.done = false;
        self.input.rescan(changed);
        self.offset.iter_mut().chain(&mut self.limit).for_each(|evaluator| evaluator.rescan(changed));
    }

    fn expect_rows(&mut self, rows: usize) {
        self.input.expect_rows(rows);
    }
}
