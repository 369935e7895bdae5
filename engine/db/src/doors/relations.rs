//! Computed relations: `pg_catalog`, `information_schema`.

use std::sync::Arc;

use helios_catalog::facts;
use helios_catalog::model::{Sequence, View};
use helios_catalog::system::{self, Row, SystemContext};
use helios_env::BoxFuture;
use helios_sql::ddl::view_definition;
use helios_sql::execute::{Batch, SystemRelations};
use helios_types::{Column, Datum, Oid, Result, oid};

use super::StatementDoors;
use super::sequences::limits;

impl SystemRelations for StatementDoors {
    fn scan<'a>(&'a self, relation: Oid, columns: &'a [usize]) -> BoxFuture<'a, Result<Vec<Batch>>> {
        Box::pin(std::future::ready(self.system_rows(relation, columns)))
    }
}

impl StatementDoors {
    fn system_rows(&self, relation: Oid, columns: &[usize]) -> Result<Vec<Batch>> {
        if let Some(sequence) = self.catalog.sequence(relation) {
            let (value, is_called) = self.database.transactions().sequences().current(&limits(sequence));
            // PostgreSQL counts the values that are logged ahead; here each is logged by itself.
            let row = [(oid::INT8, Datum::I64(value)), (oid::INT8, Datum::I64(0)), (oid::BOOL, Datum::Bool(is_called))];
            let wanted = columns.iter().filter_map(|&index| row.get(index));
            let columns = wanted.map(|(type_oid, value)| Arc::new(Column::from_datums(*type_oid, [value])));
            return Ok(vec![Batch::new(columns.collect(), 1)]);
        }
        let rows = system::rows(relation, &self.catalog, self)?;
        let described = system::columns(relation);
        let batch = |rows: &[Row]| {
            let columns = columns.iter().map(|&index| {
                let values = rows.iter().map(|row| &row[index]);
                Arc::new(Column::from_datums(described[index].type_oid, values))
            });
            Batch::new(columns.collect(), rows.len())
        };
        Ok(rows.chunks(1024).map(batch).collect())
    }

    /// `pg_stat_activity`.
    fn stat_activity(&self) -> Vec<Row> {
        const FROM_1970_TO_2000_MICROS: i64 = 946_684_800_000_000;
        let time = |at: helios_env::Timestamp| Datum::I64(at.0 - FROM_1970_TO_2000_MICROS);
        let text = |text: &str| Datum::text(text);
        let Some(relation) = facts::relations().by_name(facts::PG_CATALOG, "pg_stat_activity") else {
            return Vec::new();
        };
        let names: Vec<&str> = facts::attributes().of(relation.oid).iter().map(|attribute| attribute.name).collect();
        let oid_of =
            |name: &str| self.catalog.database_by_name(name).map_or(Datum::Null, |found| Datum::U32(found.oid.0));
        let role_of = |name: &str| self.catalog.role_by_name(name).map_or(Datum::Null, |found| Datum::U32(found.oid.0));
        let rows = self.database.activities().into_iter().map(|report| {
            names
                .iter()
                .map(|name| match *name {
                    "datid" => oid_of(&report.database),
                    "datname" => text(&report.database),
                    "pid" => Datum::I32(report.pid),
                    "usesysid" => role_of(&report.user),
                    "usename" => text(&report.user),
                    "application_name" => text(&report.application_name),
                    "backend_start" => time(report.backend_start),
                    "xact_start" => report.transaction_start.map_or(Datum::Null, time),
                    "query_start" => report.query_start.map_or(Datum::Null, time),
                    "state_change" => time(report.state_change),
                    "state" => text(report.state.name()),
                    "query" => text(&report.query),
                    "backend_type" => text("client backend"),
                    _ => Datum::Null,
                })
                .collect()
        });
        rows.collect()
    }
}

impl SystemContext for StatementDoors {
    fn database(&self) -> &str {
        &self.session.database
    }

    fn user(&self) -> Oid {
        self.session.user_oid
    }

    fn search_path(&self) -> &[Oid] {
        &self.search_path
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.settings.lock().settings.get(name).map(str::to_owned)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn row_estimate(&self, table: Oid) -> f32 {
        self.database.row_counts().estimate(table).map_or(-1.0, |rows| rows as f32)
    }

    fn last_value(&self, sequence: &Sequence) -> Option<i64> {
        let (value, is_called) = self.database.transactions().sequences().current(&limits(sequence));
        is_called.then_some(value)
    }

    fn view_definition(&self, view: &View) -> Option<String> {
        view_definition(view, &self.catalog, &self.search_path, &self.session, false).ok()
    }

    fn running_system(&self, relation: &str) -> Option<Vec<Row>> {
        match relation {
            "pg_stat_activity" => Some(self.stat_activity()),
            _ => None,
        }
    }
}
