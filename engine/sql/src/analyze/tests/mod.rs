//! The analyzer against what PostgreSQL 18 said (`golden/*.txt`, written by `record`).
//!
//! A line `! ...` after a statement's recorded answer is ours where it differs on purpose: what is not supported.

mod schema;

use helios_catalog::CatalogSnapshot;
use helios_types::PgError;

use super::{AnalyzeContext, ParamTypes, analyze_statement};
use crate::query::{Command, Query, TargetEntry};

/// The fixed catalog, and a session to analyze in.
struct Fixture {
    catalog: CatalogSnapshot,
    search_path: Vec<helios_types::Oid>,
    session: crate::session::SessionContext,
}

impl Fixture {
    fn new() -> Fixture {
        let catalog = schema::catalog();
        let search_path = catalog.search_path("\"$user\", public", "postgres");
        Fixture { catalog, search_path, session: crate::execute::testing::session() }
    }

    fn analyze(&self, sql: &str) -> Result<(Query, ParamTypes), PgError> {
        let parsed = crate::parse::parse(sql)?;
        let statement = parsed.first().ok_or_else(|| PgError::internal("no statement"))?;
        let mut context = AnalyzeContext {
            catalog: &self.catalog,
            search_path: &self.search_path,
            session: &self.session,
            params: ParamTypes::inferred(Vec::new()),
            source: sql,
        };
        let query = analyze_statement(statement.node(), &mut context)?;
        Ok((query, context.params))
    }

    fn lookup(&self) -> helios_catalog::resolve::Lookup<'_> {
        helios_catalog::resolve::Lookup { catalog: &self.catalog, search_path: &self.search_path }
    }

    /// What the recording script writes down, of our own answer.
    fn answer(&self, sql: &str, view: bool) -> Vec<String> {
        let (query, params) = match self.analyze(sql) {
            Ok(analyzed) => analyzed,
            Err(error) => return error_lines(sql, &error),
        };
        let list = if query.command == Command::Select { &query.target_list } else { &query.returning };
        let visible: Vec<&TargetEntry> = list.iter().filter(|target| !target.junk).collect();
        let mut lines = Vec::new();
        if query.command == Command::Select || !query.returning.is_empty() {
            let columns: Vec<String> = visible.iter().map(|target| self.column(target)).collect();
            lines.push(format!("columns: {}", columns.join(", ")));
        } else {
            lines.push("no columns".to_owned());
        }
        if !params.types().is_empty() {
            let types: Vec<String> = params.types().iter().map(|oid| self.lookup().format_type(*oid)).collect();
            lines.push(format!("parameters: {}", types.join(", ")));
        }
        if view {
            let style = &self.session.style;
            let text = crate::deparse::Deparser::new(&self.catalog, &self.search_path, style).query(&query);
            let text = format!("{text};");
            lines.extend(text.split('\n').map(|line| format!("text: {line}")));
        }
        lines
    }

    fn column(&self, target: &TargetEntry) -> String {
        let ty = target.expr.ty;
        let mut shown = format!("{} {}", target.name, self.lookup().format_type_with(ty.oid, ty.typmod));
        if let Some(relation) = self.catalog.relation(target.table) {
            let name = if self.catalog.is_visible(&self.search_path, target.table) {
                relation.name().to_owned()
            } else {
                format!("{}.{}", self.catalog.schema_name(relation.schema()).unwrap_or("?"), relation.name())
            };
            shown.push_str(&format!(" [{name}.{}]", target.attnum));
        }
        shown
    }
}

fn error_lines(sql: &str, error: &PgError) -> Vec<String> {
    let place = match error.position() {
        Some(offset) => format!(" at {}", sql[..offset].chars().count() + 1),
        None => String::new(),
    };
    let mut lines = vec![format!("error {}{place}: {}", error.code(), error.message())];
    lines.extend(error.detail().map(|detail| format!("detail: {detail}")));
    lines.extend(error.hint().map(|hint| format!("hint: {hint}")));
    lines
}

/// Runs a golden file and panics with all that differs.
fn check(name: &str, content: &str) {
    let fixture = Fixture::new();
    let view = name.starts_with("view_");
    let mut lines = content.lines().peekable();
    let mut differing = String::new();
    let mut statements = 0;
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with(['#', '>', '!']) {
            continue;
        }
        let take = |lines: &mut std::iter::Peekable<std::str::Lines<'_>>, prefix: &str| {
            let mut taken = Vec::new();
            while let Some(rest) = lines.peek().and_then(|next| next.strip_prefix(prefix)) {
                taken.push(rest.to_owned());
                lines.next();
            }
            taken
        };
        let recorded = take(&mut lines, "> ");
        let own = take(&mut lines, "! ");
        let expected = if own.is_empty() { recorded } else { own };
        let answer = fixture.answer(line, view);
        statements += 1;
        if answer != expected {
            differing.push_str(&format!("{line}\n  expected:\n"));
            expected.iter().for_each(|line| differing.push_str(&format!("    {line}\n")));
            differing.push_str("  got:\n");
            answer.iter().for_each(|line| differing.push_str(&format!("    {line}\n")));
        }
    }
    assert!(statements > 0, "{name} has no statements");
    assert!(differing.is_empty(), "{name} differs from PostgreSQL:\n{differing}");
}

macro_rules! golden {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), include_str!(concat!("golden/", stringify!($name), ".txt")));
            }
        )*
    };
}

golden! {
    names expressions clauses set_ops_ctes changes view_queries view_expressions
}

#[test]
fn a_hidden_column_can_be_named_and_is_in_no_star() {
    let fixture = Fixture::new();
    let (query, _) = fixture.analyze("select d.daticulocale from pg_database d").unwrap();
    assert_eq!(query.target_list[0].expr.as_const(), Some(&helios_types::Datum::Null));
    let (query, _) = fixture.analyze("select * from pg_database").unwrap();
    assert!(query.target_list.iter().all(|entry| entry.name != "daticulocale"));
    assert!(fixture.analyze("select daticulocale from pg_class").is_err());
}
