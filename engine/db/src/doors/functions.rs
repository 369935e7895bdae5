//! Functions over the catalog and the session, by `prosrc`.
//!
//! Those that read the catalog alone are the catalog floor's ([`helios_catalog::functions`]); here are those that look
//! at the session, its settings, its transaction, other sessions, and the store.

use std::sync::Arc;

use helios_catalog::functions;
use helios_catalog::model::{ConstraintKind, Relation, Table};
use helios_env::BoxFuture;
use helios_sql::ddl::{expression_definition, view_definition};
use helios_sql::execute::{CancelReason, CatalogFunctions};
use helios_sql::expr::ExprType;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::StatementDoors;
use super::sequences::limits;
use crate::settings::SetScope;

const FROM_1970_TO_2000_MICROS: i64 = 946_684_800_000_000;

impl CatalogFunctions for StatementDoors {
    fn call<'a>(&'a self, source: &'a str, args: &'a [Datum], result: ExprType) -> BoxFuture<'a, Result<Datum>> {
        Box::pin(std::future::ready(self.call_now(source, args, result)))
    }

    fn schema_name(&self, schema: Oid) -> String {
        self.catalog.schema_name(schema).unwrap_or_default().to_owned()
    }
}

fn text(args: &[Datum], index: usize) -> Result<&str> {
    match args.get(index) {
        Some(Datum::Text(text)) => Ok(text),
        other => Err(PgError::internal(format!("a text argument is {other:?}"))),
    }
}

fn oid(args: &[Datum], index: usize) -> Result<Oid> {
    match args.get(index) {
        Some(Datum::U32(oid)) => Ok(Oid(*oid)),
        other => Err(PgError::internal(format!("an oid argument is {other:?}"))),
    }
}

fn boolean(args: &[Datum], index: usize) -> Result<bool> {
    match args.get(index) {
        Some(Datum::Bool(value)) => Ok(*value),
        other => Err(PgError::internal(format!("a boolean argument is {other:?}"))),
    }
}

fn integer(args: &[Datum], index: usize) -> Result<i32> {
    match args.get(index) {
        Some(Datum::I32(value)) => Ok(*value),
        other => Err(PgError::internal(format!("an integer argument is {other:?}"))),
    }
}

impl StatementDoors {
    fn call_now(&self, source: &str, args: &[Datum], _result: ExprType) -> Result<Datum> {
        if source.starts_with("pg_get_viewdef") {
            return self.view_definition(source, args);
        }
        match source {
            "pg_get_expr" | "pg_get_expr_ext" => return self.expression(args),
            "pg_get_constraintdef_ext" if boolean(args, 1)? => {
                if let Some(check) = self.pretty_check(oid(args, 0)?)? {
                    return Ok(check);
                }
            }
            _ => {}
        }
        if functions::knows(source)
            && let Some(outcome) = functions::call(source, args, &self.lookup(), self)
        {
            return outcome;
        }
        Ok(match source {
            "show_config_by_name" => Datum::text(self.show(text(args, 0)?)?),
            "show_config_by_name_missing_ok" => match self.show(text(args, 0)?) {
                Ok(value) => Datum::text(value),
                Err(_) if boolean(args, 1)? => Datum::Null,
                Err(error) => return Err(error),
            },
            "set_config_by_name" => self.set_config(args)?,
            "current_query" => match self.activity_report() {
                Some(report) => Datum::Text(report.query),
                None => Datum::Null,
            },
            "system_user" | "inet_client_addr" | "inet_client_port" | "inet_server_addr" | "inet_server_port" => {
                Datum::Null
            }
            "pg_postmaster_start_time" | "pg_conf_load_time" => {
                Datum::I64(self.database.started().0 - FROM_1970_TO_2000_MICROS)
            }
            "pg_cancel_backend" => Datum::Bool(self.signal(integer(args, 0)?, CancelReason::UserRequest)),
            "pg_terminate_backend" => Datum::Bool(self.signal(integer(args, 0)?, CancelReason::Shutdown)),
            "pg_trigger_depth" => Datum::I32(0),
            "obj_description" => self.description(oid(args, 0)?, self.class_argument(args)?, 0),
            "shobj_description" => self.description(oid(args, 0)?, self.class_argument(args)?, 0),
            "col_description" => {
                const PG_CLASS: Oid = Oid(1259);
                self.description(oid(args, 0)?, Some(PG_CLASS), integer(args, 1)?)
            }
            "pg_current_xact_id" => Datum::I64(self.transaction.assign_xid().cast_signed()),
            "pg_current_xact_id_if_assigned" => {
                self.transaction.xid().map_or(Datum::Null, |xid| Datum::I64(xid.cast_signed()))
            }
            "pg_sequence_last_value" => {
                let found = self.catalog.sequence(oid(args, 0)?);
                let current = found.map(|sequence| self.database.transactions().sequences().current(&limits(sequence)));
                current.filter(|(_, called)| *called).map_or(Datum::Null, |(value, _)| Datum::I64(value))
            }
            "pg_relation_size" | "pg_table_size" | "pg_total_relation_size" | "pg_indexes_size" => {
                match self.catalog.relation(oid(args, 0)?) {
                    // The store does not account by table: what is small enough not to matter is said to be empty.
                    Some(_) => Datum::I64(0),
                    None => Datum::Null,
                }
            }
            "pg_database_size_name" | "pg_database_size_oid" =>
            {
                #[allow(clippy::cast_possible_wrap)]
                Datum::I64(self.database.storage().stats().memtable_bytes as i64)
            }
            "pg_relation_filenode" => match self.catalog.relation(oid(args, 0)?) {
                Some(Relation::Table(_) | Relation::Index(_) | Relation::Sequence(_)) => Datum::U32(oid(args, 0)?.0),
                _ => Datum::Null,
            },
            "pg_basetype" => Datum::U32(self.lookup().base_type(oid(args, 0)?).0),
            _ => return Err(PgError::unsupported(format!("function {source}"))),
        })
    }

