//! The subcommands of ALTER TABLE: when each is carried out, under which lock, on what, and what it is called.

use helios_catalog::model::Relation;
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::wrong_relation;
use crate::ddl::DdlContext;
use crate::ddl::create_table::definition::check_tablespace;
use crate::ddl::locks::relation_of;
use crate::ddl::options::{Kind, read_options};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{AlterTableCmd, AlterTableType, ConstrType};

/// When a subcommand is carried out (`AlterTablePass`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pass {
    Drop,
    AlterType,
    AddColumn,
    SetExpression,
    ColumnAttributes,
    IndexConstraint,
    Index,
    OtherConstraint,
    /// Once the table has its new form.
    Last,
}

/// The passes that work on the table's new form, in order.
pub(super) const PASSES: [Pass; 7] = [
    Pass::AlterType,
    Pass::AddColumn,
    Pass::SetExpression,
    Pass::ColumnAttributes,
    Pass::IndexConstraint,
    Pass::Index,
    Pass::OtherConstraint,
];

/// The pass of a subcommand.
///
/// # Errors
///
/// 0A000 for those that are not supported.
pub(super) fn pass(command: &AlterTableCmd) -> Result<Pass> {
    use AlterTableType as At;
    Ok(match command.subtype() {
        At::AtDropColumn | At::AtDropConstraint | At::AtDropNotNull | At::AtDropIdentity | At::AtDropExpression => {
            Pass::Drop
        }
        At::AtColumnDefault if command.def.is_none() => Pass::Drop,
        At::AtAlterColumnType => Pass::AlterType,
        At::AtAddColumn => Pass::AddColumn,
        At::AtSetExpression => Pass::SetExpression,
        At::AtSetNotNull | At::AtSetIdentity => Pass::ColumnAttributes,
        At::AtColumnDefault | At::AtAddIdentity | At::AtValidateConstraint => Pass::OtherConstraint,
        At::AtAddConstraint => match command.def.as_deref().and_then(|def| def.node.as_ref()) {
            Some(Node::Constraint(constraint)) => match constraint.contype() {
                ConstrType::ConstrPrimary | ConstrType::ConstrUnique if !constraint.indexname.is_empty() => {
                    Pass::IndexConstraint
                }
                ConstrType::ConstrPrimary | ConstrType::ConstrUnique => Pass::Index,
                ConstrType::ConstrNotnull => Pass::ColumnAttributes,
                _ => Pass::OtherConstraint,
            },
            _ => return Err(PgError::internal("ADD CONSTRAINT without a constraint")),
        },
        At::AtChangeOwner
        | At::AtSetRelOptions
        | At::AtResetRelOptions
        | At::AtSetTableSpace
        | At::AtSetAccessMethod
        | At::AtDropOids => Pass::Last,
        other => return Err(PgError::unsupported(format_args!("ALTER TABLE ... {}", action(other)))),
    })
}

/// The lock that a subcommand takes (`AlterTableGetLockLevel`).
pub(super) fn lock_mode(kind: AlterTableType) -> TableLockMode {
    match kind {
        AlterTableType::AtValidateConstraint | AlterTableType::AtSetRelOptions | AlterTableType::AtResetRelOptions => {
            TableLockMode::ShareUpdateExclusive
        }
        _ => TableLockMode::AccessExclusive,
    }
}

/// Refuses what a relation of this kind cannot be given (`ATSimplePermissions`).
pub(super) fn check_relation(ctx: &DdlContext<'_>, oid: Oid, command: &AlterTableCmd) -> Result<()> {
    use AlterTableType as At;
    let found = relation_of(ctx.snapshot(), oid)?;
    let allowed = match found {
        Relation::Table(_) | Relation::System(_) => true,
        Relation::View(_) => {
            matches!(command.subtype(), At::AtChangeOwner | At::AtColumnDefault | At::AtSetRelOptions)
        }
        Relation::Index(_) => matches!(
            command.subtype(),
            At::AtChangeOwner | At::AtSetRelOptions | At::AtResetRelOptions | At::AtSetTableSpace
        ),
        Relation::Sequence(_) => matches!(command.subtype(), At::AtChangeOwner),
    };
    if allowed { Ok(()) } else { Err(wrong_relation(&found, action(command.subtype()))) }
}

