//! FOR UPDATE and its kin.

use std::sync::Arc;

use helios_types::{PgError, Result, SqlState};

use super::{Analyzer, at, error, inner};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{LockStrength, LockWait, Query, RowMark, RteKind};

impl Analyzer<'_> {
    /// Every locking clause of a SELECT.
    pub(super) fn locking_clauses(&mut self, clauses: &[pb::Node], query: &mut Query) -> Result<()> {
        for node in clauses {
            let Node::LockingClause(clause) = inner(node)? else {
                return Err(PgError::internal("a locking clause that is none"));
            };
            self.locking_clause(clause, query)?;
        }
        Ok(())
    }

    /// One clause (`transformLockingClause`).
    fn locking_clause(&mut self, clause: &pb::LockingClause, query: &mut Query) -> Result<()> {
        let strength = strength_of(clause)?;
        let wait = match clause.wait_policy() {
            pb::LockWaitPolicy::LockWaitSkip => LockWait::Skip,
            pb::LockWaitPolicy::LockWaitError => LockWait::Error,
            _ => LockWait::Block,
        };
        check_lockable(query, name_of(strength))?;
        if clause.locked_rels.is_empty() {
            for rte in 0..query.range_table.len() {
                lock_entry(query, rte, strength, wait)?;
            }
            return Ok(());
        }
        for node in &clause.locked_rels {
            let Node::RangeVar(range_var) = inner(node)? else {
                return Err(PgError::internal("a locking clause of no relation"));
            };
            let name = &range_var.relname;
            if !range_var.schemaname.is_empty() || !range_var.catalogname.is_empty() {
                let message = format!("{} must specify unqualified relation names", name_of(strength));
                return Err(error(SqlState::SYNTAX_ERROR, message).at(at(range_var.location)));
            }
            let unnamed = |rte: usize| {
                let is_join = matches!(query.range_table[rte].kind, RteKind::Join { .. });
                is_join && query.range_table[rte].alias == "unnamed_join"
            };
            let named = |rte: &usize| query.range_table[*rte].alias == *name && !unnamed(*rte);
            let Some(rte) = (0..query.range_table.len()).find(named) else {
                let message = format!("relation \"{name}\" in {} clause not found in FROM clause", name_of(strength));
                return Err(error(SqlState::UNDEFINED_TABLE, message).at(at(range_var.location)));
            };
            let what = match &query.range_table[rte].kind {
                RteKind::Relation { .. } | RteKind::Subquery(_) | RteKind::System { .. } => None,
                RteKind::Join { .. } => Some("a join"),
                RteKind::Functions { .. } => Some("a function"),
                RteKind::Values(_) => Some("VALUES"),
                RteKind::Cte { .. } => Some("a WITH query"),
                RteKind::Excluded | RteKind::Result => Some("a row"),
            };
            if let Some(what) = what {
                let message = format!("{} cannot be applied to {what}", name_of(strength));
                return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(range_var.location)));
            }
            lock_entry(query, rte, strength, wait)?;
        }
        Ok(())
    }
}

/// Locks an entry's rows; of a subquery, all rows that it reads (`applyLockingClause`).
fn lock_entry(query: &mut Query, rte: usize, strength: LockStrength, wait: LockWait) -> Result<()> {
    match &mut query.range_table[rte].kind {
        RteKind::Relation { .. } => {
            match query.row_marks.iter_mut().find(|mark| mark.rte == rte) {
                // Of several clauses the strongest holds; NOWAIT beats SKIP LOCKED beats waiting.
                Some(mark) => {
                    mark.strength = mark.strength.max(strength);
                    mark.wait = stricter(mark.wait, wait);
                }
                None => query.row_marks.push(RowMark { rte, strength, wait }),
            }
            Ok(())
        }
        RteKind::Subquery(subquery) => {
            let subquery = Arc::make_mut(subquery);
            crate::parse::on_grown_stack(|| {
                check_lockable(subquery, name_of(strength))?;
                (0..subquery.range_table.len()).try_for_each(|inner| lock_entry(subquery, inner, strength, wait))
            })
        }
        _ => Ok(()),
    }
}

fn stricter(a: LockWait, b: LockWait) -> LockWait {
    let rank = |wait| match wait {
        LockWait::Block => 0,
        LockWait::Skip => 1,
        LockWait::Error => 2,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// Rows of these queries are no table's rows (`CheckSelectLocking`).
fn check_lockable(query: &Query, name: &str) -> Result<()> {
    let with = if query.set_operation.is_some() {
        "UNION/INTERSECT/EXCEPT"
    } else if query.distinct.is_some() {
        "DISTINCT clause"
    } else if !query.group_by.is_empty() || !query.grouping_sets.is_empty() {
        "GROUP BY clause"
    } else if query.having.is_some() {
        "HAVING clause"
    } else if query.has_aggregates {
        "aggregate functions"
    } else if !query.windows.is_empty() {
        "window functions"
    } else if query.has_target_srfs {
        "set-returning functions in the target list"
    } else {
        return Ok(());
    };
    Err(error(SqlState::FEATURE_NOT_SUPPORTED, format!("{name} is not allowed with {with}")))
}

fn strength_of(clause: &pb::LockingClause) -> Result<LockStrength> {
    match clause.strength() {
        pb::LockClauseStrength::LcsForkeyshare => Ok(LockStrength::KeyShare),
        pb::LockClauseStrength::LcsForshare => Ok(LockStrength::Share),
        pb::LockClauseStrength::LcsFornokeyupdate => Ok(LockStrength::NoKeyUpdate),
        pb::LockClauseStrength::LcsForupdate => Ok(LockStrength::Update),
        _ => Err(PgError::internal("a locking clause of no strength")),
    }
}

fn name_of(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::KeyShare => "FOR KEY SHARE",
        LockStrength::Share => "FOR SHARE",
        LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockStrength::Update => "FOR UPDATE",
    }
}

/// The strength as the clause spells it.
pub(super) fn strength_name(node: &pb::Node) -> Result<&'static str> {
    match inner(node)? {
        Node::LockingClause(clause) => strength_of(clause).map(name_of),
        _ => Err(PgError::internal("a locking clause that is none")),
    }
}
