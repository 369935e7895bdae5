//! CREATE SEQUENCE and ALTER SEQUENCE.
//!
//! A sequence is a descriptor, and a value outside transactions under the descriptor's `state`. What must be
//! transactional, a restart or other limits, is a new state: until COMMIT others draw from the old one, and a rollback
//! leaves it as it was. (PostgreSQL gives the sequence a new file for the same reason.)

mod options;

use helios_catalog::model::{ObjectKey, ObjectKind, Relation, Sequence};
use helios_txn::{SequenceLimits, TableLockMode};
use helios_types::{Oid, PgError, Result, SqlState, oid};

pub(super) use options::{OwnedBy, SequenceOptions, range_var};

use super::locks::{not_supported_for, relation_of, schema_of};
use super::{DdlContext, NameSpace, next_oid, next_storage};
use crate::parse::protobuf as pb;

/// What the counter behind a sequence may yield.
pub fn sequence_limits(sequence: &Sequence) -> SequenceLimits {
    SequenceLimits {
        state: sequence.state,
        first: sequence.first,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
    }
}

/// CREATE SEQUENCE.
pub(super) async fn create(statement: &pb::CreateSeqStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let name = range(statement.sequence.as_ref())?;
    let options = SequenceOptions::read(&statement.options, false, &ctx.analysis());
    let schema = ctx.lock_creation_schema(name, false).await?;
    if ctx.snapshot().relation_in(schema, &name.relname).is_some() {
        let message = format!("relation \"{}\" already exists", name.relname);
        if statement.if_not_exists {
            ctx.notice(SqlState::DUPLICATE_TABLE, format!("{message}, skipping"));
            return Ok(());
        }
        return Err(PgError::new(SqlState::DUPLICATE_TABLE, message));
    }
    let options = options?;
    let owner = ctx.session.user_oid;
    let mut sequence = new_sequence(ctx, schema, owner, &options)?;
    sequence.name.clone_from(&name.relname);
    ctx.claim_relation(schema, &name.relname, sequence.oid).await?;
    if let Some(owned_by) = &options.owned_by {
        sequence.owned_by = find_owner(ctx, &sequence, owned_by).await?;
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, sequence);
    Ok(())
}

/// A sequence without a name, not stored yet.
pub(super) fn new_sequence(
    ctx: &DdlContext<'_>,
    schema: Oid,
    owner: Oid,
    options: &SequenceOptions,
) -> Result<Sequence> {
    let sequences = ctx.transaction.sequences();
    let blank = Sequence {
        oid: Oid::NONE,
        schema,
        name: String::new(),
        owner,
        state: 0,
        type_oid: oid::INT8,
        start: 1,
        first: 1,
        increment: 1,
        min: 0,
        max: 0,
        cache: 1,
        cycle: false,
        owned_by: None,
        identity: false,
    };
    let applied = options.apply(&blank, None)?;
    let mut sequence = applied.sequence;
    sequence.first = applied.restart.unwrap_or(sequence.start);
    sequence.oid = next_oid(sequences)?;
    sequence.state = next_storage(sequences)?;
    Ok(sequence)
}

/// ALTER SEQUENCE.
pub(super) async fn alter(statement: &pb::AlterSeqStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let name = range(statement.sequence.as_ref())?;
    let mode = TableLockMode::ShareRowExclusive;
    let found = match ctx.lock_relation(name, mode).await? {
        Some(found) => found,
        None if statement.missing_ok => {
            let message = format!("relation \"{}\" does not exist, skipping", name.relname);
            ctx.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        }
        None => {
            return ctx
                .snapshot()
                .lookup_relation(ctx.search_path, schema_of(name), &name.relname)
                .and(Err(PgError::internal("a relation came to be while it was looked for")));
        }
    };
    ctx.check_relation_owner(found)?;
    let old = match relation_of(ctx.snapshot(), found)? {
        Relation::Sequence(sequence) => sequence.clone(),
        other => {
            let message = format!("cannot open relation \"{}\"", other.name());
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(other.kind())));
        }
    };
    let options = SequenceOptions::read(&statement.options, statement.for_identity, &ctx.analysis())?;
    let mut new = altered(ctx, &old, &options)?;
    if let Some(owned_by) = &options.owned_by {
        if old.identity && !statement.for_identity {
            let table = old.owned_by.and_then(|(table, _)| ctx.snapshot().relation(Oid(table)));
            let detail =
                table.map(|table| format!("Sequence \"{}\" is linked to table \"{}\".", old.name, table.name()));
            let message = "cannot change ownership of identity sequence";
            let refusal = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
            return Err(match detail {
                Some(detail) => refusal.with_detail(detail),
                None => refusal,
            });
        }
        new.owned_by = find_owner(ctx, &new, owned_by).await?;
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}

