//! Expressions and queries as SQL text, as PostgreSQL's `ruleutils.c` prints them.
//!
//! ```text
//!   stored expressions   Deparser::new(path of pg_catalog)       every name qualified      'x'::text, public.f(a)
//!   \d, pg_get_expr      Deparser::new(session's path)           visible names are bare    nextval('t_id_seq'::regclass)
//!   EXPLAIN              the same, with its own ColumnNames      columns by plan node      (t.a > 5)
//!   views                query_text                              lines and indentation      SELECT a\n   FROM t
//! ```
//!
//! What is printed reads back as the same expression: constants carry their type, casts are shown as `::`, implicit
//! ones are left out where the reader would put them again, parentheses stand around every operation. With `pretty`
//! (what psql asks for) parentheses go where precedence makes them idle.

mod buffer;
mod constant;
mod expression;
mod from_clause;
mod function;
mod query;
mod select;
mod simple;

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts::quote_identifier;
use helios_catalog::model::Table;
use helios_catalog::resolve::Lookup;
use helios_types::Oid;
use helios_types::io::Style;

use crate::expr::{Expr, SubPlan, Var, system_column};
use crate::query::{Query, TargetEntry, WindowClause};
use buffer::Buffer;

/// How columns and the planner's own nodes are named.
pub trait ColumnNames {
    /// The column, quoted, and qualified where it should be.
    fn column(&self, var: &Var) -> String;

    /// A value that another plan node hands in.
    fn exec_param(&self, number: usize) -> String {
        format!("${number}")
    }

    /// A planned subquery.
    fn sub_plan(&self, plan: &SubPlan) -> String {
        format!("(SubPlan {})", plan.index + 1)
    }
}

/// The columns of one table, by their bare names.
struct TableColumns<'a>(&'a Table);

impl ColumnNames for TableColumns<'_> {
    fn column(&self, var: &Var) -> String {
        let column = usize::try_from(var.column).ok().and_then(|index| self.0.live_columns().nth(index));
        match column {
            Some(column) => quote_identifier(&column.name).into_owned(),
            None if var.column == system_column::TABLEOID => "tableoid".to_owned(),
            None => format!("{}.*", quote_identifier(&self.0.name)),
        }
    }
}

/// No columns at all.
struct NoColumns;

impl ColumnNames for NoColumns {
    fn column(&self, _: &Var) -> String {
        "?".to_owned()
    }
}

/// What text is made with.
#[derive(Clone, Copy)]
pub struct Deparser<'a> {
    lookup: Lookup<'a>,
    style: &'a Style,
    pretty: bool,
}

impl<'a> Deparser<'a> {
    /// Names that this path finds are printed bare, others qualified; constants as the style has them. Text that is
    /// kept is made with [`Style::default`] and a path of `pg_catalog` alone.
    pub fn new(catalog: &'a CatalogSnapshot, search_path: &'a [Oid], style: &'a Style) -> Deparser<'a> {
        Deparser { lookup: Lookup { catalog, search_path }, style, pretty: false }
    }

    /// Without parentheses that precedence makes idle (`pg_get_expr(..., true)`).
    #[must_use]
    pub fn pretty(mut self, pretty: bool) -> Deparser<'a> {
        self.pretty = pretty;
        self
    }

    /// An expression (`deparse_expression`).
    pub fn expression(&self, expr: &Expr, names: &dyn ColumnNames) -> String {
        let mut buffer = Buffer::new(false);
        self.printer(Names::Given(names)).expression(expr, false, &mut buffer);
        buffer.into_text()
    }

    /// An expression over a table's columns: a default, check, index key or predicate (`pg_get_expr`).
    pub fn table_expression(&self, expr: &Expr, table: Option<&Arc<Table>>) -> String {
        match table {
            Some(table) => self.expression(expr, &TableColumns(table)),
            None => self.expression(expr, &NoColumns),
        }
    }

    /// A query, with line breaks and indentation and without a semicolon (`pg_get_viewdef`).
    pub fn query(&self, query: &Query) -> String {
        self.view(query, true)
    }

    /// A query on one line, as stored.
    pub fn query_line(&self, query: &Query) -> String {
        self.view(query, false)
    }

    fn view(&self, query: &Query, lines: bool) -> String {
        let mut buffer = Buffer::new(lines);
        let visible = query.target_list.iter().filter(|target| !target.junk);
        let names: Vec<String> = visible.map(|target| target.name.clone()).collect();
        self.printer(Names::Levels(Vec::new())).query(query, Some(&names), true, &mut buffer);
        buffer.into_text()
    }

    fn printer<'n>(&'n self, names: Names<'n>) -> Printer<'n> {
        Printer {
            lookup: self.lookup,
            style: self.style,
            pretty: self.pretty,
            names,
            in_group_by: false,
            in_order_by: false,
        }
    }
}

/// Where names of columns come from.
enum Names<'n> {
    /// From outside.
    Given(&'n dyn ColumnNames),
    /// From the queries being printed, outermost first.
    Levels(Vec<Level>),
}

/// A query being printed: what its entries are called, and what calls in it refer to.
struct Level {
    entries: Vec<Entry>,
    /// Whether columns are printed with their entry's name.
    qualified: bool,
    windows: Vec<WindowClause>,
    /// The expressions of GROUP BY.
    grouped: Vec<Expr>,
    /// The output columns: an ORDER BY item must not be taken for one of another meaning.
    targets: Vec<TargetEntry>,
}

/// An entry of the range table.
struct Entry {
    /// A name that no other entry in sight has.
    name: String,
    columns: Vec<String>,
    is_join: bool,
}

/// The printer at work.
struct Printer<'n> {
    lookup: Lookup<'n>,
    style: &'n Style,
    pretty: bool,
    names: Names<'n>,
    in_group_by: bool,
    in_order_by: bool,
}
