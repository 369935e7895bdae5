//! How an entry of the range table is read: whole, by a key, by a range of an index.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use helios_catalog::model::{Index, Table};
use helios_env::hash::HashSet;
use helios_txn::TableLockMode;
use helios_types::{Datum, Oid, PgError, Physical, Result, oid};

use super::cost::{CPU_OPERATOR, CPU_TUPLE, DEFAULT_ROWS, EQUAL, FETCH, FUNCTION_ROWS, LOOKUP, RANGE};
use super::cost::{is_volatile, selectivity, width};
use super::fold::fold;
use super::from::rels_of;
use super::node::{key_bound, scalars, scan_output};
use super::scope::{CteBinding, Scope};
use super::{Planner, column};
use crate::analyze::for_each_expr_mut;
use crate::expr::{Expr, ExprKind, ExprType, SortOrder, Var};
use crate::plan::catalog::{Strategy, comparison_in, family_of_class};
use crate::plan::{Cost, FunctionCall, IndexScan, NodeKind, PlanNode, TableScan};
use crate::query::{RangeFunction, RteKind};

/// Column number of a row's key, in Vars that the planner makes for whoever locks or changes rows.
pub(super) const ROW_KEY: i32 = -101;

/// The key of a row of this entry.
pub(super) fn row_key(rte: usize) -> Expr {
    column(Var { rte, column: ROW_KEY, levels_up: 0 }, ExprType::new(oid::BYTEA))
}

/// How conditions narrow an index.
struct Match {
    index: Arc<Index>,
    equal: Vec<(Expr, bool)>,
    lower: Option<(Expr, bool)>,
    upper: Option<(Expr, bool)>,
    /// The conditions that the bounds stand for.
    used: Vec<Expr>,
    rows: f64,
    cost: f64,
}