/// A sequence with other options. Its value moves to a new state unless nothing about its values has changed.
pub(super) fn altered(ctx: &mut DdlContext<'_>, old: &Sequence, options: &SequenceOptions) -> Result<Sequence> {
    if !options.change_value() {
        return Ok(old.clone());
    }
    let sequences = ctx.transaction.sequences();
    let (last, is_called) = sequences.current(&sequence_limits(old));
    let applied = options.apply(old, Some(last))?;
    let mut new = applied.sequence;
    let same_values = (new.increment, new.min, new.max, new.cycle) == (old.increment, old.min, old.max, old.cycle);
    if applied.restart.is_none() && same_values {
        return Ok(new);
    }
    new.state = next_storage(sequences)?;
    new.first = applied.restart.unwrap_or(last);
    if applied.restart.is_none() && is_called {
        // Nobody knows the new state before COMMIT; after a rollback nobody ever does.
        sequences.set(&sequence_limits(&new), last, true);
    }
    ctx.catalog.drop_sequence(old.state);
    Ok(new)
}

/// The sequence at its start again, under a new state: TRUNCATE ... RESTART IDENTITY.
pub(super) fn restart(ctx: &mut DdlContext<'_>, old: &Sequence) -> Result<()> {
    let mut new = old.clone();
    new.state = next_storage(ctx.transaction.sequences())?;
    new.first = new.start;
    ctx.catalog.drop_sequence(old.state);
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}

/// Drops a sequence that is locked.
pub(super) fn remove(ctx: &mut DdlContext<'_>, sequence: &Sequence) {
    ctx.catalog.drop_sequence(sequence.state);
    ctx.free_name(NameSpace::Relation, sequence.schema, &sequence.name);
    let key = ObjectKey { kind: ObjectKind::Sequence, oid: sequence.oid };
    ctx.catalog.remove(ctx.transaction, ctx.statement, key);
}

/// The column that OWNED BY names (`process_owned_by`).
async fn find_owner(ctx: &mut DdlContext<'_>, sequence: &Sequence, owned_by: &OwnedBy) -> Result<Option<(u32, i16)>> {
    let OwnedBy::Column { relation, column } = owned_by else { return Ok(None) };
    let found = ctx.lock_existing_relation(relation, TableLockMode::AccessShare).await?;
    let found = relation_of(ctx.snapshot(), found)?;
    let (owner, columns) = match found {
        Relation::Table(table) => (table.owner, &table.columns),
        Relation::View(view) => (view.owner, &view.columns),
        Relation::Sequence(_) | Relation::Index(_) => {
            let message = format!("sequence cannot be owned by relation \"{}\"", found.name());
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(found.kind())));
        }
        Relation::System(_) => return Err(PgError::unsupported("a sequence owned by a system relation")),
    };
    let state = SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE;
    if owner != sequence.owner {
        return Err(PgError::new(state, "sequence must have same owner as table it is linked to"));
    }
    if found.schema() != sequence.schema {
        return Err(PgError::new(state, "sequence must be in same schema as table it is linked to"));
    }
    let attnum = columns.iter().find(|known| !known.dropped && known.name == *column).map(|known| known.attnum);
    let attnum = attnum.ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", relation.relname);
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    Ok(Some((found.oid().0, attnum)))
}

/// A relation's name that the grammar always gives.
pub(super) fn range(name: Option<&pb::RangeVar>) -> Result<&pb::RangeVar> {
    name.ok_or_else(|| PgError::internal("the raw tree has no relation's name"))
}
