//! The body of a SELECT (`get_basic_select_query`): target list, FROM, WHERE, GROUP BY, windows; and VALUES.

use helios_catalog::facts::quote_identifier;

use super::buffer::{Buffer, PART, STEP};
use super::{Names, Printer};
use crate::expr::{Expr, ExprKind, system_column};
use crate::query::{
    Distinct, FrameBound, FrameExclude, FrameMode, FromItem, Query, RteKind, TargetEntry, WindowClause, WindowFrame,
};

impl Printer<'_> {
    pub(super) fn basic_select(
        &mut self,
        query: &Query,
        names: Option<&[String]>,
        names_visible: bool,
        out: &mut Buffer,
    ) {
        if out.lines() {
            out.indent(STEP);
            out.push(" ");
        }
        if let Some(rows) = simple_values(query) {
            return self.values(rows, out);
        }
        out.push("SELECT");
        match &query.distinct {
            Some(Distinct::On(keys)) => {
                out.push(" DISTINCT ON (");
                for (index, key) in keys.iter().enumerate() {
                    if index > 0 {
                        out.push(", ");
                    }
                    self.sort_expression(&query.target_list[key.target].expr, out);
                }
                out.push(")");
            }
            Some(Distinct::All) => out.push(" DISTINCT"),
            None => {}
        }
        self.target_list(&query.target_list, names, names_visible, out);
        self.from_clause(query, out);
        if let Some(qual) = &query.qual {
            out.keyword(" WHERE ", -STEP, STEP, 1);
            self.expression(qual, false, out);
        }
        if !query.group_by.is_empty() || !query.grouping_sets.is_empty() {
            out.keyword(" GROUP BY ", -STEP, STEP, 1);
            self.in_group_by = true;
            self.group_by(query, out);
            self.in_group_by = false;
        }
        if let Some(having) = &query.having {
            out.keyword(" HAVING ", -STEP, STEP, 0);
            self.expression(having, false, out);
        }
        self.window_clause(query, out);
    }

    /// Output columns, under names given from outside or under their own.
    fn target_list(&mut self, list: &[TargetEntry], names: Option<&[String]>, names_visible: bool, out: &mut Buffer) {
        for (index, target) in list.iter().filter(|target| !target.junk).enumerate() {
            out.push(if index == 0 { " " } else { ", " });
            let mut part = out.part();
            let own_name = match &target.expr.kind {
                ExprKind::Var(var) if var.column == system_column::WHOLE_ROW => {
                    // Without the cast it would be expanded.
                    part.push(&self.column(var));
                    part.push("::");
                    part.push(&self.lookup.format_type_with(target.expr.ty.oid, target.expr.ty.typmod));
                    None
                }
                ExprKind::Var(var) => {
                    part.push(&self.column(var));
                    self.bare_column(var)
                }
                _ => {
                    self.expression(&target.expr, true, &mut part);
                    if names_visible { None } else { Some("?column?".to_owned()) }
                }
            };
            let name = names.and_then(|names| names.get(index)).unwrap_or(&target.name);
            if own_name.as_deref() != Some(name.as_str()) {
                part.push(" AS ");
                part.push(&quote_identifier(name));
            }
            if out.lines() && part.as_str().starts_with('\n') {
                out.trim();
            } else if out.lines() && index > 0 {
                out.keyword("", -STEP, STEP, PART);
            }
            out.push(part.as_str());
        }
    }

    /// The name that a column has by itself.
    fn bare_column(&self, var: &crate::expr::Var) -> Option<String> {
        let Names::Levels(levels) = &self.names else { return None };
        let level = levels.len().checked_sub(1 + var.levels_up as usize).map(|index| &levels[index])?;
        let column = usize::try_from(var.column).ok()?;
        level.entries.get(var.rte)?.columns.get(column).cloned()
    }

    fn group_by(&mut self, query: &Query, out: &mut Buffer) {
        if query.grouping_sets.is_empty() {
            for (index, item) in query.group_by.iter().enumerate() {
                if index > 0 {
                    out.push(", ");
                }
                self.sort_expression(&query.target_list[item.target].expr, out);
            }
            return;
        }
        // ROLLUP and CUBE are printed as the sets that they stand for.
        out.push("GROUPING SETS (");
        for (index, set) in query.grouping_sets.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            out.push("(");
            for (position, &item) in set.iter().enumerate() {
                if position > 0 {
                    out.push(", ");
                }
                self.sort_expression(&query.target_list[query.group_by[item].target].expr, out);
            }
            out.push(")");
        }
        out.push(")");
    }

    /// `GROUPING(...)`.
    pub(super) fn grouping(&mut self, items: &[usize], out: &mut Buffer) {
        let grouped: Vec<Expr> = match &self.names {
            Names::Levels(levels) => levels.last().map(|level| level.grouped.clone()).unwrap_or_default(),
            Names::Given(_) => Vec::new(),
        };
        out.push("GROUPING(");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            match grouped.get(*item) {
                Some(expr) => self.expression(expr, true, out),
                None => out.push(&(item + 1).to_string()),
            }
        }
        out.push(")");
    }

    fn window_clause(&mut self, query: &Query, out: &mut Buffer) {
        let mut first = true;
        for window in &query.windows {
            let Some(name) = &window.name else { continue };
            if first {
                out.keyword(" WINDOW ", -STEP, STEP, 1);
            } else {
                out.push(", ");
            }
            first = false;
            out.push(&format!("{} AS ", quote_identifier(name)));
            self.window(window, out);
        }
    }

    /// What follows OVER.
    pub(super) fn over(&mut self, number: usize, out: &mut Buffer) {
        let window = match &self.names {
            Names::Levels(levels) => levels.last().and_then(|level| level.windows.get(number)).cloned(),
            Names::Given(_) => None,
        };
        match window {
            Some(WindowClause { name: Some(name), .. }) => out.push(&quote_identifier(&name)),
            Some(window) => self.window(&window, out),
            None => out.push("(?)"),
        }
    }

    fn window(&mut self, window: &WindowClause, out: &mut Buffer) {
        out.push("(");
        let mut blank = "";
        if !window.partition_by.is_empty() {
            out.push("PARTITION BY ");
            for (index, expr) in window.partition_by.iter().enumerate() {
                if index > 0 {
                    out.push(", ");
                }
                self.sort_expression(expr, out);
            }
            blank = " ";
        }
        if !window.order_by.is_empty() {
            out.push(blank);
            out.push("ORDER BY ");
            self.sort_keys(window.order_by.iter().map(|(expr, order)| (expr, *order)), out);
            blank = " ";
        }
        self.frame(&window.frame, blank, out);
        out.push(")");
    }

    fn frame(&mut self, frame: &WindowFrame, blank: &str, out: &mut Buffer) {
        let default = frame.mode == FrameMode::Range
            && frame.start == FrameBound::UnboundedPreceding
            && frame.end == FrameBound::CurrentRow
            && frame.exclude == FrameExclude::NoOthers;
        if default {
            return;
        }
        out.push(blank);
        out.push(match frame.mode {
            FrameMode::Rows => "ROWS BETWEEN ",
            FrameMode::Range => "RANGE BETWEEN ",
            FrameMode::Groups => "GROUPS BETWEEN ",
        });
        self.frame_bound(&frame.start, out);
        out.push(" AND ");
        self.frame_bound(&frame.end, out);
        out.push(match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        });
    }

    fn frame_bound(&mut self, bound: &FrameBound, out: &mut Buffer) {
        match bound {
            FrameBound::UnboundedPreceding => out.push("UNBOUNDED PRECEDING"),
            FrameBound::UnboundedFollowing => out.push("UNBOUNDED FOLLOWING"),
            FrameBound::CurrentRow => out.push("CURRENT ROW"),
            FrameBound::Preceding(offset) => {
                self.expression(offset, false, out);
                out.push(" PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.expression(offset, false, out);
                out.push(" FOLLOWING");
            }
        }
    }

    /// `VALUES (...), (...)`.
    pub(super) fn values(&mut self, rows: &[Vec<Expr>], out: &mut Buffer) {
        out.push("VALUES ");
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            out.push("(");
            for (position, value) in row.iter().enumerate() {
                if position > 0 {
                    out.push(",");
                }
                self.expression(value, false, out);
            }
            out.push(")");
        }
    }
}

/// The rows of a query that is nothing but VALUES.
fn simple_values(query: &Query) -> Option<&[Vec<Expr>]> {
    let [FromItem::Rte(rte)] = query.from.as_slice() else { return None };
    let entry = &query.range_table[*rte];
    let RteKind::Values(rows) = &entry.kind else { return None };
    let plain = query.range_table.len() == 1
        && query.qual.is_none()
        && query.distinct.is_none()
        && query.group_by.is_empty()
        && query.having.is_none()
        && query.target_list.len() == entry.columns.len();
    let same = query.target_list.iter().zip(&entry.columns).zip(0..).all(|((target, column), index)| {
        matches!(&target.expr.kind, ExprKind::Var(var) if var.column == index && var.levels_up == 0)
            && target.name == column.name
    });
    (plain && same && entry.alias == "*VALUES*").then_some(rows)
}