/// A subcommand about how PostgreSQL keeps rows, which is checked and has no effect.
pub(super) fn without_effect(command: &AlterTableCmd, kind: Kind) -> Result<()> {
    match command.subtype() {
        AlterTableType::AtSetRelOptions => match command.def.as_deref().and_then(|def| def.node.as_ref()) {
            Some(Node::List(list)) => read_options(&list.items, kind).map(|_| ()),
            _ => Ok(()),
        },
        AlterTableType::AtSetTableSpace => check_tablespace(&command.name),
        AlterTableType::AtSetAccessMethod if !matches!(command.name.as_str(), "" | "heap") => {
            let message = format!("access method \"{}\" does not exist", command.name);
            Err(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        }
        _ => Ok(()),
    }
}

/// What a subcommand is called (`alter_table_type_to_string`).
pub(super) fn action(kind: AlterTableType) -> &'static str {
    use AlterTableType as At;
    match kind {
        At::AtAddColumn | At::AtAddColumnToView => "ADD COLUMN",
        At::AtColumnDefault | At::AtCookedColumnDefault => "ALTER COLUMN ... SET DEFAULT",
        At::AtDropNotNull => "ALTER COLUMN ... DROP NOT NULL",
        At::AtSetNotNull => "ALTER COLUMN ... SET NOT NULL",
        At::AtSetExpression => "ALTER COLUMN ... SET EXPRESSION",
        At::AtDropExpression => "ALTER COLUMN ... DROP EXPRESSION",
        At::AtSetStatistics => "ALTER COLUMN ... SET STATISTICS",
        At::AtSetOptions => "ALTER COLUMN ... SET",
        At::AtResetOptions => "ALTER COLUMN ... RESET",
        At::AtSetStorage => "ALTER COLUMN ... SET STORAGE",
        At::AtSetCompression => "ALTER COLUMN ... SET COMPRESSION",
        At::AtDropColumn => "DROP COLUMN",
        At::AtAddConstraint => "ADD CONSTRAINT",
        At::AtAlterConstraint => "ALTER CONSTRAINT",
        At::AtValidateConstraint => "VALIDATE CONSTRAINT",
        At::AtDropConstraint => "DROP CONSTRAINT",
        At::AtAlterColumnType => "ALTER COLUMN ... SET DATA TYPE",
        At::AtAlterColumnGenericOptions => "ALTER COLUMN ... OPTIONS",
        At::AtChangeOwner => "OWNER TO",
        At::AtClusterOn => "CLUSTER ON",
        At::AtDropCluster => "SET WITHOUT CLUSTER",
        At::AtSetLogged => "SET LOGGED",
        At::AtSetUnLogged => "SET UNLOGGED",
        At::AtDropOids => "SET WITHOUT OIDS",
        At::AtSetAccessMethod => "SET ACCESS METHOD",
        At::AtSetTableSpace => "SET TABLESPACE",
        At::AtSetRelOptions => "SET",
        At::AtResetRelOptions => "RESET",
        At::AtEnableTrig => "ENABLE TRIGGER",
        At::AtEnableAlwaysTrig => "ENABLE ALWAYS TRIGGER",
        At::AtEnableReplicaTrig => "ENABLE REPLICA TRIGGER",
        At::AtDisableTrig => "DISABLE TRIGGER",
        At::AtEnableTrigAll => "ENABLE TRIGGER ALL",
        At::AtDisableTrigAll => "DISABLE TRIGGER ALL",
        At::AtEnableTrigUser => "ENABLE TRIGGER USER",
        At::AtDisableTrigUser => "DISABLE TRIGGER USER",
        At::AtEnableRule => "ENABLE RULE",
        At::AtEnableAlwaysRule => "ENABLE ALWAYS RULE",
        At::AtEnableReplicaRule => "ENABLE REPLICA RULE",
        At::AtDisableRule => "DISABLE RULE",
        At::AtAddInherit => "INHERIT",
        At::AtDropInherit => "NO INHERIT",
        At::AtAddOf => "OF",
        At::AtDropOf => "NOT OF",
        At::AtReplicaIdentity => "REPLICA IDENTITY",
        At::AtEnableRowSecurity => "ENABLE ROW SECURITY",
        At::AtDisableRowSecurity => "DISABLE ROW SECURITY",
        At::AtForceRowSecurity => "FORCE ROW SECURITY",
        At::AtNoForceRowSecurity => "NO FORCE ROW SECURITY",
        At::AtGenericOptions => "OPTIONS",
        At::AtAttachPartition => "ATTACH PARTITION",
        At::AtDetachPartition => "DETACH PARTITION",
        At::AtDetachPartitionFinalize => "DETACH PARTITION ... FINALIZE",
        At::AtAddIdentity => "ALTER COLUMN ... ADD IDENTITY",
        At::AtSetIdentity => "ALTER COLUMN ... SET",
        At::AtDropIdentity => "ALTER COLUMN ... DROP IDENTITY",
        _ => "a subcommand of this kind",
    }
}
