//! Expressions that belong to a table rather than to a statement: defaults, generated columns, checks, index keys and
//! predicates; and the queries of views.
//!
//! DDL analyzes them when they are created ([`analyze_expression`]) and keeps their text, every name in it qualified. When
//! they are used they are analyzed again ([`analyze_expression_text`]), with `pg_catalog` alone as search path. In both
//! cases a column is a Var of entry 0, whose columns are the table's live ones in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts::{PG_CATALOG, Volatility};
use helios_catalog::model::{Column, Table, View};
use helios_types::{Oid, PgError, Result, SqlState, TypeMod};

use super::assignment::column_type;
use super::coerce::CoercionContext;
use super::context::ExprContext;
use super::location::expr_position;
use super::lookup::Relation;
use super::select::Unknowns;
use super::volatility::volatility;
use super::walk::{find, for_each_expr, for_each_expr_mut};
use super::{AnalyzeContext, Analyzer, ParamTypes, error, inner, position};
use crate::expr::{CoercionForm, Expr, ExprKind, system_column};
use crate::parse::protobuf::node::Node;
use crate::query::Query;
use crate::session::SessionContext;

/// Where names in stored text are looked up: it is qualified but for the built-in ones.
const STORED_PATH: &[Oid] = &[PG_CATALOG];

