//! What of an expression is known before any row is read (PostgreSQL's `eval_const_expressions`).
//!
//! A call of an immutable function whose arguments are constants is replaced by its value, from the inside out; so is
//! a strict function of NULL, whatever its other arguments are. AND, OR, CASE and COALESCE lose the parts that cannot
//! be reached, and those are not evaluated:
//!
//! ```text
//!   a = 1 + 1                             a = 2
//!   CASE WHEN 1 = 2 THEN 1 / 0 ELSE b END      b
//!   CASE WHEN b > 0 THEN 1 / 0 ELSE b END      fails, even if there is no row
//! ```
//!
//! What fails stays in the expression as it is. The first failure is kept beside the plan and is the statement's as soon
//! as it is to be run: not before, because PostgreSQL plans a prepared statement when it is executed. Parts of a
//! statement that PostgreSQL removes before it folds (columns of a subquery that nobody reads, what EXISTS selects) are
//! folded quietly.

use helios_catalog::facts::Volatility;
use helios_types::{Datum, PgError, oid};

use super::Planner;
use crate::analyze::{children, children_mut, volatility};
use crate::execute::expression::{EvalContext, compile};
use crate::expr::{BoolOp, Expr, ExprKind};
use crate::parse::on_grown_stack;
use crate::plan::catalog::proc;
use crate::session::SessionContext;

/// Folds an expression; the first failure, if any.
pub(super) fn fold(expr: &mut Expr, session: &SessionContext) -> Option<PgError> {
    let mut folder = Folder { session, cases: Vec::new(), failure: None };
    folder.fold(expr);
    folder.failure
}

impl Planner<'_> {
    /// Folds an expression and keeps its failure, unless what is planned may never be needed.
    pub(super) fn fold(&mut self, expr: &mut Expr) {
        let failure = fold(expr, self.session);
        if !self.quiet {
            self.failure = self.failure.take().or(failure);
        }
    }

    /// Plans a part of the statement whose failures to fold are of no consequence.
    pub(super) fn quietly<T>(&mut self, plan: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.quiet, true);
        let planned = plan(self);
        self.quiet = before;
        planned
    }
}

struct Folder<'a> {
    session: &'a SessionContext,
    /// The tested values of the enclosing CASEs, where they are constants.
    cases: Vec<Option<Expr>>,
    failure: Option<PgError>,
}

