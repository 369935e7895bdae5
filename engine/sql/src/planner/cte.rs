//! WITH.
//!
//! A query that is read once and has no side effects is planned where it is read, as PostgreSQL does; others are run
//! once and kept. A recursive one is its first term, then its second over its own last rows until there are none.

use std::rc::Rc;

use helios_types::{PgError, Result, SqlState};

use super::Planner;
use super::cost::is_volatile;
use super::scope::{CteBinding, Scope};
use crate::plan::{Cost, Cte, NodeKind};
use crate::query::{Command, CommonTableExpr, Query, RteKind, SetOp, SetOperation};

impl Planner<'_> {
    /// Plans or binds the WITH queries of a query.
    pub(super) fn plan_ctes(&mut self, query: &Query, scope: &Rc<Scope>) -> Result<()> {
        for cte in &query.ctes {
            let binding = self.bind_cte(cte, scope)?;
            scope.ctes.borrow_mut().push(binding);
        }
        Ok(())
    }

    fn bind_cte(&mut self, cte: &CommonTableExpr, scope: &Rc<Scope>) -> Result<CteBinding> {
        let writes = cte.query.command != Command::Select;
        if cte.recursive {
            return self.recursive_cte(cte, scope);
        }
        let volatile =
            cte.query.target_list.iter().any(|target| is_volatile(&target.expr)) || !cte.query.row_marks.is_empty();
        let inline = match cte.materialized {
            Some(materialized) => !materialized,
            None => cte.references <= 1,
        };
        if inline && !writes && !volatile {
            return Ok(CteBinding::Inline(cte.query.clone()));
        }
        if writes {
            self.writes = true;
        }
        let root = self.query(&cte.query, Some(scope))?;
        self.ctes.push(Cte { name: cte.name.clone(), root, writes });
        Ok(CteBinding::Shared(self.ctes.len() - 1))
    }

    fn recursive_cte(&mut self, cte: &CommonTableExpr, scope: &Rc<Scope>) -> Result<CteBinding> {
        let query = &cte.query;
        let (all, base, recursive) = match &query.set_operation {
            Some(SetOperation::Node { op: SetOp::Union, all, left, right, .. }) => {
                match (left.as_ref(), right.as_ref()) {
                    (SetOperation::Leaf(left), SetOperation::Leaf(right)) => (*all, *left, *right),
                    _ => return Err(PgError::unsupported("a recursive query whose terms are set operations")),
                }
            }
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_RECURSION,
                    format!(
                        "recursive query \"{}\" does not have the form non-recursive-term UNION [ALL] recursive-term",
                        cte.name
                    ),
                ));
            }
        };
        if !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() {
            return Err(PgError::unsupported("ORDER BY, LIMIT or OFFSET in a recursive query"));
        }
        let inner = self.open_scope(query, Some(scope))?;
        let term = |at: usize| match &query.range_table[at].kind {
            RteKind::Subquery(term) => Ok(term.clone()),
            _ => Err(PgError::internal("a term of a recursive query is no subquery")),
        };
        let (table, signal) = (self.work_tables, self.new_param());
        self.work_tables += 1;
        let base = self.query(&*term(base)?, Some(&inner))?;
        scope.ctes.borrow_mut().push(CteBinding::WorkTable { table, signal });
        let recursive = self.query(&*term(recursive)?, Some(&inner));
        scope.ctes.borrow_mut().pop();
        let recursive = recursive?;
        let cost = Cost {
            startup: base.cost.startup,
            total: base.cost.total + 10.0 * recursive.cost.total,
            rows: base.cost.rows + 10.0 * recursive.cost.rows,
            width: base.cost.width,
        };
        let output = base.output.clone();
        let kind = NodeKind::RecursiveUnion { table, signal, base, recursive, distinct: !all };
        let root = self.node(kind, output, cost);
        self.ctes.push(Cte { name: cte.name.clone(), root, writes: false });
        Ok(CteBinding::Shared(self.ctes.len() - 1))
    }
}
