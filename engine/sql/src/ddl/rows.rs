//! Rows that are there already, as DDL works on them: checked, copied into a new key space, entered into a new index.
//!
//! Whoever comes here holds a lock on the table that keeps writers out. Rows are read with [`DdlContext::latest`], which
//! sees everything committed, whatever the transaction's isolation level; copies are written with the statement's own
//! command number, so that the next command sees them.

use std::sync::Arc;

use bytes::Bytes;
use helios_catalog::model::{Index, Table};
use helios_storage::{Direction, KeyRange};
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::DdlContext;
use crate::analyze::{ExpressionUse, analyze_expression_text};
use crate::execute::expression::{Evaluator, Program, compile};
use crate::execute::{BATCH_ROWS, Batch, ExecutionContext, Setting};
use crate::expr::{Expr, ExprKind, ExprType, Var};
use crate::plan::{Cost, NodeKind, ParamSet, Plan, PlanNode};
use crate::query::Command;
use crate::table::{InsertOutcome, TableAccess, not_null_violation, unique_violation};

/// Some rows of a table: their keys and values by attnum - 1.
pub(super) type Rows = Vec<(Bytes, Vec<Datum>)>;

/// Expressions over a table's rows.
pub(super) struct RowExpressions {
    evaluator: Evaluator,
    /// Type and position (attnum - 1) of each live column.
    live: Vec<(Oid, usize)>,
    count: usize,
}

impl RowExpressions {
    /// Of expressions whose Vars are those of entry 0: the table's live columns, in order.
    pub(super) fn new(ctx: &DdlContext<'_>, table: &Table, exprs: &[Expr]) -> Result<RowExpressions> {
        let layout: Vec<Expr> = table
            .live_columns()
            .enumerate()
            .map(|(position, column)| Expr {
                kind: ExprKind::Var(Var {
                    rte: 0,
                    column: i32::try_from(position).expect("a table has at most 1600 columns"),
                    levels_up: 0,
                }),
                ty: ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation },
                location: None,
            })
            .collect();
        let programs = exprs.iter().map(|expr| compile(expr, &layout)).collect::<Result<Vec<Arc<Program>>>>()?;
        let live = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        let live = live.map(|(position, column)| (column.type_oid, position)).collect();
        let context = ctx.execution();
        Ok(RowExpressions { evaluator: Evaluator::new(&context, programs), live, count: exprs.len() })
    }

    /// Their values, per row.
    pub(super) async fn values(&mut self, rows: &Rows) -> Result<Vec<Vec<Datum>>> {
        if self.count == 0 {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let types: Vec<Oid> = self.live.iter().map(|(oid, _)| *oid).collect();
        let input: Vec<Vec<Datum>> = rows
            .iter()
            .map(|(_, values)| self.live.iter().map(|(_, position)| values[*position].clone()).collect())
            .collect();
        let batch = Batch::of_rows(&types, &input);
        let evaluated = std::future::poll_fn(|cx| self.evaluator.poll_project(cx, &batch)).await?;
        if let Some(error) = evaluated.error {
            return Err(error);
        }
        Ok((0..rows.len()).map(|row| evaluated.columns.iter().map(|column| column.get(row)).collect()).collect())
    }
}

/// A condition that rows must not make false.
pub(super) struct Check {
    pub(super) name: String,
    pub(super) condition: Expr,
}

/// What rows must meet.
#[derive(Default)]
pub(super) struct Demands {
    /// Columns (attnum) that must not be NULL.
    pub(super) not_null: Vec<i16>,
    pub(super) checks: Vec<Check>,
}

impl Demands {
    pub(super) fn is_empty(&self) -> bool {
        self.not_null.is_empty() && self.checks.is_empty()
    }
}

/// What a copied row's columns become.
#[derive(Default)]
pub(super) struct Changes {
    /// Columns (attnum) with new values, over the old table.
    pub(super) from_old: Vec<(i16, Expr)>,
    /// Generated columns (attnum), over the new table.
    pub(super) generated: Vec<(i16, Expr)>,
}

