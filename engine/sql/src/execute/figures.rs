//! What plan nodes really did: EXPLAIN ANALYZE.
//!
//! Each operator of such an execution is wrapped in one that counts rows and looks at the clock around every poll.
//! Figures are kept by plan node, because a node may have several operators one after another, and because the plan is
//! what is printed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use helios_env::Clock;
use helios_env::sync::Mutex;
use helios_types::Result;

use super::batch::Batch;
use super::operator::Operator;
use crate::plan::{ParamSet, PlanNode};

/// What a node did, all loops together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeFigures {
    /// How often it was started.
    pub loops: u64,
    /// Rows given.
    pub rows: u64,
    /// Rows that its filter kept back.
    pub removed: u64,
    /// Until the first row was there.
    pub startup: Duration,
    /// Until the end.
    pub total: Duration,
}

/// Figures of the nodes of a plan.
pub struct PlanFigures {
    clock: Arc<dyn Clock>,
    nodes: Mutex<BTreeMap<usize, NodeFigures>>,
}

impl PlanFigures {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> PlanFigures {
        PlanFigures { clock, nodes: Mutex::default() }
    }

    /// What a node did; nothing when it was never started.
    pub fn of(&self, node: &PlanNode) -> NodeFigures {
        self.nodes.lock().get(&address(node)).copied().unwrap_or_default()
    }

    /// An operator that is watched.
    pub(super) fn watch(self: &Arc<Self>, node: &PlanNode, inner: Box<dyn Operator>) -> Box<dyn Operator> {
        let (figures, node) = (self.clone(), address(node));
        Box::new(Watched { inner, figures, node, started: false, spent: Duration::ZERO, gave: false })
    }
}

/// Nodes are shared and do not move while their plan is there: their place tells them apart.
fn address(node: &PlanNode) -> usize {
    std::ptr::from_ref(node).addr()
}

struct Watched {
    inner: Box<dyn Operator>,
    figures: Arc<PlanFigures>,
    node: usize,
    started: bool,
    /// Time in this loop.
    spent: Duration,
    gave: bool,
}

impl Operator for Watched {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let before = self.figures.clock.monotonic();
        let polled = self.inner.poll_next(cx);
        let spent = self.figures.clock.monotonic() - before;
        self.spent += spent;
        let rows = match &polled {
            Poll::Ready(Ok(Some(batch))) => batch.rows() as u64,
            _ => 0,
        };
        let mut nodes = self.figures.nodes.lock();
        let figures = nodes.entry(self.node).or_default();
        figures.loops += u64::from(!self.started);
        figures.rows += rows;
        figures.removed += self.inner.take_removed() as u64;
        figures.total += spent;
        let ended = matches!(polled, Poll::Ready(Ok(None)));
        if !self.gave && (rows > 0 || ended) {
            figures.startup += self.spent;
            self.gave = true;
        }
        self.started = true;
        polled
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.inner.rescan(changed);
        (self.started, self.gave, self.spent) = (false, false, Duration::ZERO);
    }

    fn expect_rows(&mut self, rows: usize) {
        self.inner.expect_rows(rows);
    }
}
