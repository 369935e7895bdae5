//! From the raw tree to a [`Query`]: names resolved, types known, coercions explicit.
//!
//! The steps are those of PostgreSQL's analyzer, under its names, so that errors come in its order and with its words.
//!
//! ```text
//!   SelectStmt ─▶ WITH ─▶ FROM ─▶ target list ─▶ WHERE ─▶ HAVING ─▶ ORDER BY ─▶ GROUP BY ─▶ DISTINCT ─▶ LIMIT
//!                 cte     from_clause            clause              (by position, alias, expression)
//!                         join, range_table      │
//!                                                ▼
//!                    expression ─▶ column_ref, operator, function, sub_link, array, row, ...
//!                                                │
//!      ─▶ windows ─▶ collations ─▶ aggregates checked against GROUP BY ─▶ Query
//! ```
//!
//! A statement is a stack of [`Level`]s, one per query that encloses the place where the analyzer is (PostgreSQL's chain
//! of `ParseState`s). A level has a *range table* (everything that columns can come from) and a *namespace* (the part
//! of it that names can see right now, and how). A [`crate::expr::Var`] says how many levels up its range table is.
//!
//! What PostgreSQL's rewriter does comes here too: views become subqueries, DEFAULT is replaced by what it stands for,
//! INSERT's target list names every column.
//!
//! Nothing that parsed is ignored: a clause that is not supported is refused by name (0A000).

mod aggregate;
mod aggregate_check;
mod array;
mod assignment;
mod clause;
mod coerce;
mod collation;
mod column_ref;
mod constant;
mod context;
mod cte;
mod cte_recursion;
mod defaults;
mod delete;
mod expression;
mod from_clause;
mod function;
mod group_clause;
mod insert;
mod join;
mod location;
mod locking;
mod lookup;
mod missing_name;
mod namespace;
mod on_conflict;
mod operator;
mod params;
mod range_table;
mod raw_walk;
mod returning;
mod row;
mod select;
mod set_operation;
mod stored;
mod sub_link;
mod target_list;
mod type_name;
mod update;
mod volatility;
mod walk;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use helios_catalog::CatalogSnapshot;
use helios_types::{Oid, PgError, Result, SqlState};

pub use coerce::CoercionContext;
pub use context::ExprContext;
pub use params::ParamTypes;
pub use stored::{
    ExpressionUse, StoredExpression, analyze_expression, analyze_expression_text, analyze_view, coerce_to_target_type,
};
pub use target_list::figure_index_column_name;
pub use type_name::{transform_collation, transform_type_name};
pub use volatility::volatility;
pub use walk::{
    Descend, children, children_mut, for_each_expr, for_each_expr_mut, for_each_query_expr_mut, for_each_query_mut,
    own_expressions, own_expressions_mut, shift_query_levels, walk, walk_query,
};

use crate::parse::protobuf as pb;
use crate::query::{Command, CommonTableExpr, Query, RangeTblEntry, RteColumn};
use crate::session::SessionContext;
use namespace::NamespaceItem;

/// What a statement is analyzed against.
pub struct AnalyzeContext<'a> {
    /// The objects there are.
    pub catalog: &'a CatalogSnapshot,
    /// The schemas that unqualified names are looked up in, in order, `pg_catalog` among them.
    pub search_path: &'a [Oid],
    /// Settings and identity.
    pub session: &'a SessionContext,
    /// Types of `$1`, `$2`, ...
    pub params: ParamTypes,
    /// The text that the raw tree's locations point into.
    pub source: &'a str,
}

/// Analyzes a SELECT, VALUES, TABLE, INSERT, UPDATE or DELETE.
///
/// Parameters that had no type are given theirs in `context.params`.
///
/// # Errors
///
/// PostgreSQL's, with the byte position; 0A000 for what is not supported.
pub fn analyze_statement(raw: &pb::node::Node, context: &mut AnalyzeContext<'_>) -> Result<Query> {
    let params = std::mem::take(&mut context.params);
    let mut analyzer = Analyzer::new(context, params);
    let result = analyzer.statement(raw).and_then(|mut query| {
        analyzer.check_parameters(&query)?;
        query.dependencies = analyzer.dependencies.iter().copied().collect();
        Ok(query)
    });
    context.params = analyzer.params;
    result
}

/// Names and types of the columns that a statement returns; none for one that returns no rows.
pub fn output_columns(query: &Query) -> Vec<RteColumn> {
    let list = if query.command == Command::Select { &query.target_list } else { &query.returning };
    let visible = list.iter().filter(|entry| !entry.junk);
    visible.map(|entry| RteColumn { name: entry.name.clone(), ty: entry.expr.ty, attnum: 0 }).collect()
}

