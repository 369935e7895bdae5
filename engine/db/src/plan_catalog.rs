//! What the planner asks about users' objects, answered from a catalog snapshot.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{Column, Index, Table};
use helios_sql::analyze::{ExpressionUse, analyze_expression_text};
use helios_sql::expr::Expr;
use helios_sql::plan::PlanCatalog;
use helios_sql::session::SessionContext;
use helios_storage::CommitTs;
use helios_types::{Oid, Result};

use crate::database::Database;
use crate::row_counts::RowCounts;

/// A snapshot that every statement of a transaction reads with, beside the newest catalog.
#[derive(Clone, Copy)]
pub(crate) struct Horizon<'a> {
    pub(crate) database: &'a Database,
    pub(crate) snapshot: CommitTs,
}

/// A catalog snapshot as the planner sees it.
pub(crate) struct SnapshotCatalog<'a> {
    pub(crate) catalog: &'a CatalogSnapshot,
    pub(crate) session: &'a SessionContext,
    pub(crate) row_counts: &'a RowCounts,
    /// What the statement's snapshot sees, when that is older than the statement.
    pub(crate) horizon: Option<Horizon<'a>>,
}

impl PlanCatalog for SnapshotCatalog<'_> {
    fn index(&self, oid: Oid) -> Option<Arc<Index>> {
        self.catalog.index(oid).cloned()
    }

    fn may_scan(&self, index: &Index) -> bool {
        index.primary || self.horizon.is_none_or(|horizon| horizon.database.index_is_in(index, horizon.snapshot))
    }

    fn table_expression(&self, table: &Arc<Table>, text: &str) -> Result<Expr> {
        // It was checked when it was made; as an index expression nothing is added to it.
        let usage = ExpressionUse::AlterColumn;
        Ok(analyze_expression_text(text, Some(table), usage, self.catalog, self.session)?.expr)
    }

    fn generation_expression(&self, table: &Arc<Table>, column: &Column, text: &str) -> Result<Expr> {
        let usage = ExpressionUse::Generated(column);
        Ok(analyze_expression_text(text, Some(table), usage, self.catalog, self.session)?.expr)
    }

    fn row_estimate(&self, table: &Table) -> Option<f64> {
        self.row_counts.estimate(table.oid)
    }
}