impl Planner<'_> {
    /// The scope that an entry belongs to, and its number there.
    fn owner(&self, rte: usize) -> Result<(Rc<Scope>, usize)> {
        let found = self.scopes.iter().find(|scope| (scope.base..scope.base + scope.entries.len()).contains(&rte));
        found.map(|scope| (scope.clone(), rte - scope.base)).ok_or_else(|| PgError::internal("an entry of no query"))
    }

    /// Whether an entry may read columns of its neighbours.
    pub(super) fn is_lateral(&self, rte: usize) -> bool {
        self.owner(rte).is_ok_and(|(scope, at)| {
            scope.entries[at].lateral || matches!(scope.entries[at].kind, RteKind::Functions { .. })
        })
    }

    fn table_of(&self, rte: usize) -> Option<Arc<Table>> {
        let (scope, at) = self.owner(rte).ok()?;
        match &scope.entries[at].kind {
            RteKind::Relation { table, .. } => Some(table.clone()),
            _ => None,
        }
    }

    /// Reads an entry. `needed`: the columns that are read above.
    pub(super) fn scan(&mut self, rte: usize, conditions: Vec<Expr>, needed: &HashSet<Var>) -> Result<Arc<PlanNode>> {
        let (scope, at) = self.owner(rte)?;
        let entry = scope.entries[at].clone();
        let columns = scope.entry_columns(at);
        let node = match &entry.kind {
            RteKind::Relation { table, .. } => return self.table_scan(rte, table, conditions, needed),
            RteKind::System { oid } => {
                let mut wanted = needed.clone();
                conditions.iter().for_each(|condition| super::from::vars_of(condition, &mut wanted));
                let kept = read_columns(rte, &columns, &wanted);
                let attnum = |index: usize| usize::try_from(entry.columns[index].attnum - 1).unwrap_or(index);
                let cost = Cost { total: 10.0, rows: 100.0, width: width(&kept), ..Cost::default() };
                let indexes = kept.iter().filter_map(column_index).map(attnum).collect();
                self.node(NodeKind::SystemScan { relation: *oid, rte, columns: indexes }, kept, cost)
            }
            RteKind::Subquery(query) => {
                let input = self.quietly(|planner| planner.query(query, Some(&scope)))?;
                let cost = Cost { total: input.cost.total + input.cost.rows * CPU_TUPLE, ..input.cost };
                self.node(NodeKind::SubqueryScan { rte, input }, columns, cost)
            }
            RteKind::Functions { functions, ordinality } => {
                self.function_scan(rte, functions, *ordinality, columns, &scope)?
            }
            RteKind::Values(rows) => {
                let mut values = Vec::with_capacity(rows.len());
                for row in rows {
                    let mut row = self.resolve_all(row, &scope)?;
                    row.iter_mut().for_each(|value| self.parameterize(value));
                    values.push(scalars(&row, &[])?);
                }
                let cost = Cost {
                    total: rows.len() as f64 * CPU_TUPLE,
                    rows: rows.len() as f64,
                    width: width(&columns),
                    ..Cost::default()
                };
                self.node(NodeKind::Values(values), columns, cost)
            }
            RteKind::Cte { levels_up, index, .. } => self.cte_scan(rte, *levels_up, *index, columns, &scope)?,
            RteKind::Result => {
                let cost = Cost { total: CPU_TUPLE, rows: 1.0, ..Cost::default() };
                self.node(NodeKind::Result, Vec::new(), cost)
            }
            RteKind::Join { .. } | RteKind::Excluded => {
                return Err(PgError::internal("an entry that has no rows of its own is read"));
            }
        };
        self.filter(node, &conditions)
    }

    fn cte_scan(
        &mut self,
        rte: usize,
        levels_up: u32,
        index: usize,
        columns: Vec<Expr>,
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        let owner = scope.ancestor(levels_up)?;
        Ok(match super::from::cte_binding(scope, levels_up, index)? {
            CteBinding::Inline(query) => {
                let input = self.quietly(|planner| planner.query(&query, Some(&owner)))?;
                let cost = input.cost;
                self.node(NodeKind::SubqueryScan { rte, input }, columns, cost)
            }
            CteBinding::Shared(cte) => {
                let rows = self.ctes[cte].root.cost.rows;
                let cost = Cost { total: rows * CPU_TUPLE, rows, width: width(&columns), ..Cost::default() };
                self.node(NodeKind::CteScan { rte, cte }, columns, cost)
            }
            CteBinding::WorkTable { table, signal } => {
                let cost = Cost { total: 1.0, rows: 100.0, width: width(&columns), ..Cost::default() };
                let scan = self.node(NodeKind::WorkTableScan { rte, table }, columns, cost);
                let mut depends = scan.depends.clone();
                depends.insert(signal);
                Arc::new(PlanNode {
                    kind: NodeKind::WorkTableScan { rte, table },
                    output: scan.output.clone(),
                    cost,
                    depends,
                })
            }
        })
    }

    fn function_scan(
        &mut self,
        rte: usize,
        functions: &[RangeFunction],
        ordinality: bool,
        columns: Vec<Expr>,
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        let mut calls = Vec::with_capacity(functions.len());
        let mut next = 0;
        for function in functions {
            let mut args = self.resolve_all(&function.call.args, scope)?;
            args.iter_mut().for_each(|arg| self.parameterize(arg));
            let types = columns[next..].iter().take(function.columns).map(|column| column.ty).collect();
            next += function.columns;
            let mut call = function.call.clone();
            call.args = args;
            calls.push(FunctionCall {
                args: scalars(&call.args, &[])?,
                call,
                returns_set: function.returns_set,
                ty: function.ty,
                columns: types,
            });
        }
        let rows = if functions.iter().any(|function| function.returns_set) { FUNCTION_ROWS } else { 1.0 };
        let cost = Cost { total: rows * CPU_TUPLE, rows, width: width(&columns), ..Cost::default() };
        Ok(self.node(NodeKind::FunctionScan { rte, functions: calls, ordinality }, columns, cost))
    }

    fn table_rows(&self, table: &Table) -> f64 {
        self.catalog.row_estimate(table).unwrap_or(DEFAULT_ROWS).max(1.0)
    }

    fn table_scan(
        &mut self,
        rte: usize,
        table: &Arc<Table>,
        conditions: Vec<Expr>,
        needed: &HashSet<Var>,
    ) -> Result<Arc<PlanNode>> {
        self.lock(table, TableLockMode::AccessShare);
        let best = self.best_match(rte, table, &conditions)?;
        let whole = self.whole_cost(table, &conditions);
        match best {
            Some(found) if found.cost < whole.total => self.index_scan(rte, table, found, conditions, needed, false),
            _ => self.seq_scan(rte, table, conditions, needed),
        }
    }

    fn whole_cost(&self, table: &Table, conditions: &[Expr]) -> Cost {
        let rows = self.table_rows(table);
        let pages = rows * table.columns.len() as f64 * 8.0 / 8192.0;
        let kept: f64 = conditions.iter().map(selectivity).product();
        Cost {
            startup: 0.0,
            total: pages + rows * (CPU_TUPLE + conditions.len() as f64 * CPU_OPERATOR),
            rows: (rows * kept).max(1.0),
            width: 0,
        }
    }

    fn seq_scan(
        &mut self,
        rte: usize,
        table: &Arc<Table>,
        conditions: Vec<Expr>,
        needed: &HashSet<Var>,
    ) -> Result<Arc<PlanNode>> {
        let cost = self.whole_cost(table, &conditions);
        let (scan, output) = self.scan_parts(rte, table, &conditions, needed)?;
        let cost = Cost { width: width(&output), ..cost };
        let once: Vec<Expr> = conditions
            .into_iter()
            .filter(|condition| rels_of(condition).is_empty() && !is_volatile(condition))
            .collect();
        let node = self.node(NodeKind::SeqScan(scan), output, cost);
        self.filter(node, &once)
    }

    /// A scan's columns and filter, and what it yields.
    fn scan_parts(
        &mut self,
        rte: usize,
        table: &Arc<Table>,
        filter: &[Expr],
        needed: &HashSet<Var>,
    ) -> Result<(TableScan, Vec<Expr>)> {
        let (scope, at) = self.owner(rte)?;
        let mut wanted = needed.clone();
        filter.iter().for_each(|condition| super::from::vars_of(condition, &mut wanted));
        let columns = read_columns(rte, &scope.entry_columns(at), &wanted);
        let attnums =
            columns.iter().filter_map(column_index).map(|index| scope.entries[at].columns[index].attnum).collect();
        let key = row_key(rte);
        let wants_key = needed.iter().any(|var| var.rte == rte && var.column == ROW_KEY);
        let filter: Vec<&Expr> =
            filter.iter().filter(|condition| !rels_of(condition).is_empty() || is_volatile(condition)).collect();
        let scan = TableScan {
            rte,
            table: table.clone(),
            columns: attnums,
            row_key: wants_key,
            filter: scalars(filter, &columns)?,
        };
        let output = scan_output(&scan, &columns, wants_key.then_some(key));
        Ok((scan, output))
    }

    fn index_scan(
        &mut self,
        rte: usize,
        table: &Arc<Table>,
        found: Match,
        conditions: Vec<Expr>,
        needed: &HashSet<Var>,
        backward: bool,
    ) -> Result<Arc<PlanNode>> {
        let rest: Vec<Expr> = conditions.into_iter().filter(|condition| !found.used.contains(condition)).collect();
        let (scan, output) = self.scan_parts(rte, table, &rest, needed)?;
        let kept: f64 = rest.iter().map(selectivity).product();
        let cost =
            Cost { startup: LOOKUP, total: found.cost, rows: (found.rows * kept).max(1.0), width: width(&output) };
        let bound = |bound: Option<(Expr, bool)>| match bound {
            None => Ok(None),
            Some((value, inclusive)) => key_bound(&value, false).map(|bound| Some((bound, inclusive))),
        };
        let equal: Result<Vec<_>> = found.equal.iter().map(|(value, any)| key_bound(value, *any)).collect();
        let scan = IndexScan {
            scan,
            index: found.index,
            equal: equal?,
            lower: bound(found.lower)?,
            upper: bound(found.upper)?,
            backward,
            index_only: false,
            conditions: found.used,
        };
        let once: Vec<Expr> =
            rest.into_iter().filter(|condition| rels_of(condition).is_empty() && !is_volatile(condition)).collect();
        let node = self.node(NodeKind::IndexScan(scan), output, cost);
        self.filter(node, &once)
    }

    fn scannable_index(&self, oid: Oid) -> Option<Arc<Index>> {
        self.catalog.index(oid).filter(|index| self.catalog.may_scan(index))
    }

    fn best_match(&self, rte: usize, table: &Arc<Table>, conditions: &[Expr]) -> Result<Option<Match>> {
        let mut best: Option<Match> = None;
        for oid in &table.indexes {
            let Some(index) = self.scannable_index(*oid) else { continue };
            if let Some(found) = self.match_index(rte, table, &index, conditions)?
                && !found.used.is_empty()
                && best.as_ref().is_none_or(|best| found.cost < best.cost)
            {
                best = Some(found);
            }
        }
        Ok(best)
    }

    /// The columns of an index as expressions of the entry.
    fn index_keys(&self, rte: usize, table: &Arc<Table>, index: &Index) -> Result<Vec<Expr>> {
        let (scope, at) = self.owner(rte)?;
        index
            .keys
            .iter()
            .map(|key| match &key.expression {
                Some(text) => {
                    let mut expr = self.catalog.table_expression(table, text)?;
                    // As the statement's expressions are; what fails is the business of who writes the index.
                    fold(&mut expr, self.session);
                    let columns = scope.entry_columns(at);
                    for_each_expr_mut(&mut expr, &mut |part| {
                        if let ExprKind::Var(var) = part.kind {
                            *part = columns[var.column as usize].clone();
                        }
                    });
                    Ok(expr)
                }
                None => {
                    let found = scope.entries[at].columns.iter().position(|column| column.attnum == key.attnum);
                    let found = found.ok_or_else(|| PgError::internal("an index is on a column that is not there"))?;
                    Ok(scope.entry_columns(at).swap_remove(found))
                }
            })
            .collect()
    }

    /// What conditions make of an index; `None` when a partial one may lack rows that are asked for.
    fn match_index(
        &self,
        rte: usize,
        table: &Arc<Table>,
        index: &Arc<Index>,
        conditions: &[Expr],
    ) -> Result<Option<Match>> {
        let keys = self.index_keys(rte, table, index)?;
        if let Some(predicate) = &index.predicate {
            let mut predicate = self.catalog.table_expression(table, predicate)?;
            fold(&mut predicate, self.session);
            let (scope, at) = self.owner(rte)?;
            let columns = scope.entry_columns(at);
            for_each_expr_mut(&mut predicate, &mut |part| {
                if let ExprKind::Var(var) = part.kind {
                    *part = columns[var.column as usize].clone();
                }
            });
            let mut parts = Vec::new();
            super::from::conjuncts(&predicate, &mut parts);
            if !parts.iter().all(|part| conditions.contains(part)) {
                return Ok(None);
            }
        }
        let mut found = Match {
            index: index.clone(),
            equal: Vec::new(),
            lower: None,
            upper: None,
            used: Vec::new(),
            rows: 0.0,
            cost: 0.0,
        };
        let mut share = 1.0;
        for (key, definition) in keys.iter().zip(&index.keys) {
            let family = family_of_class(definition.opclass).unwrap_or(Oid::NONE);
            let mut equality = None;
            for condition in conditions {
                let Some((strategy, value, any)) = bound_of(condition, key, family, rte) else { continue };
                match strategy {
                    Strategy::Equal if equality.is_none() || !any => equality = Some((value, any, condition)),
                    Strategy::Equal => {}
                    Strategy::Greater | Strategy::GreaterOrEqual if found.lower.is_none() => {
                        found.lower = Some((value, strategy == Strategy::GreaterOrEqual));
                        found.used.push(condition.clone());
                    }
                    Strategy::Less | Strategy::LessOrEqual if found.upper.is_none() => {
                        found.upper = Some((value, strategy == Strategy::LessOrEqual));
                        found.used.push(condition.clone());
                    }
                    _ => {}
                }
            }
            let Some((value, any, condition)) = equality else {
                share *= match (&found.lower, &found.upper) {
                    (None, None) => 1.0,
                    (Some(_), Some(_)) => RANGE,
                    _ => 0.333,
                };
                break;
            };
            // An equality makes bounds on the same column conditions like any other.
            found.lower = None;
            found.upper = None;
            found.used.retain(|used| bound_of(used, key, family, rte).is_none());
            share *= selectivity(condition);
            found.equal.push((value, any));
            found.used.push(condition.clone());
        }
        let total = self.table_rows(table);
        let exact = index.unique && found.equal.len() == index.keys.len();
        found.rows = if exact && found.equal.iter().all(|(_, any)| !any) {
            1.0
        } else if exact {
            (total * share / EQUAL / total).clamp(1.0, total)
        } else {
            (total * share).max(1.0)
        };
        let fetch = if index.primary { CPU_TUPLE } else { FETCH };
        found.cost = LOOKUP + total.log2().max(1.0) * CPU_OPERATOR + found.rows * (fetch + CPU_TUPLE);
        Ok(Some(found))
    }

    /// Reads a table in an order, if its key or an index has it.
    pub(super) fn ordered_scan(
        &mut self,
        rte: usize,
        conditions: &[Expr],
        needed: &HashSet<Var>,
        order: &[(Expr, SortOrder)],
        limited: bool,
    ) -> Result<Option<Arc<PlanNode>>> {
        let Some(table) = self.table_of(rte) else { return Ok(None) };
        let rows = self.table_rows(&table);
        let unordered = match self.best_match(rte, &table, conditions)? {
            Some(found) if found.cost < self.whole_cost(&table, conditions).total => (found.cost, found.rows),
            _ => (self.whole_cost(&table, conditions).total, rows),
        };
        let sorting = unordered.1.max(2.0) * unordered.1.max(2.0).log2() * 2.0 * CPU_OPERATOR;
        for oid in table.indexes.clone() {
            let Some(index) = self.scannable_index(oid) else { continue };
            let Some(found) = self.match_index(rte, &table, &index, conditions)? else { continue };
            if found.equal.iter().any(|(_, any)| *any) {
                continue;
            }
            let keys = self.index_keys(rte, &table, &index)?;
            let Some(backward) = direction(&index, &keys, found.equal.len(), order) else { continue };
            let enough = if limited { 0.1 } else { 1.0 };
            if found.cost * enough <= unordered.0 + sorting {
                self.lock(&table, TableLockMode::AccessShare);
                return self.index_scan(rte, &table, found, conditions.to_vec(), needed, backward).map(Some);
            }
        }
        Ok(None)
    }

    /// What one look-up costs, and how many rows it finds, when other entries' columns are known.
    pub(super) fn lookup_cost(&self, rte: usize, own: &[Expr], joining: &[Expr]) -> Option<(f64, f64)> {
        let table = self.table_of(rte)?;
        let conditions: Vec<Expr> = own.iter().chain(joining).cloned().collect();
        let found = self.best_match(rte, &table, &conditions).ok()??;
        let useful = found.used.iter().any(|used| joining.contains(used));
        useful.then_some((found.cost, found.rows))
    }

    /// A table's scan narrowed by conditions with outer columns, which become parameters; and the conditions that are
    /// left for the join. `None` when no index serves.
    pub(super) fn parameterized_scan(
        &mut self,
        plain: &Arc<PlanNode>,
        joining: &[Expr],
    ) -> Result<Option<(Arc<PlanNode>, Vec<Expr>)>> {
        let (scan, own) = match &plain.kind {
            NodeKind::SeqScan(scan) => (scan, Vec::new()),
            NodeKind::IndexScan(scan) => (&scan.scan, scan.conditions.clone()),
            _ => return Ok(None),
        };
        let (rte, table) = (scan.rte, scan.table.clone());
        let own: Vec<Expr> = own.into_iter().chain(scan.filter.iter().map(|scalar| scalar.expr.clone())).collect();
        let conditions: Vec<Expr> = own.iter().chain(joining).cloned().collect();
        let Some(mut found) = self.best_match(rte, &table, &conditions)? else { return Ok(None) };
        let rest: Vec<Expr> = joining.iter().filter(|condition| !found.used.contains(condition)).cloned().collect();
        let bounds = found.equal.iter_mut().map(|(value, _)| value);
        let bounds = bounds.chain(found.lower.iter_mut().chain(found.upper.iter_mut()).map(|(value, _)| value));
        let mut values: Vec<&mut Expr> = bounds.collect();
        for value in &mut values {
            self.parameterize(value);
        }
        let mut needed: HashSet<Var> = HashSet::default();
        plain.output.iter().for_each(|column| super::from::vars_of(column, &mut needed));
        Ok(Some((self.index_scan(rte, &table, found, own, &needed, false)?, rest)))
    }
}