impl DdlContext<'_> {
    /// What evaluates expressions outside of any plan.
    fn execution(&self) -> Arc<ExecutionContext> {
        let root = PlanNode {
            kind: NodeKind::Result,
            output: Vec::new(),
            cost: Cost::default(),
            depends: ParamSet::default(),
        };
        let plan = Plan {
            root: Arc::new(root),
            subplans: Vec::new(),
            ctes: Vec::new(),
            exec_params: 0,
            work_tables: 0,
            command: Command::Select,
            columns: Vec::new(),
            locks: Vec::new(),
            writes: false,
            dependencies: Vec::new(),
            relations: Vec::new(),
            failure: None,
        };
        let setting = Setting {
            session: self.session.clone(),
            params: Vec::new(),
            memory: self.memory.clone(),
            cancel: self.cancel.clone(),
            doors: self.doors.clone(),
            tables: None,
        };
        ExecutionContext::new(Arc::new(plan), setting)
    }

    /// A table's access paths as the catalog has them now.
    pub(super) fn access(&self, table: &Arc<Table>) -> Result<TableAccess> {
        let indexes = table.indexes.iter().filter_map(|&oid| self.snapshot().index(oid).cloned());
        TableAccess::new(table.clone(), indexes)
    }

    /// Checks the rows of a table.
    pub(super) async fn check_rows(&mut self, table: &Arc<Table>, demands: &Demands) -> Result<()> {
        if demands.is_empty() {
            return Ok(());
        }
        let access = self.access(table)?;
        let conditions: Vec<Expr> = demands.checks.iter().map(|check| check.condition.clone()).collect();
        let mut conditions = RowExpressions::new(self, table, &conditions)?;
        let mut source = Source::new(self, &access);
        while let Some(rows) = source.next(self, &access).await? {
            self.meet(table, demands, &mut conditions, &rows).await?;
        }
        Ok(())
    }

    async fn meet(&self, table: &Table, demands: &Demands, conditions: &mut RowExpressions, rows: &Rows) -> Result<()> {
        let schema = self.snapshot().schema_name(table.schema).unwrap_or_default();
        for (_, values) in rows {
            for &attnum in &demands.not_null {
                let Some(column) = table.column_by_attnum(attnum) else { continue };
                let value = usize::try_from(attnum - 1).ok().and_then(|position| values.get(position));
                if value.is_none_or(Datum::is_null) {
                    let violation = not_null_violation(table, schema, &column.name, values, &self.session.style);
                    let message =
                        format!("column \"{}\" of relation \"{}\" contains null values", column.name, table.name);
                    return Err(PgError::new(violation.code(), message)
                        .with_schema(schema)
                        .with_table(table.name.as_str())
                        .with_column(column.name.as_str()));
                }
            }
        }
        for outcome in conditions.values(rows).await? {
            for (check, value) in demands.checks.iter().zip(outcome) {
                if matches!(value, Datum::Bool(false)) {
                    let message = format!(
                        "check constraint \"{}\" of relation \"{}\" is violated by some row",
                        check.name, table.name
                    );
                    return Err(PgError::new(SqlState::CHECK_VIOLATION, message)
                        .with_schema(schema)
                        .with_table(table.name.as_str())
                        .with_constraint(check.name.as_str()));
                }
            }
        }
        Ok(())
    }

    /// Copies the rows of a table into the key space of its new form, with entries in the new form's indexes, all of
    /// which are empty.
    pub(super) async fn copy_rows(
        &mut self,
        old: &TableAccess,
        new: &TableAccess,
        changes: &Changes,
        demands: &Demands,
    ) -> Result<()> {
        let exprs = |list: &[(i16, Expr)]| list.iter().map(|(_, expr)| expr.clone()).collect::<Vec<Expr>>();
        let mut from_old = RowExpressions::new(self, &old.table, &exprs(&changes.from_old))?;
        let mut generated = RowExpressions::new(self, &new.table, &exprs(&changes.generated))?;
        let conditions: Vec<Expr> = demands.checks.iter().map(|check| check.condition.clone()).collect();
        let mut conditions = RowExpressions::new(self, &new.table, &conditions)?;
        let mut keys = Vec::with_capacity(new.indexes.len());
        for access in &new.indexes {
            keys.push(IndexExpressions::new(self, &new.table, &access.index)?);
        }
        let mut source = Source::new(self, old);
        while let Some(mut rows) = source.next(self, old).await? {
            let computed = from_old.values(&rows).await?;
            for ((_, values), computed) in rows.iter_mut().zip(computed) {
                values.resize(new.table.columns.len(), Datum::Null);
                assign(values, &changes.from_old, computed);
                // What they were may be of another type.
                assign(values, &changes.generated, vec![Datum::Null; changes.generated.len()]);
            }
            let computed = generated.values(&rows).await?;
            for ((_, values), computed) in rows.iter_mut().zip(computed) {
                assign(values, &changes.generated, computed);
            }
            self.meet(&new.table, demands, &mut conditions, &rows).await?;
            let mut expressions: Vec<Vec<Option<Vec<Datum>>>> = vec![Vec::with_capacity(keys.len()); rows.len()];
            for keys in &mut keys {
                for (row, values) in expressions.iter_mut().zip(keys.values(&rows).await?) {
                    row.push(values);
                }
            }
            for ((_, values), expressions) in rows.iter().zip(&expressions) {
                let outcome = new.insert(self.transaction, self.statement, self.row_ids, values, expressions).await?;
                if let InsertOutcome::Conflict { index, key_values, .. } = outcome {
                    return Err(self.duplicated(&new.table, &index, &key_values));
                }
            }
        }
        Ok(())
    }

    /// Enters the rows of a table into a new index of it, which is empty.
    pub(super) async fn build_index(&mut self, table: &Arc<Table>, index: &Arc<Index>) -> Result<()> {
        let access = TableAccess::new(table.clone(), self.access(table)?.primary.into_iter().chain([index.clone()]))?;
        let Some(entry) = access.indexes.first() else { return Ok(()) };
        let mut keys = IndexExpressions::new(self, table, index)?;
        let mut source = Source::new(self, &access);
        while let Some(rows) = source.next(self, &access).await? {
            for ((key, values), expressions) in rows.iter().zip(keys.values(&rows).await?) {
                let Some(expressions) = expressions else { continue };
                let key_values = entry.key_values(values, &expressions)?;
                let outcome = entry.build_entry(self.transaction, self.statement, key, key_values).await?;
                if let InsertOutcome::Conflict { key_values, .. } = outcome {
                    return Err(self.duplicated(table, index, &key_values));
                }
            }
        }
        Ok(())
    }

    fn duplicated(&self, table: &Table, index: &Index, key_values: &[Datum]) -> PgError {
        let schema = self.snapshot().schema_name(table.schema).unwrap_or_default();
        let violation = unique_violation(table, schema, index, key_values, &self.session.style);
        let detail = violation.detail().unwrap_or_default().replace(" already exists.", " is duplicated.");
        let message = format!("could not create unique index \"{}\"", index.name);
        PgError::new(SqlState::UNIQUE_VIOLATION, message)
            .with_detail(detail)
            .with_schema(schema)
            .with_table(table.name.as_str())
            .with_constraint(index.name.as_str())
    }
}

