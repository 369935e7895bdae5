//! FROM (`get_from_clause`).

use helios_catalog::facts::quote_identifier;

use super::buffer::{Buffer, PART, STEP};
use super::{Names, Printer};
use crate::expr::{BoolOp, Expr, ExprKind, ExprType};
use crate::query::{FromItem, JoinExpr, JoinKind, Query, RangeFunction, RteKind};

impl Printer<'_> {
    pub(super) fn from_clause(&mut self, query: &Query, out: &mut Buffer) {
        for (index, item) in query.from.iter().enumerate() {
            if index == 0 {
                out.keyword(" FROM ", -STEP, STEP, 2);
                self.from_item(item, query, out);
                continue;
            }
            out.push(", ");
            let mut part = out.part();
            self.from_item(item, query, &mut part);
            if out.lines() && part.as_str().starts_with('\n') {
                out.trim();
            } else if out.lines() {
                out.keyword("", -STEP, STEP, PART);
            }
            out.push(part.as_str());
        }
    }

    fn from_item(&mut self, item: &FromItem, query: &Query, out: &mut Buffer) {
        crate::parse::on_grown_stack(|| match item {
            FromItem::Rte(rte) => self.entry(*rte, query, out),
            FromItem::Join(join) => self.join(join, query, out),
        });
    }

    fn join(&mut self, join: &JoinExpr, query: &Query, out: &mut Buffer) {
        let right_parentheses = self.pretty && matches!(join.right, FromItem::Join(_));
        if !self.pretty {
            out.push("(");
        }
        self.from_item(&join.left, query, out);
        let keyword = match join.kind {
            JoinKind::Inner if join.on.is_some() => " JOIN ",
            JoinKind::Inner => " CROSS JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
            JoinKind::Semi => " SEMI JOIN ",
            JoinKind::Anti => " ANTI JOIN ",
        };
        out.keyword(keyword, -STEP, STEP, PART);
        if right_parentheses {
            out.push("(");
        }
        self.from_item(&join.right, query, out);
        if right_parentheses {
            out.push(")");
        }
        match &join.on {
            Some(on) if self.using_reads_back(join, on, query) => {
                let names: Vec<_> = join.using.iter().map(|name| quote_identifier(name)).collect();
                out.push(&format!(" USING ({})", names.join(", ")));
            }
            Some(on) => {
                out.push(" ON ");
                if !self.pretty {
                    out.push("(");
                }
                self.expression(on, false, out);
                if !self.pretty {
                    out.push(")");
                }
            }
            None if join.kind != JoinKind::Inner => out.push(" ON TRUE"),
            None => {}
        }
        if !self.pretty {
            out.push(")");
        }
    }

    /// Whether USING's columns still go by those names on both sides.
    fn using_reads_back(&self, join: &JoinExpr, on: &Expr, query: &Query) -> bool {
        if join.using.is_empty() {
            return false;
        }
        let conditions = match &on.kind {
            ExprKind::Bool(BoolOp::And, parts) => parts.as_slice(),
            _ => std::slice::from_ref(on),
        };
        let named = |side: &Expr, name: &str| {
            let mut side = side;
            while let ExprKind::Relabel(arg, _) | ExprKind::CoerceViaIo(arg, _) = &side.kind {
                side = arg;
            }
            if let ExprKind::Func(call) = &side.kind
                && let Some(arg) = call.args.first()
            {
                side = arg;
            }
            match &side.kind {
                ExprKind::Var(var) => usize::try_from(var.column)
                    .ok()
                    .and_then(|column| query.range_table[var.rte].columns.get(column))
                    .is_some_and(|column| column.name == name),
                _ => false,
            }
        };
        conditions.len() == join.using.len()
            && conditions.iter().zip(&join.using).all(|(condition, name)| match &condition.kind {
                ExprKind::Func(call) => call.args.iter().all(|side| named(side, name)),
                _ => false,
            })
    }

    fn entry(&mut self, rte: usize, query: &Query, out: &mut Buffer) {
        let entry = &query.range_table[rte];
        if entry.lateral {
            out.push("LATERAL ");
        }
        let name = match &self.names {
            Names::Levels(levels) => {
                levels.last().and_then(|level| level.entries.get(rte)).map_or_else(String::new, |e| e.name.clone())
            }
            Names::Given(_) => entry.alias.clone(),
        };
        // Whether an alias is needed, and the names that the columns have without one.
        let (needs_alias, own_columns): (bool, Vec<String>) = match &entry.kind {
            RteKind::Relation { table, .. } => {
                out.push(&self.relation_name(table.oid));
                (name != table.name, table.live_columns().map(|column| column.name.clone()).collect())
            }
            RteKind::System { oid } => {
                out.push(&self.relation_name(*oid));
                let relation = self.lookup.catalog.relation(*oid);
                let columns = helios_catalog::facts::attributes().of(*oid).iter().filter(|column| column.number > 0);
                (relation.is_none_or(|relation| relation.name() != name), columns.map(|c| c.name.to_owned()).collect())
            }
            RteKind::Subquery(_) if !entry.view.is_none() => {
                out.push(&self.relation_name(entry.view));
                let view = self.lookup.catalog.view(entry.view);
                let columns = view.map(|view| {
                    view.columns.iter().filter(|column| !column.dropped).map(|column| column.name.clone()).collect()
                });
                (view.is_none_or(|view| view.name != name), columns.unwrap_or_default())
            }
            RteKind::Subquery(subquery) => {
                out.push("(");
                self.query(subquery, None, true, out);
                out.push(")");
                let visible = subquery.target_list.iter().filter(|target| !target.junk);
                (true, visible.map(|target| target.name.clone()).collect())
            }
            RteKind::Functions { functions, ordinality } => {
                self.functions(functions, *ordinality, out);
                (true, Vec::new())
            }
            RteKind::Values(rows) => {
                out.push("(");
                self.values(rows, out);
                out.push(")");
                (true, (1..=entry.columns.len()).map(|number| format!("column{number}")).collect())
            }
            RteKind::Cte { name: cte, .. } => {
                out.push(&quote_identifier(cte));
                (name != *cte, entry.columns.iter().map(|column| column.name.clone()).collect())
            }
            RteKind::Excluded => {
                out.push("excluded");
                (false, entry.columns.iter().map(|column| column.name.clone()).collect())
            }
            RteKind::Join { .. } | RteKind::Result => return,
        };
        let renamed = !own_columns.iter().eq(entry.columns.iter().map(|column| &column.name));
        if needs_alias || renamed {
            out.push(&format!(" {}", quote_identifier(&name)));
        }
        if let RteKind::Functions { functions, .. } = &entry.kind
            && let [only] = functions.as_slice()
            && self.needs_definitions(only)
        {
            let definition = |(column, ty): (&String, ExprType)| {
                format!("{} {}", quote_identifier(column), self.lookup.format_type_with(ty.oid, ty.typmod))
            };
            let columns = entry.columns.iter().map(|column| (&column.name, column.ty));
            out.push(&format!("({})", columns.map(definition).collect::<Vec<_>>().join(", ")));
        } else if renamed {
            let names: Vec<_> = entry.columns.iter().map(|column| quote_identifier(&column.name)).collect();
            out.push(&format!("({})", names.join(", ")));
        }
    }

    /// Whether a function's columns are only known by what was written after it.
    fn needs_definitions(&self, function: &RangeFunction) -> bool {
        function.ty.oid == helios_types::oid::RECORD
            && helios_catalog::facts::procs()
                .by_oid(function.call.function)
                .is_some_and(|proc| proc.output_columns().is_empty())
    }

    fn functions(&mut self, functions: &[RangeFunction], ordinality: bool, out: &mut Buffer) {
        let several = functions.len() > 1;
        if several {
            out.push("ROWS FROM(");
        }
        for (index, function) in functions.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            let kind = ExprKind::Func(function.call.clone());
            let call = Expr { kind, ty: function.ty, location: None };
            self.expression(&call, true, out);
        }
        if several {
            out.push(")");
        }
        if ordinality {
            out.push(" WITH ORDINALITY");
        }
    }
}
