//! RETURNING.

use helios_types::{PgError, Result, SqlState};

use super::context::ExprContext;
use super::{Analyzer, at, inner};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::Query;

impl Analyzer<'_> {
    /// RETURNING (`transformReturningClause`).
    pub(super) fn returning_clause(&mut self, clause: Option<&pb::ReturningClause>, query: &mut Query) -> Result<()> {
        let Some(clause) = clause else { return Ok(()) };
        if let Some(option) = clause.options.first() {
            let place = match inner(option)? {
                Node::ReturningOption(option) => at(option.location),
                _ => None,
            };
            return Err(PgError::unsupported("RETURNING WITH (OLD, NEW)").at(place));
        }
        let mut list = self.target_list(&clause.exprs, ExprContext::Returning)?;
        if list.is_empty() {
            let message = "RETURNING must have at least one column";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.mark_origins(&mut list);
        self.resolve_unknowns(&mut list)?;
        query.returning = list;
        Ok(())
    }
}
