//! WITH: queries that the statement can refer to by name.

use std::sync::Arc;

use helios_types::{PgError, Result, SqlState, oid};

use super::cte_recursion::plan_recursion;
use super::location::expr_position;
use super::range_table::query_columns;
use super::select::{Unknowns, blank_query};
use super::{Analyzer, CteSlot, at, error, inner, name_list};
use crate::expr::{Expr, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Command, CommonTableExpr, Query, RteColumn};

impl Analyzer<'_> {
    /// WITH (`transformWithClause`): its queries become visible at the current level.
    pub(super) fn with_clause(&mut self, with: Option<&pb::WithClause>, query: &mut Query) -> Result<()> {
        let Some(with) = with else { return Ok(()) };
        query.recursive = with.recursive;
        let mut ctes = Vec::with_capacity(with.ctes.len());
        for node in &with.ctes {
            let Node::CommonTableExpr(cte) = inner(node)? else {
                return Err(PgError::internal("WITH without queries"));
            };
            ctes.push(cte.as_ref());
        }
        for (index, cte) in ctes.iter().enumerate() {
            if let Some(twin) = ctes[index + 1..].iter().find(|other| other.ctename == cte.ctename) {
                let message = format!("WITH query name \"{}\" specified more than once", cte.ctename);
                return Err(error(SqlState::DUPLICATE_ALIAS, message).at(at(twin.location)));
            }
            if cte.search_clause.is_some() {
                return Err(PgError::unsupported("SEARCH in a WITH query").at(at(cte.location)));
            }
            if cte.cycle_clause.is_some() {
                return Err(PgError::unsupported("CYCLE in a WITH query").at(at(cte.location)));
            }
        }
        if with.recursive {
            let plan = plan_recursion(&ctes)?;
            for index in plan.order {
                self.with_query(ctes[index], plan.recursive[index])?;
            }
            return Ok(());
        }
        self.level().future_ctes = ctes.iter().map(|cte| cte.ctename.clone()).collect();
        for cte in ctes {
            self.with_query(cte, false)?;
            self.level().future_ctes.remove(0);
        }
        Ok(())
    }

    /// One query of WITH (`analyzeCTE`). A recursive one is visible to itself.
    fn with_query(&mut self, cte: &pb::CommonTableExpr, recursive: bool) -> Result<()> {
        let materialized = match cte.ctematerialized() {
            pb::CteMaterialize::Always => Some(true),
            pb::CteMaterialize::Never => Some(false),
            _ => None,
        };
        let node = inner(cte.ctequery.as_deref().ok_or_else(|| PgError::internal("a WITH query without a query"))?)?;
        let slot = |query: Query, columns: Vec<RteColumn>| CteSlot {
            cte: CommonTableExpr {
                name: cte.ctename.clone(),
                query: Arc::new(query),
                columns,
                recursive,
                materialized,
                references: 0,
            },
            columns_known: !recursive,
            in_progress: recursive,
            without_returning: false,
            references: 0,
        };
        if recursive {
            let unfinished = slot(blank_query(Command::Select), Vec::new());
            self.level().ctes.push(unfinished);
            return self.recursive_query(cte, node);
        }
        let query = self.with_query_body(cte, node)?;
        let columns = self.cte_columns(cte, query_columns(&query))?;
        let mut finished = slot(query, columns);
        let body = &finished.cte.query;
        finished.without_returning = body.command != Command::Select && body.returning.is_empty();
        self.level().ctes.push(finished);
        Ok(())
    }

    fn with_query_body(&mut self, cte: &pb::CommonTableExpr, node: &Node) -> Result<Query> {
        let query = match node {
            Node::SelectStmt(select) => {
                return self.in_new_level(|a| a.select_statement(select, Unknowns::Text));
            }
            Node::InsertStmt(insert) => self.in_new_level(|a| a.insert_statement(insert))?,
            Node::UpdateStmt(update) => self.in_new_level(|a| a.update_statement(update))?,
            Node::DeleteStmt(delete) => self.in_new_level(|a| a.delete_statement(delete))?,
            Node::MergeStmt(_) => return Err(PgError::unsupported("MERGE")),
            _ => return Err(PgError::internal("a WITH query of an unknown kind")),
        };
        if self.levels.len() > 1 {
            let message = "WITH clause containing a data-modifying statement must be at the top level";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(cte.location)));
        }
        Ok(query)
    }

    /// A query that refers to itself; its slot is the last of the level.
    fn recursive_query(&mut self, cte: &pb::CommonTableExpr, node: &Node) -> Result<()> {
        let Node::SelectStmt(select) = node else {
            return Err(PgError::internal("a recursive query that is no SELECT"));
        };
        let index = self.level().ctes.len() - 1;
        let query = self.in_new_level(|a| a.recursive_union(select, cte, index))?;
        let slot = &self.current().ctes[index];
        let known = &slot.cte.columns;
        for (number, (column, entry)) in (1..).zip(known.iter().zip(&query.target_list)) {
            let overall = entry.expr.ty;
            let place = expr_position(&entry.expr);
            if (overall.oid, overall.typmod) != (column.ty.oid, column.ty.typmod) {
                let message = format!(
                    "recursive query \"{}\" column {number} has type {} in non-recursive term but type {} overall",
                    cte.ctename,
                    self.lookup().format_type_with(column.ty.oid, column.ty.typmod),
                    self.lookup().format_type_with(overall.oid, overall.typmod)
                );
                return Err(error(SqlState::DATATYPE_MISMATCH, message)
                    .with_hint("Cast the output of the non-recursive term to the correct type.")
                    .at(place));
            }
            if overall.collation != column.ty.collation {
                let message = format!(
                    "recursive query \"{}\" column {number} has collation \"{}\" in non-recursive term but collation \"{}\" overall",
                    cte.ctename,
                    super::collation::collation_name(column.ty.collation),
                    super::collation::collation_name(overall.collation)
                );
                return Err(error(SqlState::COLLATION_MISMATCH, message)
                    .with_hint("Use the COLLATE clause to set the collation of the non-recursive term.")
                    .at(place));
            }
        }
        let slot = &mut self.level().ctes[index];
        slot.cte.query = Arc::new(query);
        slot.in_progress = false;
        Ok(())
    }

    /// The first branch of a recursive union is analyzed: it decides the columns (`determineRecursiveColTypes`). The
    /// slot is `index` of the level above.
    pub(super) fn set_recursive_columns(
        &mut self,
        cte: &pb::CommonTableExpr,
        index: usize,
        names: &[String],
        exprs: &[Expr],
    ) -> Result<()> {
        let columns = names.iter().zip(exprs).map(|(name, expr)| {
            let mut ty = expr.ty;
            if ty.oid == oid::UNKNOWN {
                ty = ExprType { oid: oid::TEXT, typmod: -1, collation: oid::DEFAULT_COLLATION };
            }
            RteColumn { name: name.clone(), ty, attnum: 0 }
        });
        let columns = self.cte_columns(cte, columns.collect())?;
        let above = self.levels.len() - 2;
        let slot = &mut self.levels[above].ctes[index];
        slot.cte.columns = columns;
        slot.columns_known = true;
        Ok(())
    }

    /// The columns under the names that WITH gives them (`analyzeCTETargetList`).
    fn cte_columns(&self, cte: &pb::CommonTableExpr, mut columns: Vec<RteColumn>) -> Result<Vec<RteColumn>> {
        let names = name_list(&cte.aliascolnames)?;
        if names.len() > columns.len() {
            let message = format!(
                "WITH query \"{}\" has {} columns available but {} columns specified",
                cte.ctename,
                columns.len(),
                names.len()
            );
            return Err(error(SqlState::INVALID_COLUMN_REFERENCE, message).at(at(cte.location)));
        }
        for (column, name) in columns.iter_mut().zip(names) {
            column.name = name.to_owned();
        }
        Ok(columns)
    }
}
