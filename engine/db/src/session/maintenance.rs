//! LOCK TABLE, VACUUM and ANALYZE.

use helios_catalog::model::Relation;
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_storage::{BranchId, Direction, KeyRange, Space, StorageId};
use helios_txn::{TableLockMode, Wait};
use helios_types::{Oid, PgError, Result, SqlState};

use super::{Block, Session};

/// LOCK TABLE's modes, by PostgreSQL's numbers.
const LOCK_MODES: [TableLockMode; 8] = [
    TableLockMode::AccessShare,
    TableLockMode::RowShare,
    TableLockMode::RowExclusive,
    TableLockMode::ShareUpdateExclusive,
    TableLockMode::Share,
    TableLockMode::ShareRowExclusive,
    TableLockMode::Exclusive,
    TableLockMode::AccessExclusive,
];

impl Session {
    /// The relation that a name in a statement means.
    pub(super) fn find_relation(&mut self, name: &pb::RangeVar) -> Result<(Oid, helios_catalog::CatalogSnapshot)> {
        let catalog = self.newest_catalog();
        let path = self.search_path(&catalog);
        let schema = (!name.schemaname.is_empty()).then_some(name.schemaname.as_str());
        let oid = catalog.lookup_relation(&path, schema, &name.relname)?.oid();
        Ok((oid, catalog))
    }

    /// LOCK TABLE.
    pub(super) async fn lock_tables(&mut self, statement: &pb::LockStmt) -> Result<&'static str> {
        if self.block != Block::Begun {
            return Err(PgError::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "LOCK TABLE can only be used in transaction blocks",
            ));
        }
        let mode = usize::try_from(statement.mode).ok().and_then(|mode| LOCK_MODES.get(mode.checked_sub(1)?));
        let mode = *mode.ok_or_else(|| PgError::internal("LOCK TABLE in an unknown mode"))?;
        let wait = if statement.nowait { Wait::Error } else { Wait::Block(self.settings.millis("lock_timeout")) };
        for relation in &statement.relations {
            let Some(Node::RangeVar(name)) = &relation.node else { continue };
            loop {
                let (oid, catalog) = self.find_relation(name)?;
                if let Some(relation @ (Relation::Index(_) | Relation::Sequence(_))) = catalog.relation(oid) {
                    let message = format!("cannot lock relation \"{}\"", relation.name());
                    let kind = if matches!(relation, Relation::Index(_)) { "indexes" } else { "sequences" };
                    return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
                        .with_detail(format!("This operation is not supported for {kind}.")));
                }
                let transaction = self.transaction()?.transaction.clone();
                transaction.lock_table(oid.0, mode, wait).await?;
                if self.find_relation(name)?.0 == oid {
                    break;
                }
            }
        }
        Ok("LOCK TABLE")
    }

    /// VACUUM does nothing, because old versions go away by themselves; ANALYZE counts rows.
    pub(super) async fn vacuum(&mut self, statement: &pb::VacuumStmt) -> Result<&'static str> {
        let option = |name: &str| {
            statement.options.iter().any(|option| {
                matches!(&option.node, Some(Node::DefElem(option)) if option.defname == name && !is_off(option))
            })
        };
        let analyze = !statement.is_vacuumcmd || option("analyze");
        if statement.is_vacuumcmd {
            self.prevent_in_block("VACUUM")?;
        }
        let mut tables = Vec::new();
        for relation in &statement.rels {
            let Some(Node::VacuumRelation(relation)) = &relation.node else { continue };
            let Some(name) = &relation.relation else { continue };
            let (oid, _) = self.find_relation(name)?;
            tables.push(oid);
        }
        if statement.rels.is_empty() {
            tables = self.newest_catalog().tables().map(|table| table.oid).collect();
        }
        if analyze {
            for table in tables {
                self.count_rows(table).await?;
            }
        }
        Ok(if statement.is_vacuumcmd { "VACUUM" } else { "ANALYZE" })
    }

    /// Counts a table's rows, for the planner.
    async fn count_rows(&mut self, table: Oid) -> Result<()> {
        let Some(found) = self.newest_catalog().table(table).cloned() else { return Ok(()) };
        let transaction = self.transaction()?.transaction.clone();
        let statement = transaction.statement();
        let space = Space { branch: BranchId(0), storage: StorageId(found.storage) };
        let mut scan = transaction.scan(&statement, space, KeyRange::all(), Direction::Forward);
        let (mut rows, mut batch) = (0, Vec::new());
        loop {
            let more = scan.next_rows(1024, &mut batch).await?;
            rows += batch.len() as u64;
            batch.clear();
            if !more {
                break;
            }
        }
        self.database.row_counts().set(table, rows);
        Ok(())
    }
}

/// `(analyze false)` and its spellings.
fn is_off(option: &pb::DefElem) -> bool {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        Some(Node::String(word)) => matches!(word.sval.as_str(), "false" | "off" | "0" | "no"),
        Some(Node::Boolean(value)) => !value.boolval,
        Some(Node::Integer(number)) => number.ival == 0,
        _ => false,
    }
}
