//! Calls of functions, aggregates and window functions.

use helios_catalog::facts::{self, quote_identifier, quote_qualified};
use helios_types::{Datum, Oid};

use super::Printer;
use super::buffer::Buffer;
use super::simple::is_simple;
use crate::expr::{Aggregate, CoercionForm, Expr, ExprKind, FuncExpr, SortOrder, WindowCall};

impl Printer<'_> {
    /// A function's name, qualified when the path does not find it, and whether its last argument is printed with
    /// VARIADIC (`generate_function_name`).
    fn function_name(&self, function: Oid, variadic: bool) -> (String, bool) {
        let Some(proc) = facts::procs().by_oid(function) else { return (function.to_string(), false) };
        let name = quote_identifier(proc.name);
        let reserved = self.in_group_by && matches!(proc.name, "cube" | "rollup");
        let text = if self.lookup.search_path.contains(&proc.namespace) && !reserved {
            name.into_owned()
        } else {
            quote_qualified(self.lookup.catalog.schema_name(proc.namespace).unwrap_or("pg_catalog"), proc.name)
        };
        (text, variadic && !proc.variadic.is_none())
    }

    fn arguments(&mut self, args: &[Expr], variadic: bool, out: &mut Buffer) {
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            if variadic && index + 1 == args.len() {
                out.push("VARIADIC ");
            }
            self.expression(arg, true, out);
        }
    }

    /// A call that is no operator (`get_func_expr`).
    pub(super) fn call(&mut self, expr: &Expr, call: &FuncExpr, show_implicit: bool, out: &mut Buffer) {
        match (call.form, call.args.first()) {
            (CoercionForm::Implicit, Some(arg)) if !show_implicit => return self.inside(arg, expr, false, out),
            (CoercionForm::Implicit | CoercionForm::Explicit, Some(arg)) => return self.cast(arg, expr, out),
            (CoercionForm::SqlSyntax, _) if self.sql_syntax(expr, call, out) => return,
            _ => {}
        }
        let (name, variadic) = self.function_name(call.function, call.variadic);
        out.push(&name);
        out.push("(");
        self.arguments(&call.args, variadic, out);
        out.push(")");
    }

    /// SQL's own syntax for some functions (`get_func_sql_syntax`); false when there is none.
    fn sql_syntax(&mut self, expr: &Expr, call: &FuncExpr, out: &mut Buffer) -> bool {
        let Some(proc) = facts::procs().by_oid(call.function) else { return false };
        match (proc.name, call.args.as_slice()) {
            ("timezone", [zone, value]) => {
                out.push("(");
                self.inside(value, expr, false, out);
                out.push(" AT TIME ZONE ");
                self.inside(zone, expr, false, out);
                out.push(")");
            }
            ("timezone", [value]) => {
                out.push("(");
                self.inside(value, expr, false, out);
                out.push(" AT LOCAL)");
            }
            ("overlaps", [a, b, c, d]) => {
                let parts = [("((", a), (", ", b), (") OVERLAPS (", c), (", ", d)];
                self.phrases(&parts, "))", out);
            }
            ("extract", [field, value]) => {
                let Some(Datum::Text(field)) = field.as_const() else { return false };
                out.push("EXTRACT(");
                out.push(field);
                self.phrases(&[(" FROM ", value)], ")", out);
            }
            ("is_normalized", [value, form]) => {
                let Some(Datum::Text(form)) = form.as_const() else { return false };
                out.push("(");
                self.inside(value, expr, false, out);
                out.push(&if &**form == "NFC" {
                    " IS NORMALIZED)".to_owned()
                } else {
                    format!(" IS {form} NORMALIZED)")
                });
            }
            ("normalize", [value, form]) => {
                let Some(Datum::Text(form)) = form.as_const() else { return false };
                out.push("NORMALIZE(");
                self.expression(value, false, out);
                out.push(&if &**form == "NFC" { ")".to_owned() } else { format!(", {form})") });
            }
            ("pg_collation_for", [value]) => self.phrases(&[("COLLATION FOR (", value)], ")", out),
            ("overlay", [a, b, c]) => {
                self.phrases(&[("OVERLAY(", a), (" PLACING ", b), (" FROM ", c)], ")", out);
            }
            ("overlay", [a, b, c, d]) => {
                self.phrases(&[("OVERLAY(", a), (" PLACING ", b), (" FROM ", c), (" FOR ", d)], ")", out);
            }
            ("position", [a, b]) => {
                out.push("POSITION(");
                for (text, part) in [("(", b), (") IN (", a)] {
                    out.push(text);
                    self.expression(part, false, out);
                }
                out.push("))");
            }
            ("substring", [a, b]) if proc.arg_types.get(1) == Some(&helios_types::oid::INT4) => {
                self.phrases(&[("SUBSTRING(", a), (" FROM ", b)], ")", out);
            }
            ("substring", [a, b, c]) if proc.arg_types.get(1) == Some(&helios_types::oid::INT4) => {
                self.phrases(&[("SUBSTRING(", a), (" FROM ", b), (" FOR ", c)], ")", out);
            }
            ("substring", [a, b, c]) => {
                self.phrases(&[("SUBSTRING(", a), (" SIMILAR ", b), (" ESCAPE ", c)], ")", out);
            }
            ("btrim" | "ltrim" | "rtrim", args) => {
                out.push(match proc.name {
                    "btrim" => "TRIM(BOTH",
                    "ltrim" => "TRIM(LEADING",
                    _ => "TRIM(TRAILING",
                });
                match args {
                    [value] => self.phrases(&[(" FROM ", value)], ")", out),
                    [value, characters] => self.phrases(&[(" ", characters), (" FROM ", value)], ")", out),
                    _ => return false,
                }
            }
            ("system_user", []) => out.push("SYSTEM_USER"),
            _ => return false,
        }
        true
    }

    fn phrases(&mut self, parts: &[(&str, &Expr)], end: &str, out: &mut Buffer) {
        for (text, part) in parts {
            out.push(text);
            self.expression(part, false, out);
        }
        out.push(end);
    }

    /// An aggregate (`get_agg_expr`).
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, out: &mut Buffer) {
        let ordered_set = facts::aggregates().by_oid(aggregate.function).is_some_and(|row| row.kind != b'n');
        let (name, _) = self.function_name(aggregate.function, false);
        out.push(&name);
        out.push("(");
        if aggregate.distinct {
            out.push("DISTINCT ");
        }
        if ordered_set {
            self.arguments(&aggregate.direct_args, false, out);
            out.push(") WITHIN GROUP (ORDER BY ");
            self.sort_keys(aggregate.order_by.iter().map(|item| (&item.expr, item.order)), out);
        } else {
            if aggregate.star {
                out.push("*");
            } else {
                self.arguments(&aggregate.args, false, out);
            }
            if !aggregate.order_by.is_empty() {
                out.push(" ORDER BY ");
                self.sort_keys(aggregate.order_by.iter().map(|item| (&item.expr, item.order)), out);
            }
        }
        if let Some(filter) = &aggregate.filter {
            out.push(") FILTER (WHERE ");
            self.expression(filter, false, out);
        }
        out.push(")");
    }

    /// A window function call without its OVER (`get_windowfunc_expr`).
    pub(super) fn window_function(&mut self, call: &WindowCall, out: &mut Buffer) {
        let (name, _) = self.function_name(call.function, false);
        out.push(&name);
        out.push("(");
        if call.star {
            out.push("*");
        } else {
            self.arguments(&call.args, false, out);
        }
        if let Some(filter) = &call.filter {
            out.push(") FILTER (WHERE ");
            self.expression(filter, false, out);
        }
        out.push(") OVER ");
    }

    /// ORDER BY's items (`get_rule_orderby`).
    pub(super) fn sort_keys<'e>(&mut self, items: impl Iterator<Item = (&'e Expr, SortOrder)>, out: &mut Buffer) {
        for (index, (expr, order)) in items.enumerate() {
            if index > 0 {
                out.push(", ");
            }
            self.sort_expression(expr, out);
            out.push(sort_suffix(order));
        }
    }

    /// An expression inside another, with parentheses if they are needed (`get_rule_expr_paren`).
    pub(super) fn inside(&mut self, expr: &Expr, parent: &Expr, show_implicit: bool, out: &mut Buffer) {
        let parentheses = self.pretty && !is_simple(expr, parent);
        if parentheses {
            out.push("(");
        }
        self.expression(expr, show_implicit, out);
        if parentheses {
            out.push(")");
        }
    }

    /// `arg::type` (`get_coercion_expr`); the type is the node's.
    pub(super) fn cast(&mut self, arg: &Expr, node: &Expr, out: &mut Buffer) {
        match &arg.kind {
            ExprKind::Const(value) if arg.ty.oid == node.ty.oid && arg.ty.typmod == -1 => {
                self.constant(value, arg.ty, super::constant::Label::Never, out);
            }
            _ => {
                let parentheses = !self.pretty;
                if parentheses {
                    out.push("(");
                }
                self.inside(arg, node, false, out);
                if parentheses {
                    out.push(")");
                }
            }
        }
        out.push("::");
        out.push(&self.lookup.format_type_with(node.ty.oid, node.ty.typmod));
    }
}

/// What follows a sort key.
pub(super) fn sort_suffix(order: SortOrder) -> &'static str {
    match (order.descending, order.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}
