//! Collations: which one each expression has, and which one each function must use (`parse_collate.c`).
//!
//! A collation is *explicit* below a COLLATE, *implicit* when it comes from a column or a type. Parents take it from
//! their parts: an explicit one wins, two different explicit ones are an error, two different implicit ones leave the
//! result without a collation, which is an error only for a function that needs one, when it runs.

use helios_catalog::facts;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::location::expr_location;
use super::sub_link::plain_left;
use super::walk::{children_mut, own_expressions_mut};
use super::{Analyzer, error, position};
use crate::expr::{Aggregate, Expr, ExprKind};
use crate::parse::on_grown_stack;
use crate::query::{Distinct, Query};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    None,
    Implicit,
    Conflict,
    Explicit,
}

/// What is known of a collation on the way up.
#[derive(Clone, Copy)]
struct State {
    collation: Oid,
    strength: Strength,
    location: Option<u32>,
    /// Of a conflict: the other collation, and where it comes from.
    other: (Oid, Option<u32>),
}

impl State {
    const NONE: State =
        State { collation: Oid::NONE, strength: Strength::None, location: None, other: (Oid::NONE, None) };

    fn implicit(collation: Oid, location: Option<u32>) -> State {
        if collation.is_none() {
            return State::NONE;
        }
        State { collation, strength: Strength::Implicit, location, other: (Oid::NONE, None) }
    }

    /// Takes a sibling into account (`merge_collation_state`).
    fn merge(&mut self, sibling: State) -> Result<()> {
        if sibling.strength > self.strength {
            *self = sibling;
            return Ok(());
        }
        if sibling.strength < self.strength || sibling.collation == self.collation {
            return Ok(());
        }
        match self.strength {
            Strength::Implicit if self.collation == oid::DEFAULT_COLLATION => *self = sibling,
            Strength::Implicit if sibling.collation != oid::DEFAULT_COLLATION => {
                self.strength = Strength::Conflict;
                self.other = (sibling.collation, sibling.location);
            }
            Strength::Explicit => {
                let message = format!(
                    "collation mismatch between explicit collations \"{}\" and \"{}\"",
                    collation_name(self.collation),
                    collation_name(sibling.collation)
                );
                return Err(error(SqlState::COLLATION_MISMATCH, message).at(position(sibling.location)));
            }
            Strength::None | Strength::Implicit | Strength::Conflict => {}
        }
        Ok(())
    }

    /// The collation to write down: none when there is a conflict.
    fn settled(&self) -> Oid {
        if self.strength == Strength::Conflict { Oid::NONE } else { self.collation }
    }
}

/// A collation's name, for messages.
pub(super) fn collation_name(collation: Oid) -> &'static str {
    facts::collations().by_oid(collation).map_or("???", |row| row.name)
}