/// The analyzer at work on one statement.
struct Analyzer<'a> {
    catalog: &'a CatalogSnapshot,
    search_path: &'a [Oid],
    session: &'a SessionContext,
    params: ParamTypes,
    /// Enclosing queries, innermost last. Never empty while an expression is analyzed.
    levels: Vec<Level>,
    /// Relations, types and functions looked at.
    dependencies: BTreeSet<Oid>,
    /// Views being expanded, outermost first: a view that contains itself is an error.
    views: Vec<Oid>,
}

/// One query under analysis: PostgreSQL's `ParseState`.
#[derive(Default)]
struct Level {
    range_table: Vec<RangeTblEntry>,
    namespace: Vec<NamespaceItem>,
    /// WITH queries visible at this level, in order of their analysis.
    ctes: Vec<CteSlot>,
    /// Names of WITH queries that come later in the same list (for the hint).
    future_ctes: Vec<String>,
    /// What kind of expression is being analyzed.
    context: ExprContext,
    has_aggregates: bool,
    has_window_functions: bool,
    has_target_srfs: bool,
    /// The WINDOW clause, then the anonymous windows of the calls that were met.
    window_defs: Vec<pb::WindowDef>,
    /// Whether we are inside a LATERAL item, so that lateral-only names are visible.
    lateral_active: bool,
    /// Arguments of the GROUPING calls met, and where those stand.
    grouping_calls: Vec<(Vec<crate::expr::Expr>, Option<usize>)>,
    /// The target of INSERT, UPDATE or DELETE.
    target: Option<NamespaceItem>,
    /// How many `SET (a, b) = (SELECT ...)` were met.
    multi_assignments: usize,
    /// Set-returning calls met so far (who must not contain one compares), and where the last one stands.
    srf_calls: usize,
    last_srf: Option<u32>,
}

/// A WITH query of a level: being analyzed, or done.
struct CteSlot {
    cte: CommonTableExpr,
    /// Columns are known (false for a recursive query before its first branch is analyzed).
    columns_known: bool,
    /// It is being analyzed right now: a reference is a self-reference.
    in_progress: bool,
    /// For the error message: a data-modifying WITH without RETURNING has no columns to refer to.
    without_returning: bool,
    references: usize,
}

impl<'a> Analyzer<'a> {
    fn new(context: &AnalyzeContext<'a>, params: ParamTypes) -> Analyzer<'a> {
        Analyzer {
            catalog: context.catalog,
            search_path: context.search_path,
            session: context.session,
            params,
            levels: Vec::new(),
            dependencies: BTreeSet::new(),
            views: Vec::new(),
        }
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("an expression is analyzed within a query level")
    }

    fn current(&self) -> &Level {
        self.levels.last().expect("an expression is analyzed within a query level")
    }

    /// Runs `work` inside a new level and hands that level back.
    fn in_new_level<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let depth = self.levels.len();
        self.levels.push(Level::default());
        let result = work(self);
        self.levels.truncate(depth);
        result
    }

    /// Runs `work` with expressions being of this kind.
    fn in_context<R>(&mut self, context: ExprContext, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let saved = std::mem::replace(&mut self.level().context, context);
        let result = work(self);
        self.level().context = saved;
        result
    }

    /// The statement as a query of a new, outermost level.
    fn statement(&mut self, raw: &pb::node::Node) -> Result<Query> {
        use pb::node::Node;
        match raw {
            Node::SelectStmt(select) => self.in_new_level(|a| a.select_statement(select, select::Unknowns::Text)),
            Node::InsertStmt(insert) => self.in_new_level(|a| a.insert_statement(insert)),
            Node::UpdateStmt(update) => self.in_new_level(|a| a.update_statement(update)),
            Node::DeleteStmt(delete) => self.in_new_level(|a| a.delete_statement(delete)),
            Node::MergeStmt(_) => Err(PgError::unsupported("MERGE")),
            _ => Err(PgError::internal("not a statement that has a query tree")),
        }
    }
}

/// A raw location as an expression's.
fn place(location: i32) -> Option<u32> {
    u32::try_from(location).ok()
}

/// A raw location as an error's.
fn at(location: i32) -> Option<usize> {
    usize::try_from(location).ok()
}

/// An expression's place as an error's position.
fn position(location: Option<u32>) -> Option<usize> {
    location.map(|offset| offset as usize)
}

/// An error with a formatted message.
fn error(code: SqlState, message: String) -> PgError {
    PgError::new(code, message)
}

/// The node inside a list's element; the grammar leaves no hole where this is asked.
fn inner(node: &pb::Node) -> Result<&pb::node::Node> {
    node.node.as_ref().ok_or_else(|| PgError::internal("the raw tree has a hole"))
}

/// The string of a `String` node.
pub(crate) fn string_of(node: &pb::Node) -> Result<&str> {
    match inner(node)? {
        pb::node::Node::String(string) => Ok(&string.sval),
        _ => Err(PgError::internal("a name was expected in the raw tree")),
    }
}

/// The strings of a qualified name.
pub(crate) fn name_list(nodes: &[pb::Node]) -> Result<Vec<&str>> {
    nodes.iter().map(string_of).collect()
}
