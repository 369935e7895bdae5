//! DELETE.

use helios_types::{PgError, Result};

use super::Analyzer;
use super::context::ExprContext;
use super::select::blank_query;
use crate::parse::protobuf as pb;
use crate::query::{Command, Query};

impl Analyzer<'_> {
    /// DELETE as a query of the current level (`transformDeleteStmt`).
    pub(super) fn delete_statement(&mut self, delete: &pb::DeleteStmt) -> Result<Query> {
        let mut query = blank_query(Command::Delete);
        self.with_clause(delete.with_clause.as_ref(), &mut query)?;
        let relation = delete.relation.as_ref().ok_or_else(|| PgError::internal("DELETE from nothing"))?;
        self.start_change(relation, "DELETE", &delete.using_clause, &mut query)?;
        if let Some(qual) = delete.where_clause.as_deref() {
            query.qual = Some(self.where_clause(qual, ExprContext::Where, "WHERE")?);
        }
        self.returning_clause(delete.returning_clause.as_ref(), &mut query)?;
        self.take_level(&mut query);
        self.assign_query_collations(&mut query)?;
        Ok(query)
    }
}