impl Folder<'_> {
    fn fold(&mut self, expr: &mut Expr) {
        on_grown_stack(|| self.fold_here(expr));
    }

    fn fold_here(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::CaseTestExpr => {
                if let Some(Some(value)) = self.cases.last() {
                    *expr = value.clone();
                }
            }
            ExprKind::Bool(op @ (BoolOp::And | BoolOp::Or), args) => {
                let (op, args) = (*op, std::mem::take(args));
                self.junction(expr, op, args);
            }
            ExprKind::Coalesce(args) => {
                let args = std::mem::take(args);
                self.coalesce(expr, args);
            }
            ExprKind::Case { .. } => self.case(expr),
            // The other part stands for each element.
            ExprKind::ArrayCoerce { arg, .. } => {
                self.fold(arg);
                self.evaluate(expr);
            }
            _ => {
                children_mut(expr, &mut |child| self.fold(child));
                self.evaluate(expr);
            }
        }
    }

    /// AND and OR: a part that decides makes the rest unreachable, one that decides nothing goes.
    fn junction(&mut self, expr: &mut Expr, op: BoolOp, args: Vec<Expr>) {
        let decisive = op == BoolOp::Or;
        let mut kept = Vec::with_capacity(args.len());
        let mut null = None;
        for mut arg in args {
            self.fold(&mut arg);
            match arg.as_const() {
                Some(Datum::Bool(value)) if *value == decisive => {
                    expr.kind = arg.kind;
                    return;
                }
                Some(Datum::Bool(_)) => {}
                Some(Datum::Null) => null = Some(arg),
                _ => kept.push(arg),
            }
        }
        kept.extend(null);
        match kept.len() {
            0 => expr.kind = ExprKind::Const(Datum::Bool(!decisive)),
            1 => *expr = kept.remove(0),
            _ => expr.kind = ExprKind::Bool(op, kept),
        }
    }

    fn coalesce(&mut self, expr: &mut Expr, args: Vec<Expr>) {
        let mut kept = Vec::with_capacity(args.len());
        for mut arg in args {
            self.fold(&mut arg);
            let value = arg.as_const().map(Datum::is_null);
            if value != Some(true) {
                kept.push(arg);
            }
            if value == Some(false) {
                break;
            }
        }
        match kept.len() {
            0 => expr.kind = ExprKind::Const(Datum::Null),
            1 if kept[0].as_const().is_some() => expr.kind = kept.remove(0).kind,
            _ => expr.kind = ExprKind::Coalesce(kept),
        }
    }

    fn case(&mut self, expr: &mut Expr) {
        let ExprKind::Case { arg, whens, default } = &mut expr.kind else { return };
        if let Some(arg) = arg {
            self.fold(arg);
            self.cases.push(arg.as_const().is_some().then(|| (**arg).clone()));
        }
        let mut kept = Vec::with_capacity(whens.len());
        let mut decided = false;
        for (mut condition, mut result) in std::mem::take(whens) {
            self.fold(&mut condition);
            match condition.as_const() {
                Some(Datum::Bool(true)) => {
                    self.fold(&mut result);
                    **default = result;
                    decided = true;
                    break;
                }
                Some(_) => {}
                None => {
                    self.fold(&mut result);
                    kept.push((condition, result));
                }
            }
        }
        if !decided {
            self.fold(default);
        }
        if arg.is_some() {
            self.cases.pop();
        }
        if kept.is_empty() {
            let ty = expr.ty;
            let ExprKind::Case { default, .. } = std::mem::replace(&mut expr.kind, ExprKind::CaseTestExpr) else {
                return;
            };
            *expr = *default;
            // A result may lack the modifier or the collation of the whole.
            if expr.as_const().is_some() {
                expr.ty = ty;
            }
        } else {
            *whens = kept;
        }
    }

    /// Replaces an expression whose parts are folded by its value, if that is known.
    fn evaluate(&mut self, expr: &mut Expr) {
        if !is_evaluated(expr) {
            return;
        }
        let (mut constant, mut null) = (true, false);
        children(expr, &mut |child| match child.as_const() {
            Some(value) => null |= value.is_null(),
            None => constant &= matches!(child.kind, ExprKind::CaseTestExpr) && is_element(expr, child),
        });
        if let ExprKind::Func(call) = &expr.kind
            && null
            && proc(call.function).is_ok_and(|proc| proc.strict && !proc.returns_set)
        {
            expr.kind = ExprKind::Const(Datum::Null);
            return;
        }
        if !constant || volatility(expr) != Volatility::Immutable {
            return;
        }
        // What is not supported is refused when it is executed.
        let Ok(program) = compile(expr, &[]) else { return };
        if program.suspending {
            return;
        }
        match program.eval_row(&[], &EvalContext::constant(self.session)) {
            Ok(value) => expr.kind = ExprKind::Const(value),
            Err(failure) => self.failure = self.failure.take().or(Some(failure)),
        }
    }
}

/// Whether a part is what an array's elements are turned into.
fn is_element(expr: &Expr, part: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::ArrayCoerce { element, .. } if std::ptr::eq(&raw const **element, part))
}

/// Whether an expression of this kind has a value as soon as its parts have. Rows stay as they are: planning takes them
/// apart.
fn is_evaluated(expr: &Expr) -> bool {
    expr.ty.oid != oid::RECORD
        && matches!(
            expr.kind,
            ExprKind::Func(_)
                | ExprKind::DistinctFrom { .. }
                | ExprKind::NullIf(_)
                | ExprKind::ScalarArrayOp { .. }
                | ExprKind::Bool(BoolOp::Not, _)
                | ExprKind::MinMax { .. }
                | ExprKind::NullTest { .. }
                | ExprKind::BooleanTest(..)
                | ExprKind::Relabel(..)
                | ExprKind::Collate(_)
                | ExprKind::CoerceViaIo(..)
                | ExprKind::ApplyTypmod { .. }
                | ExprKind::Array { .. }
                | ExprKind::Subscript { .. }
        )
}