/// Forwards or backwards, if the index's columns behind the first `equal` ones sort as asked.
fn direction(index: &Index, keys: &[Expr], equal: usize, order: &[(Expr, SortOrder)]) -> Option<bool> {
    let mut backward = None;
    let mut at = equal;
    for (expr, order) in order {
        // A column that is equal to one value does not sort anything.
        if keys[..equal].contains(expr) {
            continue;
        }
        let (key, definition) = (keys.get(at)?, index.keys.get(at)?);
        if key != expr {
            return None;
        }
        let same = definition.descending == order.descending && definition.nulls_first == order.nulls_first;
        let opposite = definition.descending != order.descending && definition.nulls_first != order.nulls_first;
        match (same, opposite, backward) {
            (true, _, None | Some(false)) => backward = Some(false),
            (_, true, None | Some(true)) => backward = Some(true),
            _ => return None,
        }
        at += 1;
    }
    Some(backward.unwrap_or(false))
}

/// The columns of an entry that are wanted, in the entry's order.
fn read_columns(rte: usize, columns: &[Expr], wanted: &HashSet<Var>) -> Vec<Expr> {
    let is_wanted =
        |column: &&Expr| matches!(&column.kind, ExprKind::Var(var) if var.rte == rte && wanted.contains(var));
    columns.iter().filter(is_wanted).cloned().collect()
}

