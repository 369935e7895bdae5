//! SELECT and VALUES.

use helios_types::{Oid, PgError, Result, SqlState};

use super::clause::{Rules, raw_place};
use super::coerce::select_common_typmod;
use super::context::ExprContext;
use super::location::expr_position;
use super::walk::contains_level_var;
use super::{Analyzer, at, inner};
use crate::expr::{Expr, ExprKind, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Command, FromItem, Query, ReturningRows};

/// What becomes of output columns whose type is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknowns {
    /// They are texts.
    Text,
    /// They stay, for whoever coerces them (INSERT, a branch of UNION).
    Keep,
}

/// A query with nothing in it.
pub(super) fn blank_query(command: Command) -> Query {
    Query {
        command,
        ctes: Vec::new(),
        recursive: false,
        range_table: Vec::new(),
        from: Vec::new(),
        qual: None,
        target_list: Vec::new(),
        result_relation: None,
        on_conflict: None,
        returning: Vec::new(),
        returning_rows: ReturningRows::default(),
        group_by: Vec::new(),
        grouping_sets: Vec::new(),
        having: None,
        has_aggregates: false,
        has_target_srfs: false,
        windows: Vec::new(),
        distinct: None,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        row_marks: Vec::new(),
        set_operation: None,
        dependencies: Vec::new(),
    }
}

