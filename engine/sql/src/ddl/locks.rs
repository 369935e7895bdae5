//! Locking what a statement is about, and finding it again.
//!
//! A name is resolved, what it means is locked, and it is resolved again in the newest committed catalog: while the lock
//! was waited for, another transaction may have dropped or renamed it (`RangeVarGetRelidExtended`). Locks stay until the
//! end of the transaction, also one on an object that the name turned out not to mean.
//!
//! Indexes, sequences, views, schemas and roles are locked by their OIDs in the same table of locks as tables are: OIDs
//! of users' objects are drawn from one sequence, those of built-in ones do not meet them.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{Relation, RelationKind};
use helios_storage::Snapshot;
use helios_txn::{CommandId, Statement, TableLockMode};
use helios_types::{Oid, PgError, Result, SqlState};

use super::DdlContext;
use crate::parse::protobuf as pb;

impl DdlContext<'_> {
    /// Takes over what others have committed meanwhile.
    pub(super) fn refresh(&mut self) {
        let newest = (self.newest)();
        self.catalog.refresh(&newest);
    }

    /// Locks an object, and knows the newest catalog afterwards.
    pub(super) async fn lock(&mut self, oid: Oid, mode: TableLockMode) -> Result<()> {
        self.transaction.lock_table(oid.0, mode, self.wait).await?;
        self.refresh();
        Ok(())
    }

    /// Resolves a name, locks what it means, and makes sure that it still means that. `None` when it means nothing.
    pub(super) async fn lock_found(
        &mut self,
        mode: TableLockMode,
        find: impl Fn(&CatalogSnapshot, &[Oid]) -> Result<Option<Oid>>,
    ) -> Result<Option<Oid>> {
        loop {
            let Some(oid) = find(self.snapshot(), self.search_path)? else { return Ok(None) };
            self.lock(oid, mode).await?;
            if find(self.snapshot(), self.search_path)? == Some(oid) {
                return Ok(Some(oid));
            }
        }
    }

    /// Locks the relation that a name means. `None` when there is none, or no such schema.
    pub(super) async fn lock_relation(&mut self, name: &pb::RangeVar, mode: TableLockMode) -> Result<Option<Oid>> {
        self.check_database(name)?;
        self.lock_found(mode, |catalog, path| {
            Ok(catalog.find_relation(path, schema_of(name), &name.relname).map(|found| found.oid()))
        })
        .await
    }

    /// As [`DdlContext::lock_relation`], with the error that a statement gives which needs the relation.
    ///
    /// # Errors
    ///
    /// 42P01 `relation "x" does not exist`.
    pub(super) async fn lock_existing_relation(&mut self, name: &pb::RangeVar, mode: TableLockMode) -> Result<Oid> {
        match self.lock_relation(name, mode).await? {
            Some(oid) => Ok(oid),
            None => {
                let missing = self.snapshot().lookup_relation(self.search_path, schema_of(name), &name.relname);
                missing.map(|found| found.oid())
            }
        }
    }

    /// Refuses names of other databases.
    pub(super) fn check_database(&self, name: &pb::RangeVar) -> Result<()> {
        if name.catalogname.is_empty() || *name.catalogname == *self.session.database {
            return Ok(());
        }
        let message = format!(
            "cross-database references are not implemented: \"{}.{}.{}\"",
            name.catalogname, name.schemaname, name.relname
        );
        Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
    }

    /// The schema that a new relation goes into, locked so that nobody drops it meanwhile
    /// (`RangeVarGetAndCheckCreationNamespace`). `positioned`: errors point at the name.
    pub(super) async fn lock_creation_schema(&mut self, name: &pb::RangeVar, positioned: bool) -> Result<Oid> {
        let place = position(name.location).filter(|_| positioned);
        self.check_database(name).map_err(|refusal| refusal.at(place))?;
        match name.relpersistence.as_str() {
            "t" => return Err(PgError::unsupported("a temporary relation").at(position(name.location))),
            "u" => return Err(PgError::unsupported("an unlogged relation").at(position(name.location))),
            _ => {}
        }
        let path = self.session.setting("search_path").unwrap_or("public").to_owned();
        let user = self.session.user.clone();
        let schema = self
            .lock_found(TableLockMode::AccessShare, |catalog, _| match schema_of(name) {
                Some(schema) => catalog.lookup_schema(schema).map(Some),
                None => catalog.creation_schema(&path, &user).map(Some),
            })
            .await
            .map_err(|refusal| refusal.at(place))?
            .ok_or_else(|| PgError::internal("a schema is neither there nor missing"))?;
        self.check_create_in(schema)?;
        if schema == helios_catalog::facts::PG_CATALOG {
            let message = format!("permission denied to create \"pg_catalog.{}\"", name.relname);
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                .with_detail("System catalog modifications are currently disallowed."));
        }
        Ok(schema)
    }

    /// Refuses to create in a schema that is somebody else's.
    pub(super) fn check_create_in(&self, schema: Oid) -> Result<()> {
        if self.is_superuser() || self.snapshot().schema(schema).is_some_and(|schema| self.owns(schema.owner)) {
            return Ok(());
        }
        let name = self.snapshot().schema_name(schema).unwrap_or_default();
        let message = format!("permission denied for schema {name}");
        Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
    }

    /// Whether the current user may do anything.
    pub(super) fn is_superuser(&self) -> bool {
        self.snapshot().role(self.session.user_oid).is_some_and(|role| role.superuser)
    }

    fn owns(&self, owner: Oid) -> bool {
        owner == self.session.user_oid || self.is_superuser()
    }

    /// Refuses to change what is somebody else's.
    ///
    /// # Errors
    ///
    /// 42501 `must be owner of table t`.
    pub(super) fn check_owner(&self, owner: Oid, kind: &str, name: &str) -> Result<()> {
        if self.owns(owner) {
            return Ok(());
        }
        Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}")))
    }

    /// [`DdlContext::check_owner`] for a relation; nobody changes the system's.
    pub(super) fn check_relation_owner(&self, relation: Oid) -> Result<()> {
        let found = relation_of(self.snapshot(), relation)?;
        let owner = match found {
            Relation::Table(table) => table.owner,
            Relation::Sequence(sequence) => sequence.owner,
            Relation::View(view) => view.owner,
            Relation::Index(index) => self.snapshot().table(index.table).map_or(Oid::NONE, |table| table.owner),
            Relation::System(system) => {
                let message = format!("permission denied: \"{}\" is a system catalog", system.name);
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
        };
        self.check_owner(owner, found.kind().noun(), found.name())
    }

    /// A statement that sees everything committed until now and all that this transaction has written: what DDL reads
    /// rows with, whatever the isolation level, once a lock keeps writers out.
    pub(super) fn latest(&self) -> Statement {
        let command: CommandId = self.transaction.statement().command;
        let snapshot: Snapshot = self.transaction.storage().snapshot();
        Statement { snapshot, command, lock_timeout: self.statement.lock_timeout }
    }
}

/// A relation that must be there.
pub(super) fn relation_of(catalog: &CatalogSnapshot, oid: Oid) -> Result<Relation<'_>> {
    catalog.relation(oid).ok_or_else(|| PgError::internal(format_args!("relation {oid} is gone though it is locked")))
}

/// The schema in a name, if there is one.
pub(super) fn schema_of(name: &pb::RangeVar) -> Option<&str> {
    (!name.schemaname.is_empty()).then_some(name.schemaname.as_str())
}

/// A raw location as an error's.
pub(super) fn position(location: i32) -> Option<usize> {
    usize::try_from(location).ok()
}

/// `DETAIL: This operation is not supported for views.`
pub(super) fn not_supported_for(kind: RelationKind) -> String {
    let kinds = match kind {
        RelationKind::Table => "tables",
        RelationKind::Index => "indexes",
        RelationKind::Sequence => "sequences",
        RelationKind::View => "views",
    };
    format!("This operation is not supported for {kinds}.")
}