fn column_index(column: &Expr) -> Option<usize> {
    match &column.kind {
        ExprKind::Var(var) => usize::try_from(var.column).ok(),
        _ => None,
    }
}

/// What a condition says of an index column: a comparison with a value that the entry's own columns are not in.
fn bound_of(condition: &Expr, key: &Expr, family: Oid, rte: usize) -> Option<(Strategy, Expr, bool)> {
    let free = |value: &Expr| !rels_of(value).contains(&rte) && !is_volatile(value);
    match &condition.kind {
        ExprKind::Func(call) => {
            let [left, right] = call.args.as_slice() else { return None };
            let strategy = comparison_in(call.operator, family)?;
            let (strategy, value) = if same_column(left, key) && free(right) {
                (strategy, right)
            } else if same_column(right, key) && free(left) {
                (strategy.commuted(), left)
            } else {
                return None;
            };
            Some((strategy, as_key(value, key.ty.oid)?, false))
        }
        ExprKind::ScalarArrayOp { func, any: true } => {
            let [left, array] = func.args.as_slice() else { return None };
            let strategy = comparison_in(func.operator, family)?;
            let element = helios_catalog::facts::types().by_oid(array.ty.oid).map(|found| found.element);
            let fits = element.is_some_and(|element| is_same_key(element, key.ty.oid));
            (strategy == Strategy::Equal && same_column(left, key) && free(array) && fits)
                .then(|| (Strategy::Equal, array.clone(), true))
        }
        // `WHERE flag` and `WHERE NOT flag`.
        ExprKind::Var(_) if condition == key => {
            Some((Strategy::Equal, Expr::constant(Datum::Bool(true), key.ty), false))
        }
        ExprKind::Bool(crate::expr::BoolOp::Not, args) if args.first() == Some(key) => {
            Some((Strategy::Equal, Expr::constant(Datum::Bool(false), key.ty), false))
        }
        _ => None,
    }
}