fn assign(values: &mut [Datum], targets: &[(i16, Expr)], computed: Vec<Datum>) {
    for ((attnum, _), value) in targets.iter().zip(computed) {
        if let Some(place) = usize::try_from(*attnum - 1).ok().and_then(|position| values.get_mut(position)) {
            *place = value;
        }
    }
}

/// A table's rows, some at a time.
struct Source {
    scan: helios_txn::TransactionScan,
    entries: Vec<helios_storage::Entry>,
    done: bool,
}

impl Source {
    fn new(ctx: &DdlContext<'_>, access: &TableAccess) -> Source {
        let statement = ctx.latest();
        let scan = ctx.transaction.scan(&statement, access.space, KeyRange::all(), Direction::Forward);
        Source { scan, entries: Vec::new(), done: false }
    }

    async fn next(&mut self, ctx: &DdlContext<'_>, access: &TableAccess) -> Result<Option<Rows>> {
        while !self.done {
            ctx.cancel.check()?;
            self.entries.clear();
            self.done = !self.scan.next_rows(BATCH_ROWS, &mut self.entries).await?;
            let mut rows = Rows::with_capacity(self.entries.len());
            for entry in self.entries.drain(..) {
                if let Some(row) = entry.version.value.row() {
                    rows.push((entry.key.clone(), access.decode_row(row)?));
                }
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

/// The expression keys and the predicate of an index.
struct IndexExpressions {
    expressions: RowExpressions,
    predicate: bool,
}

impl IndexExpressions {
    fn new(ctx: &DdlContext<'_>, table: &Arc<Table>, index: &Index) -> Result<IndexExpressions> {
        let analyze = |text: &str, usage| {
            analyze_expression_text(text, Some(table), usage, ctx.snapshot(), ctx.session).map(|found| found.expr)
        };
        let mut exprs = Vec::new();
        for text in index.keys.iter().filter_map(|key| key.expression.as_deref()) {
            exprs.push(analyze(text, ExpressionUse::IndexExpression)?);
        }
        // The predicate is looked at first: the keys of a row outside of the index are not computed.
        let predicate = match &index.predicate {
            Some(text) => Some(analyze(text, ExpressionUse::IndexPredicate)?),
            None => None,
        };
        let has_predicate = predicate.is_some();
        if let Some(predicate) = predicate {
            exprs = exprs.into_iter().map(|expr| guarded(&predicate, expr)).collect();
            exprs.push(predicate);
        }
        Ok(IndexExpressions { expressions: RowExpressions::new(ctx, table, &exprs)?, predicate: has_predicate })
    }

    /// Per row the values of the expression keys; `None` for a row that the index does not take.
    async fn values(&mut self, rows: &Rows) -> Result<Vec<Option<Vec<Datum>>>> {
        let values = self.expressions.values(rows).await?;
        Ok(values
            .into_iter()
            .map(|mut values| {
                if self.predicate && !matches!(values.pop(), Some(Datum::Bool(true))) {
                    return None;
                }
                Some(values)
            })
            .collect())
    }
}

/// `CASE WHEN predicate THEN expr END`.
fn guarded(predicate: &Expr, expr: Expr) -> Expr {
    let ty = expr.ty;
    let default = Box::new(Expr::null(ty));
    let kind = ExprKind::Case { arg: None, whens: vec![(predicate.clone(), expr)], default };
    Expr { kind, ty, location: None }
}
