//! Queries: names of range table entries, WITH, set operations, ORDER BY, LIMIT (`get_query_def`).

use helios_catalog::facts::{self, quote_identifier};
use helios_types::{Datum, oid};

use super::buffer::{Buffer, STEP};
use super::constant::Label;
use super::function::sort_suffix;
use super::{Entry, Level, Names, Printer};
use crate::expr::{Expr, ExprKind};
use crate::query::{Command, LockStrength, LockWait, Query, RteKind, SetOp, SetOperation};

impl Printer<'_> {
    /// A SELECT of any form. `names` are those that its output columns must have, else they have their own;
    /// `names_visible`: whether they can be seen, so that every one must be right.
    pub(super) fn query(&mut self, query: &Query, names: Option<&[String]>, names_visible: bool, out: &mut Buffer) {
        crate::parse::on_grown_stack(|| {
            let Names::Levels(levels) = &mut self.names else {
                out.push("<a query>");
                return;
            };
            let level = new_level(query, levels);
            levels.push(level);
            let (in_group_by, in_order_by) = (self.in_group_by, self.in_order_by);
            (self.in_group_by, self.in_order_by) = (false, false);
            let indent = out.level();
            self.query_text(query, names, names_visible, out);
            out.set_level(indent);
            (self.in_group_by, self.in_order_by) = (in_group_by, in_order_by);
            if let Names::Levels(levels) = &mut self.names {
                levels.pop();
            }
        });
    }

    fn query_text(&mut self, query: &Query, names: Option<&[String]>, names_visible: bool, out: &mut Buffer) {
        if query.command != Command::Select {
            out.push("<a change of data>");
            return;
        }
        self.with_clause(query, out);
        match &query.set_operation {
            Some(tree) => self.set_operation(tree, query, names, names_visible, out),
            None => self.basic_select(query, names, names_visible, out),
        }
        if !query.order_by.is_empty() {
            out.keyword(" ORDER BY ", -STEP, STEP, 1);
            self.order_by(query, out);
        }
        if let Some(offset) = &query.offset {
            out.keyword(" OFFSET ", -STEP, STEP, 0);
            self.expression(offset, false, out);
        }
        if let Some(limit) = &query.limit {
            if query.with_ties {
                out.keyword(" FETCH FIRST ", -STEP, STEP, 0);
                out.push("(");
                self.expression(limit, false, out);
                out.push(") ROWS WITH TIES");
            } else {
                out.keyword(" LIMIT ", -STEP, STEP, 0);
                if limit.as_const().is_some_and(Datum::is_null) {
                    out.push("ALL");
                } else {
                    self.expression(limit, false, out);
                }
            }
        }
        self.row_marks(query, out);
    }

    fn order_by(&mut self, query: &Query, out: &mut Buffer) {
        for (index, item) in query.order_by.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            if query.set_operation.is_some() {
                out.push(&(item.target + 1).to_string());
            } else {
                self.sort_expression(&query.target_list[item.target].expr, out);
            }
            if item.operator.is_none() {
                out.push(sort_suffix(item.order));
                continue;
            }
            let name = facts::operators().by_oid(item.operator).map_or("?", |row| row.name);
            let nulls = if item.order.nulls_first { "FIRST" } else { "LAST" };
            out.push(&format!(" USING {name} NULLS {nulls}"));
        }
    }

    /// An item of ORDER BY, GROUP BY, PARTITION BY or DISTINCT ON (`get_rule_sortgroupclause`).
    pub(super) fn sort_expression(&mut self, expr: &Expr, out: &mut Buffer) {
        match &expr.kind {
            // A bare constant would be read as a position.
            ExprKind::Const(value) => {
                self.constant(value, expr.ty, Label::AsNeeded, out);
                let bare = match expr.ty.oid {
                    oid::INT4 | oid::NUMERIC | oid::BOOL | oid::UNKNOWN => {
                        !value.is_null()
                            && !out
                                .as_str()
                                .ends_with(&format!("::{}", self.lookup.format_type_with(expr.ty.oid, expr.ty.typmod)))
                    }
                    _ => false,
                };
                if bare {
                    out.push("::");
                    out.push(&self.lookup.format_type_with(expr.ty.oid, expr.ty.typmod));
                }
            }
            ExprKind::Var(_) => {
                let saved = std::mem::replace(&mut self.in_order_by, !self.in_group_by);
                self.expression(expr, true, out);
                self.in_order_by = saved;
            }
            kind => {
                // What looks like a call could be read as CUBE or ROLLUP.
                let call = match kind {
                    ExprKind::Func(call) | ExprKind::SetReturning(call) => call.operator.is_none(),
                    ExprKind::ApplyTypmod { .. } | ExprKind::Aggregate(_) | ExprKind::Window(_) => true,
                    _ => false,
                };
                let parentheses = self.pretty || call;
                if parentheses {
                    out.push("(");
                }
                self.expression(expr, true, out);
                if parentheses {
                    out.push(")");
                }
            }
        }
    }

    fn with_clause(&mut self, query: &Query, out: &mut Buffer) {
        if query.ctes.is_empty() {
            return;
        }
        if out.lines() {
            out.indent(STEP);
            out.push(" ");
        }
        out.push(if query.recursive { "WITH RECURSIVE " } else { "WITH " });
        for (index, cte) in query.ctes.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            out.push(&quote_identifier(&cte.name));
            let visible = cte.query.target_list.iter().filter(|target| !target.junk);
            if !visible.map(|target| &target.name).eq(cte.columns.iter().map(|column| &column.name)) {
                let quoted: Vec<_> = cte.columns.iter().map(|column| quote_identifier(&column.name)).collect();
                out.push(&format!("({})", quoted.join(", ")));
            }
            out.push(" AS ");
            match cte.materialized {
                Some(true) => out.push("MATERIALIZED "),
                Some(false) => out.push("NOT MATERIALIZED "),
                None => {}
            }
            out.push("(");
            if out.lines() {
                out.keyword("", 0, 0, 0);
            }
            self.query(&cte.query, None, true, out);
            if out.lines() {
                out.keyword("", 0, 0, 0);
            }
            out.push(")");
        }
        if out.lines() {
            out.indent(-STEP);
            out.keyword("", 0, 0, 0);
        } else {
            out.push(" ");
        }
    }

    /// `get_setop_query`.
    fn set_operation(
        &mut self,
        tree: &SetOperation,
        query: &Query,
        names: Option<&[String]>,
        names_visible: bool,
        out: &mut Buffer,
    ) {
        match tree {
            SetOperation::Leaf(rte) => {
                let RteKind::Subquery(subquery) = &query.range_table[*rte].kind else { return };
                let parentheses = !subquery.ctes.is_empty()
                    || !subquery.order_by.is_empty()
                    || !subquery.row_marks.is_empty()
                    || subquery.limit.is_some()
                    || subquery.offset.is_some()
                    || subquery.set_operation.is_some();
                if parentheses {
                    out.push("(");
                }
                self.query(subquery, names, names_visible, out);
                if parentheses {
                    out.push(")");
                }
            }
            SetOperation::Node { op, all, left, right, .. } => {
                let differs = |side: &SetOperation| match side {
                    SetOperation::Leaf(_) => false,
                    SetOperation::Node { op: other, all: other_all, .. } => (other, other_all) != (op, all),
                };
                if differs(left) {
                    out.push("(");
                    out.keyword("", STEP, 0, 0);
                    self.set_operation(left, query, names, names_visible, out);
                    out.keyword(") ", -STEP, 0, 0);
                } else {
                    self.set_operation(left, query, names, names_visible, out);
                    if out.lines() {
                        out.keyword("", 0, 0, 0);
                    } else {
                        out.push(" ");
                    }
                }
                out.push(match op {
                    SetOp::Union => "UNION ",
                    SetOp::Intersect => "INTERSECT ",
                    SetOp::Except => "EXCEPT ",
                });
                if *all {
                    out.push("ALL ");
                }
                let nested = matches!(&**right, SetOperation::Node { .. });
                let step = if nested { STEP } else { 0 };
                if nested {
                    out.push("(");
                }
                out.keyword("", step, 0, 0);
                self.set_operation(right, query, names, false, out);
                out.indent(-step);
                if nested {
                    out.keyword(")", 0, 0, 0);
                }
            }
        }
    }

    fn row_marks(&mut self, query: &Query, out: &mut Buffer) {
        for mark in &query.row_marks {
            let strength = match mark.strength {
                LockStrength::KeyShare => " FOR KEY SHARE",
                LockStrength::Share => " FOR SHARE",
                LockStrength::NoKeyUpdate => " FOR NO KEY UPDATE",
                LockStrength::Update => " FOR UPDATE",
            };
            out.keyword(strength, -STEP, STEP, 0);
            if let Names::Levels(levels) = &self.names
                && let Some(entry) = levels.last().and_then(|level| level.entries.get(mark.rte))
            {
                out.push(&format!(" OF {}", quote_identifier(&entry.name)));
            }
            match mark.wait {
                LockWait::Error => out.push(" NOWAIT"),
                LockWait::Skip => out.push(" SKIP LOCKED"),
                LockWait::Block => {}
            }
        }
    }
}

/// The names of a query inside others.
fn new_level(query: &Query, outer: &[Level]) -> Level {
    let mut taken: Vec<String> =
        outer.iter().flat_map(|level| level.entries.iter().map(|entry| entry.name.clone())).collect();
    let mut entries = Vec::with_capacity(query.range_table.len());
    for entry in &query.range_table {
        let is_join = matches!(entry.kind, RteKind::Join { .. });
        let mut name = entry.alias.clone();
        let mut number = 0;
        while !is_join && taken.contains(&name) {
            number += 1;
            name = format!("{}_{number}", entry.alias);
        }
        if !is_join {
            taken.push(name.clone());
        }
        let columns = entry.columns.iter().map(|column| column.name.clone()).collect();
        entries.push(Entry { name, columns, is_join });
    }
    Level {
        entries,
        qualified: !outer.is_empty() || query.range_table.len() != 1,
        windows: query.windows.clone(),
        grouped: query.group_by.iter().map(|item| query.target_list[item.target].expr.clone()).collect(),
        targets: query.target_list.iter().filter(|target| !target.junk).cloned().collect(),
    }
}