impl Analyzer<'_> {
    /// A SELECT of any form, as a query of the current (new) level.
    pub(super) fn select_statement(&mut self, select: &pb::SelectStmt, unknowns: Unknowns) -> Result<Query> {
        crate::parse::on_grown_stack(|| {
            if !select.values_lists.is_empty() {
                self.values_statement(select)
            } else if select.op() == pb::SetOperation::SetopNone {
                self.plain_select(select, unknowns)
            } else {
                self.set_operation_statement(select)
            }
        })
    }

    /// `SELECT ...` (`transformSelectStmt`).
    fn plain_select(&mut self, select: &pb::SelectStmt, unknowns: Unknowns) -> Result<Query> {
        let mut query = blank_query(Command::Select);
        self.with_clause(select.with_clause.as_ref(), &mut query)?;
        self.refuse_into(select)?;
        for definition in &select.window_clause {
            let Node::WindowDef(definition) = inner(definition)? else {
                return Err(PgError::internal("WINDOW without definitions"));
            };
            let definition = definition.as_ref().clone();
            self.level().window_defs.push(definition);
        }
        query.from = self.from_clause(&select.from_clause)?;
        let mut list = self.target_list(&select.target_list, ExprContext::SelectTarget)?;
        self.mark_origins(&mut list);
        if let Some(qual) = select.where_clause.as_deref() {
            query.qual = Some(self.where_clause(qual, ExprContext::Where, "WHERE")?);
        }
        if let Some(having) = select.having_clause.as_deref() {
            query.having = Some(self.where_clause(having, ExprContext::Having, "HAVING")?);
        }
        query.order_by = self.sort_clause(&select.sort_clause, &mut list, ExprContext::OrderBy, Rules::Sql92)?;
        let group = self.group_clause(&select.group_clause, select.group_distinct, &mut list, &query.order_by)?;
        (query.group_by, query.grouping_sets) = (group.items, group.sets);
        query.distinct = match select.distinct_clause.as_slice() {
            [] => None,
            [only] if only.node.is_none() => Some(self.distinct(&mut list, &query.order_by)?),
            items => Some(self.distinct_on(items, &mut list, &query.order_by)?),
        };
        query.with_ties = select.limit_option() == pb::LimitOption::WithTies;
        query.offset = self.limit_clause(select.limit_offset.as_deref(), ExprContext::Offset, query.with_ties)?;
        query.limit = self.limit_clause(select.limit_count.as_deref(), ExprContext::Limit, query.with_ties)?;
        query.target_list = list;
        self.window_clause(&mut query)?;
        if unknowns == Unknowns::Text {
            self.resolve_unknowns(&mut query.target_list)?;
        }
        self.take_level(&mut query);
        self.locking_clauses(&select.locking_clause, &mut query)?;
        self.assign_query_collations(&mut query)?;
        if query.has_aggregates
            || !query.group_by.is_empty()
            || !query.grouping_sets.is_empty()
            || query.having.is_some()
        {
            self.check_aggregates(&mut query)?;
        }
        Ok(query)
    }

    /// Moves what the level has gathered into the query that it was for.
    pub(super) fn take_level(&mut self, query: &mut Query) {
        let level = self.level();
        query.range_table = std::mem::take(&mut level.range_table);
        query.has_aggregates = level.has_aggregates;
        query.has_target_srfs = level.has_target_srfs;
        let slots = std::mem::take(&mut level.ctes);
        for slot in slots {
            let mut cte = slot.cte;
            cte.references = slot.references;
            query.ctes.push(cte);
        }
    }

    /// `VALUES (...), (...)` as a query (`transformValuesClause`).
    fn values_statement(&mut self, select: &pb::SelectStmt) -> Result<Query> {
        let mut query = blank_query(Command::Select);
        self.with_clause(select.with_clause.as_ref(), &mut query)?;
        let rows = self.values_rows(&select.values_lists, ExprContext::Values, false)?;
        let (rows, types) = self.unify_rows(rows)?;
        let lateral = rows.iter().flatten().any(|value| contains_level_var(value, 0));
        let item = self.add_values(rows, types, lateral);
        query.from.push(FromItem::Rte(item.rte));
        let columns =
            item.columns.iter().map(|column| super::target_list::entry(column.reference(0, -1), column.name.clone()));
        query.target_list = columns.collect();
        self.show(item, true, true);
        query.order_by =
            self.sort_clause(&select.sort_clause, &mut query.target_list, ExprContext::OrderBy, Rules::Sql92)?;
        query.with_ties = select.limit_option() == pb::LimitOption::WithTies;
        query.offset = self.limit_clause(select.limit_offset.as_deref(), ExprContext::Offset, query.with_ties)?;
        query.limit = self.limit_clause(select.limit_count.as_deref(), ExprContext::Limit, query.with_ties)?;
        if let Some(locking) = select.locking_clause.first() {
            let strength = super::locking::strength_name(locking)?;
            let message = format!("{strength} cannot be applied to VALUES");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        self.take_level(&mut query);
        self.assign_query_collations(&mut query)?;
        Ok(query)
    }

    /// The rows of VALUES, all of the same length.
    pub(super) fn values_rows(
        &mut self,
        lists: &[pb::Node],
        context: ExprContext,
        allow_default: bool,
    ) -> Result<Vec<Vec<Expr>>> {
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(lists.len());
        for node in lists {
            let Node::List(list) = inner(node)? else {
                return Err(PgError::internal("VALUES without lists"));
            };
            let row = self.expression_list(&list.items, context, allow_default)?;
            if let Some(first) = rows.first()
                && first.len() != row.len()
            {
                let place = list.items.first().and_then(|item| raw_place(item.node.as_ref()?));
                let message = "VALUES lists must all be the same length";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(place));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// Coerces each column of the rows to one type.
    fn unify_rows(&mut self, mut rows: Vec<Vec<Expr>>) -> Result<(Vec<Vec<Expr>>, Vec<ExprType>)> {
        let width = rows.first().map_or(0, Vec::len);
        let mut types = Vec::with_capacity(width);
        for column in 0..width {
            let values: Vec<&Expr> = rows.iter().map(|row| &row[column]).collect();
            if let Some(default) = values.iter().find(|value| matches!(value.kind, ExprKind::SetToDefault)) {
                let message = "DEFAULT is not allowed in this context";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(expr_position(default)));
            }
            let common = self.select_common_type(&values, "VALUES")?;
            for row in &mut rows {
                let value = std::mem::replace(&mut row[column], Expr::null(ExprType::new(common)));
                row[column] = self.coerce_to_common_type(value, common, "VALUES")?;
            }
            let typmod = select_common_typmod(&rows.iter().map(|row| &row[column]).collect::<Vec<_>>(), common);
            types.push(ExprType { oid: common, typmod, collation: Oid::NONE });
        }
        for row in &mut rows {
            for value in row {
                self.assign_collations(value)?;
            }
        }
        for (column, ty) in types.iter_mut().enumerate() {
            let values: Vec<&Expr> = rows.iter().map(|row| &row[column]).collect();
            ty.collation = self.select_common_collation(&values, true)?;
        }
        Ok((rows, types))
    }
}

impl Analyzer<'_> {
    /// SELECT INTO is a statement of its own, not a query.
    pub(super) fn refuse_into(&self, select: &pb::SelectStmt) -> Result<()> {
        let Some(into) = &select.into_clause else { return Ok(()) };
        let place = into.rel.as_ref().and_then(|rel| at(rel.location));
        Err(match self.levels.len() {
            1 => PgError::unsupported("SELECT INTO").at(place),
            _ => PgError::new(SqlState::SYNTAX_ERROR, "SELECT ... INTO is not allowed here").at(place),
        })
    }
}
