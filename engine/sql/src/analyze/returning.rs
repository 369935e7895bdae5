//! RETURNING, which sees the row as it was (`old`) and as it is (`new`) beside the one that it is about.

use std::ops::ControlFlow;

use helios_types::{Oid, PgError, Result, SqlState};

use super::context::ExprContext;
use super::{Analyzer, Descend, at, inner, walk};
use crate::expr::ExprKind;
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Query, RangeTblEntry, ReturningRows, RteKind, TargetEntry};

impl Analyzer<'_> {
    /// RETURNING (`transformReturningClause`).
    pub(super) fn returning_clause(&mut self, clause: Option<&pb::ReturningClause>, query: &mut Query) -> Result<()> {
        let Some(clause) = clause else { return Ok(()) };
        let visible_before = self.level().namespace.len();
        let rows = self.returning_rows(clause)?;
        let list = self.target_list(&clause.exprs, ExprContext::Returning);
        self.level().namespace.truncate(visible_before);
        let mut list = list?;
        if list.is_empty() {
            let message = "RETURNING must have at least one column";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.mark_origins(&mut list);
        self.resolve_unknowns(&mut list)?;
        query.returning = list;
        query.returning_rows = self.used_returning_rows(rows, &query.returning);
        Ok(())
    }

    /// Shows `old` and `new`, or what WITH calls them, unless something else goes by the name already
    /// (`addNSItemForReturning`).
    fn returning_rows(&mut self, clause: &pb::ReturningClause) -> Result<ReturningRows> {
        let (mut old, mut new) = (None, None);
        for option in &clause.options {
            let Node::ReturningOption(option) = inner(option)? else {
                return Err(PgError::internal("an option of RETURNING that is none"));
            };
            let (name, what) = match option.option() {
                pb::ReturningOptionKind::ReturningOptionOld => (&mut old, "OLD"),
                pb::ReturningOptionKind::ReturningOptionNew => (&mut new, "NEW"),
                pb::ReturningOptionKind::Undefined => return Err(PgError::internal("RETURNING WITH of no kind")),
            };
            if name.is_some() {
                let message = format!("{what} cannot be specified multiple times");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(at(option.location)));
            }
            if self.find_name(None, &option.value, option.location)?.is_some() {
                let message = format!("table name \"{}\" specified more than once", option.value);
                return Err(PgError::new(SqlState::DUPLICATE_ALIAS, message).at(at(option.location)));
            }
            *name = Some(option.value.as_str());
        }
        let rows =
            ReturningRows { old: self.show_returning_row(old, "old")?, new: self.show_returning_row(new, "new")? };
        Ok(rows)
    }

    /// Those of the rows that RETURNING mentions; entries that nobody does are taken back.
    fn used_returning_rows(&mut self, rows: ReturningRows, list: &[TargetEntry]) -> ReturningRows {
        let used = |rte: usize| {
            list.iter().any(|target| {
                walk(&target.expr, 0, &mut |part, depth| match &part.kind {
                    ExprKind::Var(var) if var.rte == rte && var.levels_up == depth => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(Descend::Into),
                })
                .is_break()
            })
        };
        let kept = ReturningRows { old: rows.old.filter(|rte| used(*rte)), new: rows.new.filter(|rte| used(*rte)) };
        for rte in [rows.new, rows.old].into_iter().flatten() {
            let is_last = rte + 1 == self.level().range_table.len();
            if is_last && ![kept.old, kept.new].contains(&Some(rte)) {
                self.level().range_table.pop();
            }
        }
        kept
    }

    fn show_returning_row(&mut self, alias: Option<&str>, name: &str) -> Result<Option<usize>> {
        if alias.is_none() && self.find_name(None, name, -1)?.is_some() {
            return Ok(None);
        }
        let target = self.current().target.as_ref().map(|target| target.rte);
        let target = target.ok_or_else(|| PgError::internal("RETURNING without a target"))?;
        let columns = self.current().range_table[target].columns.clone();
        let entry = RangeTblEntry {
            kind: RteKind::Excluded,
            alias: alias.unwrap_or(name).to_owned(),
            columns,
            lateral: false,
            view: Oid::NONE,
        };
        let item = self.add_entry(entry);
        let rte = item.rte;
        self.show(item, true, false);
        Ok(Some(rte))
    }
}