    /// `pg_get_viewdef`, by OID or by name; the second argument asks for few parentheses.
    fn view_definition(&self, source: &str, args: &[Datum]) -> Result<Datum> {
        let found = match source {
            "pg_get_viewdef_name" | "pg_get_viewdef_name_ext" => {
                Some(functions::relation_named(&self.lookup(), text(args, 0)?)?)
            }
            _ => self.catalog.relation(oid(args, 0)?),
        };
        let pretty = match args.get(1) {
            Some(Datum::Bool(pretty)) => *pretty,
            wrapped => wrapped.is_some(),
        };
        Ok(match found {
            Some(Relation::View(view)) => {
                let (catalog, path) = (&self.catalog, &self.search_path);
                Datum::text(view_definition(view, catalog, path, &self.session, pretty)?)
            }
            Some(_) => Datum::text("Not a view"),
            None => Datum::Null,
        })
    }

    /// `pg_get_expr`: the expression, the relation whose columns it names, whether it is for people.
    fn expression(&self, args: &[Datum]) -> Result<Datum> {
        let stored = text(args, 0)?;
        let pretty = matches!(args.get(2), Some(Datum::Bool(true)));
        match self.catalog.table(oid(args, 1)?) {
            Some(table) => self.printed(stored, table, pretty).map(Datum::text),
            None => Ok(Datum::text(stored)),
        }
    }

    /// A CHECK without idle parentheses; `None` for other constraints.
    fn pretty_check(&self, constraint: Oid) -> Result<Option<Datum>> {
        let named = |table: &Arc<Table>| {
            let found = table.constraints.iter().find(|found| found.oid == constraint)?;
            match &found.kind {
                ConstraintKind::Check { expression, .. } => Some((table.clone(), expression.clone())),
                _ => None,
            }
        };
        let Some((table, expression)) = self.catalog.tables().find_map(named) else { return Ok(None) };
        let expression = self.printed(&expression, &table, true)?;
        Ok(Some(Datum::text(format!("CHECK ({expression})"))))
    }

    fn printed(&self, stored: &str, table: &Arc<Table>, pretty: bool) -> Result<String> {
        expression_definition(stored, table, &self.catalog, &self.search_path, &self.session, pretty)
    }

    fn activity_report(&self) -> Option<crate::activity::ActivityReport> {
        self.database.activities().into_iter().find(|report| report.pid == self.session.backend_pid)
    }

    fn show(&self, name: &str) -> Result<String> {
        let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => Ok(crate::session::isolation_name(self.transaction.isolation()).to_owned()),
            "transaction_read_only" => Ok(on_off(self.read_only)),
            _ => self.settings.lock().settings.show(name),
        }
    }

    /// `set_config(name, value, is_local)`; a NULL value resets.
    fn set_config(&self, args: &[Datum]) -> Result<Datum> {
        let Some(Datum::Text(name)) = args.first() else {
            return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
        };
        let value = match args.get(1) {
            Some(Datum::Text(value)) => value.to_string(),
            _ => String::new(),
        };
        let scope = if matches!(args.get(2), Some(Datum::Bool(true))) { SetScope::Local } else { SetScope::Session };
        let mut door = self.settings.lock();
        door.settings.set(name, &value, scope)?;
        door.changes.push((name.to_string(), value, scope));
        Ok(Datum::text(door.settings.show(name)?))
    }

    fn signal(&self, pid: i32, reason: CancelReason) -> bool {
        self.database.signal(pid, reason)
    }

    /// The catalog that the second argument names.
    fn class_argument(&self, args: &[Datum]) -> Result<Option<Oid>> {
        if args.len() < 2 {
            return Ok(None);
        }
        let name = text(args, 1)?;
        let found = self.catalog.relation_in(helios_catalog::facts::PG_CATALOG, name);
        Ok(Some(found.map_or(Oid::NONE, |relation| relation.oid())))
    }

    /// The comment on an object; without a class, of whatever has this OID.
    fn description(&self, object: Oid, class: Option<Oid>, sub_id: i32) -> Datum {
        let of_class = class.and_then(|class| self.catalog.comment_on(class, object, sub_id));
        let comment = match class {
            Some(_) => of_class.map(|comment| comment.text.clone()),
            None => self
                .catalog
                .comments()
                .find(|comment| comment.object == object && comment.sub_id == sub_id)
                .map(|comment| comment.text.clone()),
        };
        let built_in = || {
            helios_catalog::facts::descriptions()
                .iter()
                .find(|fact| {
                    fact.object == object && class.is_none_or(|class| fact.class == class) && fact.sub_id == sub_id
                })
                .map(|fact| fact.text.to_owned())
        };
        comment.or_else(built_in).map_or(Datum::Null, Datum::text)
    }
}