impl Analyzer<'_> {
    /// Collations of an expression by itself (`assign_expr_collations`).
    pub(super) fn assign_collations(&self, expr: &mut Expr) -> Result<()> {
        let mut alone = State::NONE;
        self.collate(expr, &mut alone)
    }

    /// Collations of all clauses of a query, and of its sort keys.
    pub(super) fn assign_query_collations(&self, query: &mut Query) -> Result<()> {
        let mut outcome = Ok(());
        own_expressions_mut(query, &mut |expr| {
            if outcome.is_ok() {
                outcome = self.assign_collations(expr);
            }
        });
        outcome?;
        let list = &query.target_list;
        let distinct = match &mut query.distinct {
            Some(Distinct::On(keys)) => keys.as_mut_slice(),
            _ => &mut [],
        };
        for key in query.order_by.iter_mut().chain(&mut query.group_by).chain(distinct) {
            key.collation = list[key.target].expr.ty.collation;
        }
        Ok(())
    }

    /// The collation of several values that become one column (`select_common_collation`).
    pub(super) fn select_common_collation(&self, exprs: &[&Expr], none_is_fine: bool) -> Result<Oid> {
        let mut state = State::NONE;
        for expr in exprs {
            self.collate(&mut (*expr).clone(), &mut state)?;
        }
        if state.strength == Strength::Conflict && !none_is_fine {
            let message = format!(
                "collation mismatch between implicit collations \"{}\" and \"{}\"",
                collation_name(state.collation),
                collation_name(state.other.0)
            );
            return Err(PgError::new(SqlState::COLLATION_MISMATCH, message)
                .with_hint("You can choose the collation by applying the COLLATE clause to one or both expressions.")
                .at(position(state.other.1)));
        }
        Ok(state.settled())
    }

    /// Settles the collations below an expression and its own, and merges that into what its parent knows.
    fn collate(&self, expr: &mut Expr, up: &mut State) -> Result<()> {
        on_grown_stack(|| {
            let state = self.collate_here(expr)?;
            up.merge(state)
        })
    }

    fn collate_each<'e>(&self, exprs: impl IntoIterator<Item = &'e mut Expr>, up: &mut State) -> Result<()> {
        exprs.into_iter().try_for_each(|expr| self.collate(expr, up))
    }

    fn collate_here(&self, expr: &mut Expr) -> Result<State> {
        let mut parts = State::NONE;
        match &mut expr.kind {
            ExprKind::Const(_)
            | ExprKind::Var(_)
            | ExprKind::Param(_)
            | ExprKind::ExecParam(_)
            | ExprKind::CaseTestExpr
            | ExprKind::SetToDefault
            | ExprKind::NextValue(_)
            | ExprKind::SqlValue(_)
            | ExprKind::Grouping(_) => return Ok(State::implicit(expr.ty.collation, expr.location)),
            ExprKind::Collate(arg) => {
                self.assign_collations(arg)?;
                let (collation, location) = (expr.ty.collation, expr.location);
                return Ok(State { collation, strength: Strength::Explicit, location, other: (Oid::NONE, None) });
            }
            ExprKind::Field(arg, _) => {
                self.assign_collations(arg)?;
                return Ok(State::implicit(expr.ty.collation, expr_location(expr)));
            }
            ExprKind::Row(fields) => {
                fields.iter_mut().try_for_each(|field| self.assign_collations(field))?;
                return Ok(State::NONE);
            }
            ExprKind::RowCompare { columns, .. } => {
                for column in columns {
                    let mut pair = State::NONE;
                    self.collate_each(&mut column.args, &mut pair)?;
                    column.input_collation = pair.settled();
                }
                return Ok(State::NONE);
            }
            ExprKind::SubLink(link) => {
                if let Some(test) = &mut link.test {
                    self.collate(test, &mut parts)?;
                    link.left = plain_left(test);
                }
                if let Some(first) = link.query.target_list.first().filter(|target| !target.junk) {
                    parts.merge(State::implicit(first.expr.ty.collation, expr_location(&first.expr)))?;
                }
            }
            ExprKind::Case { arg, whens, default } => {
                // Conditions are booleans; the tested value decides how they compare and nothing else.
                if let Some(arg) = arg {
                    self.assign_collations(arg)?;
                }
                for (condition, result) in whens {
                    self.assign_collations(condition)?;
                    self.collate(result, &mut parts)?;
                }
                self.collate(default, &mut parts)?;
            }
            ExprKind::Subscript { arg, indexes, .. } => {
                self.collate(arg, &mut parts)?;
                let bounds = indexes.iter_mut().flat_map(|(lower, upper)| lower.iter_mut().chain(upper));
                bounds.into_iter().try_for_each(|bound| self.assign_collations(bound))?;
            }
            ExprKind::SubscriptAssign { arg, indexes, value, .. } => {
                self.collate(arg, &mut parts)?;
                self.collate(value, &mut parts)?;
                let bounds = indexes.iter_mut().flat_map(|(lower, upper)| lower.iter_mut().chain(upper));
                bounds.into_iter().try_for_each(|bound| self.assign_collations(bound))?;
            }
            ExprKind::Aggregate(aggregate) => self.collate_aggregate(aggregate, &mut parts)?,
            ExprKind::Window(call) => {
                self.collate_each(&mut call.args, &mut parts)?;
                call.filter.iter_mut().try_for_each(|filter| self.assign_collations(filter))?;
            }
            _ => {
                let mut outcome = Ok(());
                children_mut(expr, &mut |child| {
                    if outcome.is_ok() {
                        outcome = self.collate(child, &mut parts);
                    }
                });
                outcome?;
            }
        }
        let own = self.type_collation(expr.ty.oid);
        let state = if own.is_none() {
            State::NONE
        } else if parts.strength > Strength::None {
            parts
        } else {
            State::implicit(own, expr_location(expr))
        };
        expr.ty.collation = state.settled();
        if let Some(input) = input_collation(&mut expr.kind) {
            *input = parts.settled();
        }
        Ok(state)
    }

    fn collate_aggregate(&self, aggregate: &mut Aggregate, parts: &mut State) -> Result<()> {
        let row = facts::aggregates().by_oid(aggregate.function);
        let ordered_set = row.is_some_and(|row| row.kind != b'n');
        if let Some(filter) = &mut aggregate.filter {
            self.assign_collations(filter)?;
        }
        if !ordered_set {
            self.collate_each(&mut aggregate.args, parts)?;
            return aggregate.order_by.iter_mut().try_for_each(|item| self.assign_collations(&mut item.expr));
        }
        self.collate_each(&mut aggregate.direct_args, parts)?;
        // With a single sort key the aggregate's collation is the key's.
        let variadic = facts::procs().by_oid(aggregate.function).is_some_and(|proc| !proc.variadic.is_none());
        let merge = aggregate.args.len() == 1 && !variadic;
        for arg in &mut aggregate.args {
            if merge {
                self.collate(arg, parts)?;
            } else {
                self.assign_collations(arg)?;
            }
        }
        aggregate.order_by.iter_mut().try_for_each(|item| self.assign_collations(&mut item.expr))
    }
}

/// Where a node keeps the collation that its function uses.
fn input_collation(kind: &mut ExprKind) -> Option<&mut Oid> {
    match kind {
        ExprKind::Func(call) | ExprKind::SetReturning(call) => Some(&mut call.input_collation),
        ExprKind::DistinctFrom { func, .. } | ExprKind::NullIf(func) | ExprKind::ScalarArrayOp { func, .. } => {
            Some(&mut func.input_collation)
        }
        ExprKind::Aggregate(aggregate) => Some(&mut aggregate.input_collation),
        ExprKind::Window(call) => Some(&mut call.input_collation),
        _ => None,
    }
}
