//! Expressions (`get_rule_expr`).

use helios_catalog::facts::{self, quote_identifier};
use helios_types::Oid;

use super::buffer::{Buffer, PART};
use super::constant::{Label, quote_literal};
use super::{Names, Printer};
use crate::expr::{
    BoolOp, BoolTest, CoercionForm, Expr, ExprKind, FuncExpr, RowCompareOp, SqlValue, SubLink, SubLinkKind, Var,
    system_column,
};
use crate::parse::on_grown_stack;
use crate::query::TargetEntry;

impl Printer<'_> {
    /// Any expression. `show_implicit`: whether a coercion that nobody wrote is shown, because the reader would not put
    /// it again.
    pub(super) fn expression(&mut self, expr: &Expr, show_implicit: bool, out: &mut Buffer) {
        on_grown_stack(|| self.expression_here(expr, show_implicit, out));
    }

    fn open(&self, out: &mut Buffer) {
        if !self.pretty {
            out.push("(");
        }
    }

    fn close(&self, out: &mut Buffer) {
        if !self.pretty {
            out.push(")");
        }
    }

    fn list(&mut self, items: &[Expr], out: &mut Buffer) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            self.expression(item, true, out);
        }
    }

    fn expression_here(&mut self, expr: &Expr, show_implicit: bool, out: &mut Buffer) {
        match &expr.kind {
            ExprKind::Const(value) => self.constant(value, expr.ty, Label::AsNeeded, out),
            ExprKind::Var(var) => out.push(&self.column(var)),
            ExprKind::Param(index) => out.push(&format!("${}", index + 1)),
            ExprKind::ExecParam(number) => {
                let text = match &self.names {
                    Names::Given(names) => names.exec_param(*number),
                    Names::Levels(_) => format!("${number}"),
                };
                out.push(&text);
            }
            ExprKind::Func(call) | ExprKind::SetReturning(call) if !call.operator.is_none() => {
                self.operation(expr, call, out);
            }
            ExprKind::Func(call) | ExprKind::SetReturning(call) => self.call(expr, call, show_implicit, out),
            ExprKind::DistinctFrom { func, negated } => {
                if *negated {
                    out.push("(NOT ");
                }
                self.open(out);
                self.inside(&func.args[0], expr, true, out);
                out.push(" IS DISTINCT FROM ");
                self.inside(&func.args[1], expr, true, out);
                self.close(out);
                if *negated {
                    out.push(")");
                }
            }
            ExprKind::NullIf(call) => {
                out.push("NULLIF(");
                self.list(&call.args, out);
                out.push(")");
            }
            ExprKind::ScalarArrayOp { func, any } => self.scalar_array_op(expr, func, *any, out),
            ExprKind::Bool(op, args) => self.boolean(expr, *op, args, out),
            ExprKind::Case { arg, whens, default } => self.case(arg.as_deref(), whens, default, out),
            ExprKind::CaseTestExpr => out.push("CASE_TEST_EXPR"),
            ExprKind::Coalesce(args) => {
                out.push("COALESCE(");
                self.list(args, out);
                out.push(")");
            }
            ExprKind::MinMax { greatest, args } => {
                out.push(if *greatest { "GREATEST(" } else { "LEAST(" });
                self.list(args, out);
                out.push(")");
            }
            ExprKind::NullTest { arg, negated, row } => {
                self.open(out);
                self.inside(arg, expr, true, out);
                let is_row = arg.ty.oid == helios_types::oid::RECORD || self.lookup.is_complex(arg.ty.oid);
                out.push(match (*row || !is_row, *negated) {
                    (true, false) => " IS NULL",
                    (true, true) => " IS NOT NULL",
                    (false, false) => " IS NOT DISTINCT FROM NULL",
                    (false, true) => " IS DISTINCT FROM NULL",
                });
                self.close(out);
            }
            ExprKind::BooleanTest(arg, test) => {
                self.open(out);
                self.inside(arg, expr, false, out);
                out.push(match test {
                    BoolTest::IsTrue => " IS TRUE",
                    BoolTest::IsNotTrue => " IS NOT TRUE",
                    BoolTest::IsFalse => " IS FALSE",
                    BoolTest::IsNotFalse => " IS NOT FALSE",
                    BoolTest::IsUnknown => " IS UNKNOWN",
                    BoolTest::IsNotUnknown => " IS NOT UNKNOWN",
                });
                self.close(out);
            }
            ExprKind::Relabel(arg, form) | ExprKind::CoerceViaIo(arg, form) => {
                if *form == CoercionForm::Implicit && !show_implicit {
                    self.inside(arg, expr, false, out);
                } else {
                    self.cast(arg, expr, out);
                }
            }
            // How the elements' coercion was asked for tells how the array's was.
            ExprKind::ArrayCoerce { arg, element } => {
                if is_implicit(element) && !show_implicit {
                    self.inside(arg, expr, false, out);
                } else {
                    self.cast(arg, expr, out);
                }
            }
            ExprKind::ApplyTypmod { arg, explicit } => {
                if !*explicit && !show_implicit {
                    self.inside(arg, expr, false, out);
                } else {
                    self.cast(arg, expr, out);
                }
            }
            ExprKind::Collate(arg) => {
                self.open(out);
                self.inside(arg, expr, show_implicit, out);
                out.push(" COLLATE ");
                out.push(&self.collation_name(expr.ty.collation));
                self.close(out);
            }
            ExprKind::Array { elements, .. } => {
                out.push("ARRAY[");
                self.list(elements, out);
                out.push("]");
                if elements.is_empty() {
                    out.push("::");
                    out.push(&self.lookup.format_type_with(expr.ty.oid, -1));
                }
            }
            ExprKind::Subscript { arg, indexes, slice } => {
                let bare = matches!(arg.kind, ExprKind::Var(_) | ExprKind::Field(..));
                if !bare {
                    out.push("(");
                }
                self.expression(arg, show_implicit, out);
                if !bare {
                    out.push(")");
                }
                self.indexes(indexes, *slice, out);
            }
            ExprKind::SubscriptAssign { indexes, value, slice, .. } => {
                self.indexes(indexes, *slice, out);
                out.push(" := ");
                self.expression(value, show_implicit, out);
            }
            ExprKind::Row(fields) => {
                out.push("ROW(");
                self.list(fields, out);
                out.push(")");
                if expr.ty.oid != helios_types::oid::RECORD {
                    out.push("::");
                    out.push(&self.lookup.format_type_with(expr.ty.oid, -1));
                }
            }
            ExprKind::Field(arg, index) => {
                let closed = matches!(arg.kind, ExprKind::Subscript { .. } | ExprKind::Field(..));
                if !closed {
                    out.push("(");
                }
                self.expression(arg, true, out);
                if !closed {
                    out.push(")");
                }
                out.push(".");
                out.push(&quote_identifier(&self.field_name(arg, *index)));
            }
            ExprKind::RowCompare { op, columns } => self.row_compare(*op, columns, out),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, out),
            ExprKind::Window(call) => {
                self.window_function(call, out);
                self.over(call.window, out);
            }
            ExprKind::SubLink(link) => self.sub_link(link, out),
            ExprKind::SubPlan(plan) => {
                let text = match &self.names {
                    Names::Given(names) => names.sub_plan(plan),
                    Names::Levels(_) => format!("(SubPlan {})", plan.index + 1),
                };
                out.push(&text);
            }
            ExprKind::Grouping(items) => self.grouping(items, out),
            ExprKind::SqlValue(value) => self.sql_value(*value, expr.ty.typmod, out),
            ExprKind::SetToDefault => out.push("DEFAULT"),
            ExprKind::NextValue(sequence) => {
                let name = quote_literal(&self.relation_name(*sequence));
                out.push(&format!("nextval({name}::regclass)"));
            }
        }
    }

    fn operator_name(&self, operator: Oid) -> String {
        let Some(row) = facts::operators().by_oid(operator) else { return operator.to_string() };
        if self.lookup.search_path.contains(&row.namespace) {
            return row.name.to_owned();
        }
        let schema = self.lookup.catalog.schema_name(row.namespace).unwrap_or("pg_catalog");
        format!("OPERATOR({}.{})", quote_identifier(schema), row.name)
    }

    /// `(a op b)` (`get_oper_expr`).
    fn operation(&mut self, expr: &Expr, call: &FuncExpr, out: &mut Buffer) {
        let name = self.operator_name(call.operator);
        self.open(out);
        match call.args.as_slice() {
            [left, right] => {
                self.inside(left, expr, true, out);
                out.push(&format!(" {name} "));
                self.inside(right, expr, true, out);
            }
            args => {
                out.push(&format!("{name} "));
                for arg in args {
                    self.inside(arg, expr, true, out);
                }
            }
        }
        self.close(out);
    }

    fn scalar_array_op(&mut self, expr: &Expr, call: &FuncExpr, any: bool, out: &mut Buffer) {
        let name = self.operator_name(call.operator);
        self.open(out);
        self.inside(&call.args[0], expr, true, out);
        out.push(&format!(" {name} {} (", if any { "ANY" } else { "ALL" }));
        let array = &call.args[1];
        self.inside(array, expr, true, out);
        // A bare subquery here would be read as `op ANY (SELECT ...)`.
        if matches!(&array.kind, ExprKind::SubLink(link) if link.kind == SubLinkKind::Scalar) {
            out.push("::");
            out.push(&self.lookup.format_type_with(array.ty.oid, array.ty.typmod));
        }
        out.push(")");
        self.close(out);
    }

    fn boolean(&mut self, expr: &Expr, op: BoolOp, args: &[Expr], out: &mut Buffer) {
        self.open(out);
        let between = match op {
            BoolOp::And => " AND ",
            BoolOp::Or => " OR ",
            BoolOp::Not => {
                out.push("NOT ");
                ""
            }
        };
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                out.push(between);
            }
            self.inside(arg, expr, false, out);
        }
        self.close(out);
    }

    fn case(&mut self, arg: Option<&Expr>, whens: &[(Expr, Expr)], default: &Expr, out: &mut Buffer) {
        out.keyword("CASE", 0, PART, 0);
        if let Some(arg) = arg {
            out.push(" ");
            self.expression(arg, true, out);
        }
        let blank = |out: &mut Buffer| {
            if !out.lines() {
                out.push(" ");
            }
        };
        for (condition, result) in whens {
            blank(out);
            out.keyword("WHEN ", 0, 0, 0);
            self.expression(if arg.is_some() { case_value(condition) } else { condition }, false, out);
            out.push(" THEN ");
            self.expression(result, true, out);
        }
        blank(out);
        out.keyword("ELSE ", 0, 0, 0);
        self.expression(default, true, out);
        blank(out);
        out.keyword("END", -PART, 0, 0);
    }

    fn indexes(&mut self, indexes: &[(Option<Expr>, Option<Expr>)], slice: bool, out: &mut Buffer) {
        for (lower, upper) in indexes {
            out.push("[");
            if slice {
                if let Some(lower) = lower {
                    self.expression(lower, false, out);
                }
                out.push(":");
            }
            if let Some(upper) = upper {
                self.expression(upper, false, out);
            }
            out.push("]");
        }
    }

    fn row_compare(&mut self, op: RowCompareOp, columns: &[FuncExpr], out: &mut Buffer) {
        out.push("(ROW(");
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            self.expression(&column.args[0], true, out);
        }
        let name = match op {
            RowCompareOp::Lt => "<",
            RowCompareOp::Le => "<=",
            RowCompareOp::Ge => ">=",
            RowCompareOp::Gt => ">",
        };
        out.push(&format!(") {name} ROW("));
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            self.expression(&column.args[1], true, out);
        }
        out.push("))");
    }

    /// A subquery (`get_sublink_expr`).
    fn sub_link(&mut self, link: &SubLink, out: &mut Buffer) {
        out.push(if link.kind == SubLinkKind::Array { "ARRAY(" } else { "(" });
        let mut operator = String::new();
        if let Some(test) = &link.test {
            operator = self.sub_link_test(test, out);
        }
        let parentheses = match link.kind {
            SubLinkKind::Exists => {
                out.push("EXISTS ");
                true
            }
            SubLinkKind::Any if operator == "=" => {
                out.push(" IN ");
                true
            }
            SubLinkKind::Any => {
                out.push(&format!(" {operator} ANY "));
                true
            }
            SubLinkKind::All => {
                out.push(&format!(" {operator} ALL "));
                true
            }
            SubLinkKind::RowCompare => {
                out.push(&format!(" {operator} "));
                true
            }
            SubLinkKind::Scalar | SubLinkKind::Array | SubLinkKind::MultiExpr(_) => false,
        };
        if parentheses {
            out.push("(");
        }
        self.query(&link.query, None, false, out);
        out.push(if parentheses { "))" } else { ")" });
    }

    /// The left side of a comparison with a subquery; its operator.
    fn sub_link_test(&mut self, test: &Expr, out: &mut Buffer) -> String {
        match &test.kind {
            ExprKind::Func(call) => {
                self.expression(&call.args[0], true, out);
                self.operator_name(call.operator)
            }
            ExprKind::Bool(_, parts) => {
                let calls: Vec<&FuncExpr> = parts
                    .iter()
                    .filter_map(|part| match &part.kind {
                        ExprKind::Func(call) => Some(call),
                        _ => None,
                    })
                    .collect();
                self.left_sides(&calls, out)
            }
            ExprKind::RowCompare { columns, .. } => self.left_sides(&columns.iter().collect::<Vec<_>>(), out),
            _ => String::new(),
        }
    }

    fn left_sides(&mut self, calls: &[&FuncExpr], out: &mut Buffer) -> String {
        out.push("(");
        for (index, call) in calls.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            self.expression(&call.args[0], true, out);
        }
        out.push(")");
        calls.first().map_or_else(String::new, |call| self.operator_name(call.operator))
    }

    fn collation_name(&self, collation: Oid) -> String {
        let Some(row) = facts::collations().by_oid(collation) else { return collation.to_string() };
        if self.lookup.search_path.contains(&row.namespace) {
            return quote_identifier(row.name).into_owned();
        }
        facts::quote_qualified(self.lookup.catalog.schema_name(row.namespace).unwrap_or("pg_catalog"), row.name)
    }

    fn sql_value(&self, value: SqlValue, typmod: i32, out: &mut Buffer) {
        let name = match value {
            SqlValue::CurrentDate => "CURRENT_DATE",
            SqlValue::CurrentTime => "CURRENT_TIME",
            SqlValue::CurrentTimestamp => "CURRENT_TIMESTAMP",
            SqlValue::LocalTime => "LOCALTIME",
            SqlValue::LocalTimestamp => "LOCALTIMESTAMP",
            SqlValue::CurrentRole => "CURRENT_ROLE",
            SqlValue::CurrentUser => "CURRENT_USER",
            SqlValue::User => "USER",
            SqlValue::SessionUser => "SESSION_USER",
            SqlValue::CurrentCatalog => "CURRENT_CATALOG",
            SqlValue::CurrentSchema => "CURRENT_SCHEMA",
        };
        out.push(name);
        if typmod >= 0 {
            out.push(&format!("({typmod})"));
        }
    }

    /// A column's name here.
    pub(super) fn column(&self, var: &Var) -> String {
        match &self.names {
            Names::Given(names) => names.column(var),
            Names::Levels(levels) => {
                let level = levels.len().checked_sub(1 + var.levels_up as usize).map(|index| &levels[index]);
                let Some((level, entry)) = level.and_then(|level| Some((level, level.entries.get(var.rte)?))) else {
                    return "?".to_owned();
                };
                let relation = quote_identifier(&entry.name);
                let column = match usize::try_from(var.column) {
                    Ok(index) => entry.columns.get(index).map_or("?", String::as_str),
                    Err(_) if var.column == system_column::TABLEOID => "tableoid",
                    Err(_) => return format!("{relation}.*"),
                };
                // A join's own columns go without a name. In ORDER BY an output column of the same name comes first.
                let taken = |target: &TargetEntry| {
                    target.name == column
                        && !matches!(&target.expr.kind, ExprKind::Var(other) if (other.rte, other.column) == (var.rte, var.column))
                };
                let qualified = levels.last().is_some_and(|innermost| innermost.qualified);
                let conflict = self.in_order_by && var.levels_up == 0 && level.targets.iter().any(taken);
                let column = quote_identifier(column);
                if (qualified || conflict) && !entry.is_join {
                    format!("{relation}.{column}")
                } else {
                    column.into_owned()
                }
            }
        }
    }

    /// The name of a composite value's field.
    fn field_name(&self, arg: &Expr, index: usize) -> String {
        let relation = self.lookup.relation_of_row_type(arg.ty.oid);
        let catalog = self.lookup.catalog;
        let live = |columns: &[helios_catalog::model::Column]| {
            columns.iter().filter(|column| !column.dropped).nth(index).map(|column| column.name.clone())
        };
        let by_type = relation.and_then(|relation| match catalog.relation(relation)? {
            helios_catalog::model::Relation::Table(table) => live(&table.columns),
            helios_catalog::model::Relation::View(view) => live(&view.columns),
            helios_catalog::model::Relation::System(system) => facts::attributes()
                .of(system.oid)
                .iter()
                .filter(|column| column.number > 0)
                .nth(index)
                .map(|column| column.name.to_owned()),
            _ => None,
        });
        let by_call = || match &arg.kind {
            ExprKind::Func(call) | ExprKind::SetReturning(call) => facts::procs()
                .by_oid(call.function)
                .and_then(|proc| proc.output_columns().get(index).map(|(name, _)| (*name).to_owned())),
            _ => None,
        };
        by_type.or_else(by_call).unwrap_or_else(|| format!("f{}", index + 1))
    }
}

/// The `y` of `CASE x WHEN y`: the right side of the comparison that it became.
fn case_value(condition: &Expr) -> &Expr {
    fn is_test(expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::CaseTestExpr => true,
            ExprKind::Relabel(arg, CoercionForm::Implicit) | ExprKind::CoerceViaIo(arg, CoercionForm::Implicit) => {
                is_test(arg)
            }
            ExprKind::Func(call) if call.form == CoercionForm::Implicit => call.args.first().is_some_and(is_test),
            _ => false,
        }
    }
    match &condition.kind {
        ExprKind::Func(call) if !call.operator.is_none() => match call.args.as_slice() {
            [left, right] if is_test(left) => right,
            _ => condition,
        },
        _ => condition,
    }
}

/// Whether nobody wrote the coercion.
fn is_implicit(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Func(call) => call.form == CoercionForm::Implicit,
        ExprKind::Relabel(_, form) | ExprKind::CoerceViaIo(_, form) => *form == CoercionForm::Implicit,
        ExprKind::ApplyTypmod { explicit, .. } => !*explicit,
        ExprKind::ArrayCoerce { element, .. } => is_implicit(element),
        _ => true,
    }
}
