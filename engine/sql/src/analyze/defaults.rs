//! What DEFAULT stands for: a column's expression, the next value of its sequence, or NULL.

use helios_catalog::model::Column;
use helios_types::Result;

use super::Analyzer;
use super::assignment::column_type;
use super::stored::{ExpressionUse, analyze_stored_text};
use crate::expr::{Expr, ExprKind};

impl Analyzer<'_> {
    /// A column's default, coerced to its type; `None` when it is NULL (`build_column_default`).
    pub(super) fn column_default(&mut self, column: &Column) -> Result<Option<Expr>> {
        if let (Some(_), Some(sequence)) = (column.identity, column.sequence) {
            self.dependencies.insert(sequence);
            return Ok(Some(Expr { kind: ExprKind::NextValue(sequence), ty: column_type(column), location: None }));
        }
        let Some(text) = &column.default else { return Ok(None) };
        let (expr, dependencies) =
            analyze_stored_text(text, None, ExpressionUse::Default(column), self.catalog, self.session)?;
        self.dependencies.extend(dependencies);
        Ok(Some(expr))
    }

    /// A column's default or the NULL that stands for it.
    pub(super) fn default_or_null(&mut self, column: &Column) -> Result<Expr> {
        let default = self.column_default(column)?;
        Ok(default.unwrap_or_else(|| Expr::null(column_type(column))))
    }
}
