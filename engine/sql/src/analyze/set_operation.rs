//! UNION, INTERSECT, EXCEPT: a tree over subqueries whose columns are brought to common types.

use std::sync::Arc;

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::clause::Rules;
use super::coerce::select_common_typmod;
use super::context::ExprContext;
use super::location::expr_position;
use super::namespace::{NamespaceColumn, NamespaceItem};
use super::select::{Unknowns, blank_query};
use super::target_list::entry;
use super::walk::shift_query_levels;
use super::{Analyzer, error};
use crate::expr::{Expr, ExprKind, ExprType, Var};
use crate::parse::protobuf as pb;
use crate::query::{Command, FromItem, Query, RangeTblEntry, RteKind, SetOp, SetOperation};

/// A branch of the tree with its columns: of a leaf, its output expressions; of an operation, stand-ins of the types.
struct Branch {
    tree: SetOperation,
    columns: Vec<Expr>,
}

/// The WITH query that a top-level union belongs to.
type Recursive<'r> = Option<(&'r pb::CommonTableExpr, usize)>;

impl Analyzer<'_> {
    /// A set operation as a query of the current level (`transformSetOperationStmt`).
    pub(super) fn set_operation_statement(&mut self, select: &pb::SelectStmt) -> Result<Query> {
        self.set_operations(select, None)
    }

    /// The union of a recursive WITH query, slot `index` of the level above.
    pub(super) fn recursive_union(
        &mut self,
        select: &pb::SelectStmt,
        cte: &pb::CommonTableExpr,
        index: usize,
    ) -> Result<Query> {
        self.set_operations(select, Some((cte, index)))
    }

    fn set_operations(&mut self, select: &pb::SelectStmt, recursive: Recursive<'_>) -> Result<Query> {
        let mut leftmost = select;
        while let Some(left) = leftmost.larg.as_deref() {
            leftmost = left;
        }
        self.refuse_into(leftmost)?;
        self.refuse_into(select)?;
        refuse_locking(select)?;
        let mut query = blank_query(Command::Select);
        self.with_clause(select.with_clause.as_ref(), &mut query)?;
        let branch = self.set_operation(select, recursive)?;
        let names = self.leftmost_names(&branch.tree);
        let leftmost_rte = leftmost_leaf(&branch.tree);
        let places = self.output_places(leftmost_rte);
        let list = branch.columns.into_iter().enumerate().zip(names).map(|((index, column), name)| {
            let location = places.get(index).copied().flatten();
            let number = i32::try_from(index).expect("a query has at most 1,664 columns");
            let kind = ExprKind::Var(Var { rte: leftmost_rte, column: number, levels_up: 0 });
            entry(Expr { kind, ty: column.ty, location }, name)
        });
        query.target_list = list.collect();
        query.set_operation = Some(branch.tree);

        self.show_output(&query, leftmost_rte);
        let width = query.target_list.len();
        query.order_by =
            self.sort_clause(&select.sort_clause, &mut query.target_list, ExprContext::OrderBy, Rules::Sql92)?;
        self.level().namespace.clear();
        if let Some(extra) = query.target_list.get(width) {
            let message = "invalid UNION/INTERSECT/EXCEPT ORDER BY clause";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_detail("Only result column names can be used, not expressions or functions.")
                .with_hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                .at(expr_position(&extra.expr)));
        }
        query.with_ties = select.limit_option() == pb::LimitOption::WithTies;
        query.offset = self.limit_clause(select.limit_offset.as_deref(), ExprContext::Offset, query.with_ties)?;
        query.limit = self.limit_clause(select.limit_count.as_deref(), ExprContext::Limit, query.with_ties)?;
        self.take_level(&mut query);
        self.assign_query_collations(&mut query)?;
        Ok(query)
    }

    /// Makes the output columns visible to ORDER BY, so that an expression of them draws the right error.
    fn show_output(&mut self, query: &Query, rte: usize) {
        let columns = query.target_list.iter().zip(0..).map(|(target, column)| NamespaceColumn {
            name: target.name.clone(),
            rte,
            column,
            ty: target.expr.ty,
        });
        let columns = columns.collect();
        let entry = &self.current().range_table[rte];
        let item = NamespaceItem { columns, merged_only: true, ..NamespaceItem::of(rte, entry) };
        self.show(item, false, true);
    }

    /// Where a leaf's output columns stand.
    fn output_places(&self, rte: usize) -> Vec<Option<u32>> {
        match &self.current().range_table[rte].kind {
            RteKind::Subquery(query) => {
                let visible = query.target_list.iter().filter(|target| !target.junk);
                visible.map(|target| super::location::expr_location(&target.expr)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn leftmost_names(&self, tree: &SetOperation) -> Vec<String> {
        let entry = &self.current().range_table[leftmost_leaf(tree)];
        entry.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// A node of the tree (`transformSetOperationTree`): an operation, or a SELECT that is a branch.
    fn set_operation(&mut self, select: &pb::SelectStmt, recursive: Recursive<'_>) -> Result<Branch> {
        crate::parse::on_grown_stack(|| {
            let op = match select.op() {
                pb::SetOperation::SetopUnion => SetOp::Union,
                pb::SetOperation::SetopIntersect => SetOp::Intersect,
                pb::SetOperation::SetopExcept => SetOp::Except,
                pb::SetOperation::SetopNone | pb::SetOperation::Undefined => return self.leaf(select),
            };
            let hole = || PgError::internal("a set operation without its sides");
            let left = select.larg.as_deref().ok_or_else(hole)?;
            let right = select.rarg.as_deref().ok_or_else(hole)?;
            let left = self.side(left)?;
            if let Some((cte, index)) = recursive {
                let names = self.leftmost_names(&left.tree);
                self.set_recursive_columns(cte, index, &names, &left.columns)?;
            }
            let right = self.side(right)?;
            self.combine(op, select.all, left, right)
        })
    }

    /// One side: with clauses of its own it is a query of its own.
    fn side(&mut self, select: &pb::SelectStmt) -> Result<Branch> {
        if select.into_clause.is_some() {
            let place = select.into_clause.as_ref().and_then(|into| super::at(into.rel.as_ref()?.location));
            let message = "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(place));
        }
        refuse_locking(select)?;
        let decorated = !select.sort_clause.is_empty()
            || select.limit_offset.is_some()
            || select.limit_count.is_some()
            || select.with_clause.is_some();
        if decorated { self.leaf(select) } else { self.set_operation(select, None) }
    }

    fn leaf(&mut self, select: &pb::SelectStmt) -> Result<Branch> {
        let query = self.in_new_level(|a| a.select_statement(select, Unknowns::Keep))?;
        let columns = query.target_list.iter().filter(|target| !target.junk).map(|target| target.expr.clone());
        let columns = columns.collect();
        let rte = self.add_leaf(query);
        Ok(Branch { tree: SetOperation::Leaf(rte), columns })
    }

    fn add_leaf(&mut self, query: Query) -> usize {
        let alias = format!("*SELECT* {}", self.current().range_table.len() + 1);
        let columns = super::range_table::query_columns(&query);
        let kind = RteKind::Subquery(Arc::new(query));
        self.add_entry(RangeTblEntry { kind, alias, columns, lateral: false, view: Oid::NONE }).rte
    }

    /// Two branches under one operation, their columns brought to common types.
    fn combine(&mut self, op: SetOp, all: bool, mut left: Branch, mut right: Branch) -> Result<Branch> {
        let name = match op {
            SetOp::Union => "UNION",
            SetOp::Intersect => "INTERSECT",
            SetOp::Except => "EXCEPT",
        };
        if left.columns.len() != right.columns.len() {
            let message = format!("each {name} query must have the same number of columns");
            return Err(error(SqlState::SYNTAX_ERROR, message).at(right.columns.first().and_then(expr_position)));
        }
        let mut types = Vec::with_capacity(left.columns.len());
        for index in 0..left.columns.len() {
            let (l, r) = (&left.columns[index], &right.columns[index]);
            let common = self.select_common_type(&[l, r], name)?;
            let best = if l.ty.oid == common || r.ty.oid != common { l } else { r }.location;
            let mut coerced = Vec::with_capacity(2);
            for branch in [&mut left, &mut right] {
                coerced.push(self.coerce_column(branch, index, common, name)?);
            }
            let sides = [&coerced[0], &coerced[1]];
            let typmod = select_common_typmod(&sides, common);
            let collation = self.select_common_collation(&sides, op == SetOp::Union && all)?;
            let ty = ExprType { oid: common, typmod, collation };
            if op != SetOp::Union || !all {
                self.check_groupable(
                    &Expr { kind: ExprKind::SetToDefault, ty, location: best },
                    super::position(best),
                )?;
            }
            types.push((ty, best));
        }
        let columns: Vec<ExprType> = types.iter().map(|(ty, _)| *ty).collect();
        let stand_in = |&(ty, location): &(ExprType, Option<u32>)| Expr { kind: ExprKind::SetToDefault, ty, location };
        let stand_ins = types.iter().map(stand_in).collect();
        let tree = SetOperation::Node {
            op,
            all,
            left: Box::new(self.project_branch(left.tree, &columns, name)?),
            right: Box::new(self.project_branch(right.tree, &columns, name)?),
            columns,
        };
        Ok(Branch { tree, columns: stand_ins })
    }

    /// A column of a branch as the common type. An unknown literal or parameter of a leaf is settled there.
    fn coerce_column(&mut self, branch: &mut Branch, index: usize, common: Oid, name: &str) -> Result<Expr> {
        let column = branch.columns[index].clone();
        let undecided = column.ty.oid == oid::UNKNOWN;
        let settle = undecided && matches!(column.kind, ExprKind::Const(_) | ExprKind::Param(_));
        if undecided && !settle {
            return Ok(column);
        }
        let mut coerced = self.coerce_to_common_type(column, common, name)?;
        self.assign_collations(&mut coerced)?;
        if let (true, SetOperation::Leaf(rte)) = (settle, &branch.tree) {
            let entry = &mut self.level().range_table[*rte];
            if let RteKind::Subquery(query) = &mut entry.kind {
                let targets = &mut Arc::make_mut(query).target_list;
                if let Some(target) = targets.iter_mut().filter(|target| !target.junk).nth(index) {
                    target.expr = coerced.clone();
                }
                entry.columns[index].ty = coerced.ty;
            }
        }
        Ok(coerced)
    }

    /// The branch with its columns coerced to these types, in the leaf itself or in a query around it.
    fn project_branch(&mut self, tree: SetOperation, types: &[ExprType], name: &str) -> Result<SetOperation> {
        let have: Vec<ExprType> = match &tree {
            SetOperation::Leaf(rte) => self.current().range_table[*rte].columns.iter().map(|c| c.ty).collect(),
            SetOperation::Node { columns, .. } => columns.clone(),
        };
        if have.iter().zip(types).all(|(have, want)| have.oid == want.oid) {
            return Ok(tree);
        }
        if let SetOperation::Leaf(rte) = tree
            && self.project_in_place(rte, types, name)?
        {
            return Ok(tree);
        }
        let (inner, names) = self.branch_query(tree);
        let mut outer = blank_query(Command::Select);
        let columns: Vec<_> = super::range_table::query_columns(&inner);
        outer.range_table.push(RangeTblEntry {
            kind: RteKind::Subquery(Arc::new(inner)),
            alias: "branch".to_owned(),
            columns,
            lateral: false,
            view: Oid::NONE,
        });
        outer.from.push(FromItem::Rte(0));
        for (index, ((have, want), column_name)) in have.iter().zip(types).zip(names).enumerate() {
            let column = i32::try_from(index).expect("a query has at most 1,664 columns");
            let kind = ExprKind::Var(Var { rte: 0, column, levels_up: 0 });
            let var = Expr { kind, ty: *have, location: None };
            let mut coerced = self.coerce_to_common_type(var, want.oid, name)?;
            self.assign_collations(&mut coerced)?;
            outer.target_list.push(entry(coerced, column_name));
        }
        Ok(SetOperation::Leaf(self.add_leaf(outer)))
    }

    /// Coerces a leaf's output where nothing in it depends on the output's value; false when something does.
    fn project_in_place(&mut self, rte: usize, types: &[ExprType], name: &str) -> Result<bool> {
        let RteKind::Subquery(query) = &self.current().range_table[rte].kind else { return Ok(false) };
        let plain = query.set_operation.is_none()
            && query.distinct.is_none()
            && query.order_by.is_empty()
            && query.group_by.is_empty()
            && !query.target_list.iter().any(|target| target.junk);
        if !plain {
            return Ok(false);
        }
        let mut query = query.as_ref().clone();
        for (target, want) in query.target_list.iter_mut().zip(types) {
            if target.expr.ty.oid != want.oid {
                let expr = std::mem::replace(&mut target.expr, Expr::null(*want));
                target.expr = self.coerce_to_common_type(expr, want.oid, name)?;
                self.assign_collations(&mut target.expr)?;
                (target.table, target.attnum) = (Oid::NONE, 0);
            }
        }
        let entry = &mut self.level().range_table[rte];
        entry.columns = super::range_table::query_columns(&query);
        entry.kind = RteKind::Subquery(Arc::new(query));
        Ok(true)
    }

    /// A branch as a query that can stand one level below, with its columns' names.
    fn branch_query(&mut self, tree: SetOperation) -> (Query, Vec<String>) {
        let names = self.leftmost_names(&tree);
        if let SetOperation::Leaf(rte) = tree {
            let RteKind::Subquery(query) = &self.current().range_table[rte].kind else {
                unreachable!("a leaf is a subquery");
            };
            let mut query = query.as_ref().clone();
            shift_query_levels(&mut query, 1);
            return (query, names);
        }
        let mut query = blank_query(Command::Select);
        let SetOperation::Node { columns, .. } = &tree else { unreachable!("leaves are handled above") };
        let columns = columns.clone();
        let tree = self.move_leaves(tree, &mut query);
        for (index, (ty, name)) in columns.into_iter().zip(&names).enumerate() {
            let column = i32::try_from(index).expect("a query has at most 1,664 columns");
            let kind = ExprKind::Var(Var { rte: leftmost_leaf(&tree), column, levels_up: 0 });
            query.target_list.push(entry(Expr { kind, ty, location: None }, name.clone()));
        }
        query.set_operation = Some(tree);
        (query, names)
    }

    /// The tree over copies of its leaves in another query's range table, two levels deeper than here.
    fn move_leaves(&mut self, tree: SetOperation, into: &mut Query) -> SetOperation {
        match tree {
            SetOperation::Leaf(rte) => {
                let mut moved = self.current().range_table[rte].clone();
                if let RteKind::Subquery(query) = &mut moved.kind {
                    shift_query_levels(Arc::make_mut(query), 2);
                }
                into.range_table.push(moved);
                SetOperation::Leaf(into.range_table.len() - 1)
            }
            SetOperation::Node { op, all, left, right, columns } => SetOperation::Node {
                op,
                all,
                left: Box::new(self.move_leaves(*left, into)),
                right: Box::new(self.move_leaves(*right, into)),
                columns,
            },
        }
    }
}

fn leftmost_leaf(tree: &SetOperation) -> usize {
    let mut node = tree;
    loop {
        match node {
            SetOperation::Leaf(rte) => return *rte,
            SetOperation::Node { left, .. } => node = left,
        }
    }
}

fn refuse_locking(select: &pb::SelectStmt) -> Result<()> {
    let Some(clause) = select.locking_clause.first() else { return Ok(()) };
    let strength = super::locking::strength_name(clause)?;
    let message = format!("{strength} is not allowed with UNION/INTERSECT/EXCEPT");
    Err(error(SqlState::FEATURE_NOT_SUPPORTED, message))
}
