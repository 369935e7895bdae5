//! Relations that are computed when they are read: `pg_catalog`, `information_schema`.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_env::BoxFuture;
use helios_types::{Oid, Result};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::plan::ParamSet;

/// A computed relation. It is computed once per execution and scan, however often it is scanned again.
pub(super) struct SystemScan {
    context: Arc<ExecutionContext>,
    relation: Oid,
    columns: Vec<usize>,
    computing: Option<BoxFuture<'static, Result<Vec<Batch>>>>,
    batches: Option<Vec<Batch>>,
    next: (usize, usize),
}

impl SystemScan {
    pub(super) fn new(relation: Oid, columns: &[usize], context: &Arc<ExecutionContext>) -> SystemScan {
        SystemScan {
            context: context.clone(),
            relation,
            columns: columns.to_vec(),
            computing: None,
            batches: None,
            next: (0, 0),
        }
    }
}

impl Operator for SystemScan {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if self.batches.is_none() {
            let (context, relation, columns) = (self.context.clone(), self.relation, self.columns.clone());
            let computing = self
                .computing
                .get_or_insert_with(|| Box::pin(async move { context.doors.relations.scan(relation, &columns).await }));
            self.batches = Some(ready!(computing.as_mut().poll(cx))?);
            self.computing = None;
        }
        self.context.cancel.check()?;
        let batches = self.batches.as_deref().unwrap_or_default();
        while let Some(batch) = batches.get(self.next.0) {
            let from = self.next.1;
            let len = (batch.rows() - from).min(BATCH_ROWS);
            if len == 0 {
                self.next = (self.next.0 + 1, 0);
                continue;
            }
            self.next.1 += len;
            return Poll::Ready(Ok(Some(batch.slice(from, len))));
        }
        Poll::Ready(Ok(None))
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        self.next = (0, 0);
    }
}
