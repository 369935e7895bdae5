//! Statements that change the catalog, transactionally.
//!
//! The catalog is rows in MVCC key spaces and, in memory, a [`CatalogSnapshot`](helios_catalog::CatalogSnapshot). A transaction that changes it works on
//! a [`CatalogEdit`]: the newest committed catalog with the transaction's own changes on top. Each change is written
//! through the transaction at once, so that COMMIT, ROLLBACK and savepoints treat it like any other write:
//!
//! ```text
//!   CATALOG space   key (kind, oid)              value  descriptor
//!   NAMES space     key (name space, schema, name)  value  oid        inserting waits for whoever takes or frees it
//! ```
//!
//! Names are claimed in a key space of their own because that is what makes two transactions that create the same name
//! wait for one another and the second one fail, as PostgreSQL's unique indexes on its catalogs do.
//!
//! Whoever changes or drops an object first locks it, in the table lock mode that PostgreSQL takes (schemas and roles
//! are locked by their OIDs like tables), and looks it up again in the newest catalog once the lock is held: see
//! [`locks`]. So a descriptor is never replaced by one that was made from an older one.
//!
//! | module | statements |
//! |---|---|
//! | [`create_table`] | CREATE TABLE, and the table of CREATE TABLE AS |
//! | [`create_index`], [`reindex`] | CREATE INDEX, REINDEX |
//! | [`view`], [`schema`] | CREATE VIEW, CREATE SCHEMA |
//! | [`role`], [`comment`] | roles, COMMENT ON |
//! | [`sequence`] | CREATE SEQUENCE, ALTER SEQUENCE |
//! | [`alter_table`] | ALTER TABLE |
//! | [`rename`], [`restate`] | ALTER ... RENAME, and what it does to texts that mention the name |
//! | [`owner`] | ALTER ... OWNER TO, ALTER ... SET SCHEMA |
//! | [`drop`], [`dependency`] | DROP of relations and schemas, with what depends on them |
//! | [`truncate`] | TRUNCATE |
//! | [`rows`] | rows that are there, copied, checked, indexed |
//! | [`unsupported`], [`refused`] | what is refused, by name; what is checked before |

mod alter_table;
mod comment;
mod context;
mod create_index;
mod create_table;
mod dependency;
mod drop;
mod edit;
mod ids;
mod locks;
mod names;
mod options;
mod owner;
mod refused;
mod reindex;
mod rename;
mod restate;
mod role;
mod rows;
mod schema;
mod sequence;
mod stored;
#[cfg(test)]
mod tests;
mod truncate;
mod unsupported;
mod view;

pub use context::{DdlContext, NameSpace, claim_initial_name};
pub use create_table::create_table_as;
pub use edit::{CatalogEdit, EditMark, EditOutcome};
pub use ids::{Ids, next_layout, next_oid, next_oid_pair, next_storage};
pub use sequence::sequence_limits;
pub use stored::expression_definition;
pub use view::view_definition;

use helios_storage::{BranchId, Space, StorageId};
use helios_types::Result;

use crate::parse::protobuf::node::Node;

/// Where descriptors are stored.
pub const CATALOG: Space = Space { branch: BranchId(0), storage: StorageId(1) };
/// Where names are claimed.
pub const NAMES: Space = Space { branch: BranchId(0), storage: StorageId(2) };

/// Whether [`execute`] is for this statement: it runs it, or refuses it by its name.
pub fn is_ddl(node: &Node) -> bool {
    is_supported(node) || unsupported::statement_name(node).is_some()
}

fn is_supported(node: &Node) -> bool {
    matches!(
        node,
        Node::CreateStmt(_)
            | Node::DropStmt(_)
            | Node::IndexStmt(_)
            | Node::ReindexStmt(_)
            | Node::ViewStmt(_)
            | Node::CreateSchemaStmt(_)
            | Node::CreateRoleStmt(_)
            | Node::AlterRoleStmt(_)
            | Node::DropRoleStmt(_)
            | Node::CommentStmt(_)
            | Node::TruncateStmt(_)
            | Node::CreateSeqStmt(_)
            | Node::AlterSeqStmt(_)
            | Node::AlterTableStmt(_)
            | Node::RenameStmt(_)
            | Node::AlterObjectSchemaStmt(_)
            | Node::AlterOwnerStmt(_)
    )
}

/// Runs a statement that changes the catalog; its command tag.
///
/// What it writes is seen by the transaction's next command. After an error the transaction, or everything since its
/// last savepoint, must be rolled back.
///
/// # Errors
///
/// PostgreSQL's; 0A000 for what is not supported.
pub async fn execute(node: &Node, ctx: &mut DdlContext<'_>) -> Result<String> {
    ctx.refresh();
    let tag = match node {
        Node::CreateStmt(statement) => {
            create_table::create(statement, ctx).await?;
            "CREATE TABLE"
        }
        Node::IndexStmt(statement) => {
            create_index::create(statement, ctx).await?;
            "CREATE INDEX"
        }
        Node::ReindexStmt(statement) => {
            reindex::reindex(statement, ctx).await?;
            "REINDEX"
        }
        Node::ViewStmt(statement) => {
            view::create(statement, ctx).await?;
            "CREATE VIEW"
        }
        Node::CreateSchemaStmt(statement) => {
            schema::create(statement, ctx).await?;
            "CREATE SCHEMA"
        }
        Node::CreateRoleStmt(statement) => {
            role::create(statement, ctx).await?;
            "CREATE ROLE"
        }
        Node::AlterRoleStmt(statement) => {
            role::alter(statement, ctx).await?;
            "ALTER ROLE"
        }
        Node::DropRoleStmt(statement) => {
            role::drop_roles(statement, ctx).await?;
            "DROP ROLE"
        }
        Node::CommentStmt(statement) => {
            comment::comment(statement, ctx).await?;
            "COMMENT"
        }
        Node::DropStmt(statement) => return drop::drop_objects(statement, ctx).await,
        Node::TruncateStmt(statement) => {
            truncate::truncate(statement, ctx).await?;
            "TRUNCATE TABLE"
        }
        Node::CreateSeqStmt(statement) => {
            sequence::create(statement, ctx).await?;
            "CREATE SEQUENCE"
        }
        Node::AlterSeqStmt(statement) => {
            sequence::alter(statement, ctx).await?;
            "ALTER SEQUENCE"
        }
        Node::AlterTableStmt(statement) => return alter_table::alter(statement, ctx).await,
        Node::RenameStmt(statement) => return rename::rename(statement, ctx).await,
        Node::AlterObjectSchemaStmt(statement) => return owner::set_schema(statement, ctx).await,
        Node::AlterOwnerStmt(statement) => return owner::alter_owner(statement, ctx).await,
        other => return refused::refuse(other, ctx),
    };
    Ok(tag.to_owned())
}