/// The index column, perhaps under a relabelling.
fn same_column(side: &Expr, key: &Expr) -> bool {
    let mut side = side;
    loop {
        if side == key {
            return true;
        }
        match &side.kind {
            ExprKind::Relabel(inner, _) => side = inner.deref(),
            _ => return false,
        }
    }
}

/// Whether values of one type are keys of the other, byte for byte.
fn is_same_key(value: Oid, key: Oid) -> bool {
    let plain_text = |found: Oid| Physical::of(found) == Physical::Text && found != oid::BPCHAR;
    value == key
        || (plain_text(value) && plain_text(key))
        || (Physical::of(value) == Physical::U32 && Physical::of(key) == Physical::U32)
}

/// A value in the key's own type: as it is, or an integer constant that fits.
fn as_key(value: &Expr, key: Oid) -> Option<Expr> {
    if is_same_key(value.ty.oid, key) {
        return Some(value.clone());
    }
    let number = match value.as_const()? {
        Datum::I16(number) => i64::from(*number),
        Datum::I32(number) => i64::from(*number),
        Datum::I64(number) => *number,
        Datum::Null => return Some(Expr::null(ExprType::new(key))),
        _ => return None,
    };
    let fitted = match (value.ty.oid, key) {
        (oid::INT2 | oid::INT4 | oid::INT8, oid::INT2) => Datum::I16(i16::try_from(number).ok()?),
        (oid::INT2 | oid::INT4 | oid::INT8, oid::INT4) => Datum::I32(i32::try_from(number).ok()?),
        (oid::INT2 | oid::INT4 | oid::INT8, oid::INT8) => Datum::I64(number),
        _ => return None,
    };
    Some(Expr::constant(fitted, ExprType::new(key)))
}
