//! SELECT ... FOR UPDATE and its kin.
//!
//! Rows are locked after they were sorted and before they are counted for LIMIT, so that only those are locked that are
//! returned. The node that locks sees every column of the locked tables and their keys; the target list comes above it,
//! computed from what the rows are once they are locked.

use std::rc::Rc;
use std::sync::Arc;

use helios_env::hash::HashSet;
use helios_txn::TableLockMode;
use helios_types::{PgError, Result};

use super::Planner;
use super::access::row_key;
use super::from::{FromWhere, vars_of};
use super::node::{position, scalars, sort_key};
use super::scope::Scope;
use super::select::shown;
use crate::expr::{Expr, ExprKind, Var};
use crate::plan::{LockMark, LockRows, NodeKind, PlanNode, Scalar, SortKey};
use crate::query::{LockWait, Query, RowMark, RteKind};

impl Planner<'_> {
    /// A SELECT with row marks: analysis has made sure that nothing groups.
    pub(super) fn locking_select(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        contents: FromWhere,
        targets: &[Expr],
        mut needed: HashSet<Var>,
    ) -> Result<Arc<PlanNode>> {
        self.writes = true;
        let marks = self.marks(query, scope)?;
        for (rte, columns, ..) in &marks {
            columns.iter().for_each(|column| vars_of(column, &mut needed));
            vars_of(&row_key(*rte), &mut needed);
        }
        let mut recheck = contents.conditions.clone();
        recheck.extend(contents.sides.iter().flat_map(|side| side.conditions.iter().cloned()));
        recheck.iter().for_each(|condition| vars_of(condition, &mut needed));
        let recheck_possible = contents.sides.is_empty();
        if !recheck_possible {
            // The inner side's columns are gone above a semi join; its rows are not locked, so that what it said holds.
            recheck = contents.conditions.clone();
        }
        let mut node = self.plan_from(contents, &needed)?;
        let sorted: Vec<Expr> = query.order_by.iter().map(|clause| targets[clause.target].clone()).collect();
        let plain = node.output.len();
        node = self.project_more(node, &sorted)?;
        let keys: Result<Vec<SortKey>> = query
            .order_by
            .iter()
            .map(|clause| sort_key(&node.output, &targets[clause.target], clause.order, clause.collation))
            .collect();
        node = self.sort(node, keys?);
        let mut lock_marks = Vec::with_capacity(marks.len());
        for (rte, columns, attnums, table, mark) in marks {
            self.lock(&table, TableLockMode::RowShare);
            let mut kept = Vec::new();
            for (column, attnum) in columns.iter().zip(attnums) {
                kept.push((position(&node.output, column)?, attnum));
            }
            lock_marks.push(LockMark {
                table,
                rte,
                key: position(&node.output, &row_key(rte))?,
                columns: kept,
                strength: mark.strength,
                wait: mark.wait,
            });
        }
        let available: Vec<Expr> = node.output[..plain].to_vec();
        let mut recompute = Vec::new();
        for (at, column) in node.output.iter().enumerate().skip(plain) {
            recompute.push((at, Scalar::new(column.clone(), &available)?));
        }
        let readable = |condition: &&Expr| {
            let mut vars = HashSet::default();
            vars_of(condition, &mut vars);
            vars.iter()
                .all(|var| available.iter().any(|column| matches!(&column.kind, ExprKind::Var(known) if known == var)))
        };
        let recheck = scalars(recheck.iter().filter(readable), &available)?;
        let (output, cost) = (node.output.clone(), node.cost);
        let lock = LockRows { input: node, marks: lock_marks, recheck, recompute };
        node = self.node(NodeKind::LockRows(lock), output, cost);
        node = self.limit(node, query, targets, scope)?;
        self.target_list(node, &shown(query, targets), query.has_target_srfs)
    }

    /// The tables that are marked: entry, columns, their attnums.
    #[allow(clippy::type_complexity)]
    fn marks(
        &self,
        query: &Query,
        scope: &Rc<Scope>,
    ) -> Result<Vec<(usize, Vec<Expr>, Vec<i16>, Arc<helios_catalog::model::Table>, RowMark)>> {
        let mut marks: Vec<RowMark> = Vec::new();
        for mark in &query.row_marks {
            match marks.iter_mut().find(|known| known.rte == mark.rte) {
                Some(known) => {
                    known.strength = known.strength.max(mark.strength);
                    if mark.wait != LockWait::Block {
                        known.wait = mark.wait;
                    }
                }
                None => marks.push(*mark),
            }
        }
        let mut found = Vec::with_capacity(marks.len());
        for mark in marks {
            match &scope.entries[mark.rte].kind {
                RteKind::Relation { table, .. } => {
                    let attnums = scope.entries[mark.rte].columns.iter().map(|column| column.attnum).collect();
                    let columns = scope.entry_columns(mark.rte);
                    found.push((scope.base + mark.rte, columns, attnums, table.clone(), mark));
                }
                RteKind::Subquery(_) => return Err(PgError::unsupported("locking rows of a subquery or view")),
                _ => {}
            }
        }
        Ok(found)
    }
}