/// What an expression is for.
#[derive(Clone, Copy, Debug)]
pub enum ExpressionUse<'a> {
    /// DEFAULT of this column: coerced to its type.
    Default(&'a Column),
    /// GENERATED ALWAYS AS of this column: coerced to its type; immutable.
    Generated(&'a Column),
    /// CHECK: a boolean.
    Check,
    /// A key of an index: immutable.
    IndexExpression,
    /// WHERE of an index: a boolean, immutable.
    IndexPredicate,
    /// USING of ALTER COLUMN TYPE.
    AlterColumn,
    /// WHERE of COPY FROM: a boolean.
    CopyWhere,
}

/// An analyzed expression of a table, and what it depends on.
#[derive(Clone, Debug)]
pub struct StoredExpression {
    /// The expression.
    pub expr: Expr,
    /// Relations, types and functions that it names.
    pub dependencies: Vec<Oid>,
}

/// Analyzes an expression of a table as DDL has it: `table` is what its columns are looked up in, none for no columns.
///
/// # Errors
///
/// PostgreSQL's, with the byte position: what may not stand in such an expression is refused in its words.
pub fn analyze_expression(
    raw: &Node,
    table: Option<&Arc<Table>>,
    usage: ExpressionUse<'_>,
    context: &AnalyzeContext<'_>,
) -> Result<StoredExpression> {
    let mut analyzer = Analyzer::new(context, ParamTypes::none());
    let expr = analyzer.table_expression(raw, table, usage)?;
    check_immutable(&expr, usage)?;
    Ok(StoredExpression { expr, dependencies: analyzer.dependencies.into_iter().collect() })
}

/// Analyzes a stored expression's text again.
///
/// # Errors
///
/// Only when the text is not what [`analyze_expression`] once accepted: an object that it names is gone.
pub fn analyze_expression_text(
    text: &str,
    table: Option<&Arc<Table>>,
    usage: ExpressionUse<'_>,
    catalog: &CatalogSnapshot,
    session: &SessionContext,
) -> Result<StoredExpression> {
    let (expr, dependencies) = analyze_stored_text(text, table, usage, catalog, session)?;
    Ok(StoredExpression { expr, dependencies: dependencies.into_iter().collect() })
}

/// A view's query as it is understood: what its text is made of again when what it names gets another name.
///
/// # Errors
///
/// Only when an object that the text names is gone.
pub fn analyze_view(view: &View, catalog: &CatalogSnapshot, session: &SessionContext) -> Result<Query> {
    let context = stored_context(catalog, session);
    Analyzer::new(&context, ParamTypes::none()).expand_view(view)
}

pub(super) fn analyze_stored_text(
    text: &str,
    table: Option<&Arc<Table>>,
    usage: ExpressionUse<'_>,
    catalog: &CatalogSnapshot,
    session: &SessionContext,
) -> Result<(Expr, BTreeSet<Oid>)> {
    let parsed = crate::parse::parse(&format!("SELECT {text}"))?;
    let target = match parsed.first().map(|statement| statement.node()) {
        Some(Node::SelectStmt(select)) => select.target_list.first(),
        _ => None,
    };
    let value = match target.and_then(|target| target.node.as_ref()) {
        Some(Node::ResTarget(target)) => target.val.as_deref(),
        _ => None,
    };
    let value = value.ok_or_else(|| PgError::internal(format!("the stored expression {text:?}")))?;
    let context = stored_context(catalog, session);
    let mut analyzer = Analyzer::new(&context, ParamTypes::none());
    let mut expr = analyzer.table_expression(inner(value)?, table, usage).map_err(PgError::without_position)?;
    // Places in another text mean nothing to the statement at hand.
    for_each_expr_mut(&mut expr, &mut |part| part.location = None);
    Ok((expr, analyzer.dependencies))
}

/// A cast of an analyzed expression, as DDL needs it; `None` when this context has no such cast.
///
/// # Errors
///
/// An unknown literal that the type cannot read.
pub fn coerce_to_target_type(
    expr: Expr,
    target: (Oid, TypeMod),
    coercion: CoercionContext,
    context: &AnalyzeContext<'_>,
) -> Result<Option<Expr>> {
    let form = match coercion {
        CoercionContext::Explicit => CoercionForm::Explicit,
        _ => CoercionForm::Implicit,
    };
    let mut analyzer = Analyzer::new(context, ParamTypes::none());
    let coerced = analyzer.coerce_to_target_type(expr, target.0, target.1, coercion, form, None)?;
    coerced
        .map(|mut expr| {
            analyzer.assign_collations(&mut expr)?;
            Ok(expr)
        })
        .transpose()
}

fn stored_context<'a>(catalog: &'a CatalogSnapshot, session: &'a SessionContext) -> AnalyzeContext<'a> {
    AnalyzeContext { catalog, search_path: STORED_PATH, session, params: ParamTypes::none(), source: "" }
}

impl Analyzer<'_> {
    /// A view's query, its names looked up as they were written down.
    pub(super) fn expand_view(&mut self, view: &View) -> Result<Query> {
        if self.views.contains(&view.oid) {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", view.name);
            return Err(error(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        let parsed = crate::parse::parse(&view.query)?;
        let Some(Node::SelectStmt(select)) = parsed.first().map(|statement| statement.node()) else {
            return Err(PgError::internal(format!("the query of view {:?}", view.name)));
        };
        let context = stored_context(self.catalog, self.session);
        let mut analyzer = Analyzer::new(&context, ParamTypes::none());
        analyzer.views.clone_from(&self.views);
        analyzer.views.push(view.oid);
        let query =
            crate::parse::on_grown_stack(|| analyzer.in_new_level(|a| a.select_statement(select, Unknowns::Text)));
        let mut query = query.map_err(PgError::without_position)?;
        self.dependencies.extend(analyzer.dependencies);
        forget_places(&mut query);
        Ok(query)
    }

    fn table_expression(&mut self, raw: &Node, table: Option<&Arc<Table>>, usage: ExpressionUse<'_>) -> Result<Expr> {
        self.in_new_level(|a| {
            if let Some(table) = table {
                let item = a.add_relation(Relation::Table(table.clone()), None)?;
                a.show(item, true, true);
            }
            a.table_expression_here(raw, table, usage)
        })
    }

    fn table_expression_here(
        &mut self,
        raw: &Node,
        table: Option<&Arc<Table>>,
        usage: ExpressionUse<'_>,
    ) -> Result<Expr> {
        let (context, condition) = match usage {
            ExpressionUse::Default(_) => (ExprContext::ColumnDefault, None),
            ExpressionUse::Generated(_) => (ExprContext::GeneratedColumn, None),
            ExpressionUse::Check => (ExprContext::CheckConstraint, Some("CHECK")),
            ExpressionUse::IndexExpression => (ExprContext::IndexExpression, None),
            ExpressionUse::IndexPredicate => (ExprContext::IndexPredicate, Some("WHERE")),
            ExpressionUse::AlterColumn => (ExprContext::AlterColumnTransform, None),
            ExpressionUse::CopyWhere => (ExprContext::CopyWhere, Some("WHERE")),
        };
        let mut expr = self.transform_expr(raw, context)?;
        if let Some(construct) = condition {
            expr = self.coerce_to_boolean(expr, construct)?;
        }
        match usage {
            ExpressionUse::Default(column) | ExpressionUse::Generated(column) => {
                if let (ExpressionUse::Generated(_), Some(table)) = (usage, table) {
                    check_generation(&expr, table)?;
                }
                expr = self.coerce_default(expr, column)?;
            }
            ExpressionUse::IndexExpression => {
                if find(&expr, &|part| matches!(part.kind, ExprKind::SetReturning(_))).is_some() {
                    let message = "index expression cannot return a set";
                    return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
                }
                self.unknown_to_text(&mut expr)?;
            }
            ExpressionUse::AlterColumn
            | ExpressionUse::Check
            | ExpressionUse::IndexPredicate
            | ExpressionUse::CopyWhere => {}
        }
        self.assign_collations(&mut expr)?;
        Ok(expr)
    }

    /// `cookDefault`.
    fn coerce_default(&mut self, expr: Expr, column: &Column) -> Result<Expr> {
        let ty = column_type(column);
        let (source, place) = (expr.ty.oid, expr_position(&expr));
        let assignment = (CoercionContext::Assignment, CoercionForm::Implicit);
        self.coerce_to_target_type(expr, ty.oid, ty.typmod, assignment.0, assignment.1, None)?.ok_or_else(|| {
            let message = format!(
                "column \"{}\" is of type {} but default expression is of type {}",
                column.name,
                self.format_type(ty.oid, -1),
                self.format_type(source, -1)
            );
            error(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
                .at(place)
        })
    }
}

/// A generated column may depend on plain columns of its row only (`check_nested_generated`).
fn check_generation(expr: &Expr, table: &Table) -> Result<()> {
    let live: Vec<&Column> = table.live_columns().collect();
    let mut outcome = Ok(());
    for_each_expr(expr, &mut |part| {
        let ExprKind::Var(var) = &part.kind else { return };
        if outcome.is_err() {
            return;
        }
        if var.column == system_column::WHOLE_ROW {
            let message = "cannot use whole-row variable in column generation expression";
            outcome = Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message)
                .with_detail("This would cause the generated column to depend on its own value.")
                .at(position(part.location)));
        } else if let Some(column) = usize::try_from(var.column).ok().and_then(|index| live.get(index))
            && column.generated.is_some()
        {
            let message = format!("cannot use generated column \"{}\" in column generation expression", column.name);
            outcome = Err(error(SqlState::INVALID_OBJECT_DEFINITION, message)
                .with_detail("A generated column cannot reference another generated column.")
                .at(position(part.location)));
        }
    });
    outcome
}

/// What is kept with rows must not change by itself.
fn check_immutable(expr: &Expr, usage: ExpressionUse<'_>) -> Result<()> {
    let message = match usage {
        ExpressionUse::Generated(_) => "generation expression is not immutable",
        ExpressionUse::IndexExpression => "functions in index expression must be marked IMMUTABLE",
        ExpressionUse::IndexPredicate => "functions in index predicate must be marked IMMUTABLE",
        ExpressionUse::Default(_) | ExpressionUse::Check | ExpressionUse::AlterColumn | ExpressionUse::CopyWhere => {
            return Ok(());
        }
    };
    if volatility(expr) > Volatility::Immutable {
        return Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(())
}

/// Forgets where a view's expressions stand in the view's text.
fn forget_places(query: &mut Query) {
    super::walk::for_each_query_expr_mut(query, &mut |part| part.location = None);
}
