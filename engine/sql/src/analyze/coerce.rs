//! Coercions: what stands in the tree where a value of one type becomes one of another (`parse_coerce.c`).
//!
//! Whether a coercion is possible, and by what, is the catalog's knowledge ([`Lookup`]). Here an unknown literal is
//! read by the target type's input function, a parameter without a type is given one, and everything else is wrapped.
//!
//! [`Lookup`]: helios_catalog::resolve::Lookup

use helios_catalog::resolve::Pathway;
use helios_types::{Datum, Oid, PgError, Result, SqlState, TypeMod, oid};

pub use helios_catalog::resolve::CoercionContext;

use super::location::{expr_location, expr_position};
use super::walk::find;
use super::{Analyzer, error, position};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType, FuncExpr};

impl Analyzer<'_> {
    /// The value as one of the type with this modifier; `None` when this context has no such coercion
    /// (`coerce_to_target_type`).
    pub(super) fn coerce_to_target_type(
        &mut self,
        expr: Expr,
        target: Oid,
        typmod: TypeMod,
        context: CoercionContext,
        form: CoercionForm,
        location: Option<u32>,
    ) -> Result<Option<Expr>> {
        if !self.can_coerce(expr.ty.oid, target, context) {
            return Ok(None);
        }
        // A COLLATE on top goes back on top of the coerced value, or away when that has no collation.
        let mut collate = None;
        let mut expr = expr;
        while let ExprKind::Collate(arg) = expr.kind {
            collate = collate.or(Some((expr.ty.collation, expr.location)));
            expr = *arg;
        }
        let unchanged = expr.ty.oid == target;
        let mut result = self.coerce_type(expr, target, typmod, context, form, location)?;
        let hide = !unchanged && !matches!(result.kind, ExprKind::Const(_));
        result = self.coerce_typmod(result, target, typmod, context, form, location, hide);
        if let Some((collation, place)) = collate
            && !self.type_collation(target).is_none()
        {
            let ty = ExprType { collation, ..result.ty };
            result = Expr { kind: ExprKind::Collate(Box::new(result)), ty, location: place };
        }
        Ok(Some(result))
    }

    /// The value as one of the type, which is known to be possible (`coerce_type`). `typmod` matters to interval's
    /// input alone: see [`Analyzer::coerce_typmod`].
    pub(super) fn coerce_type(
        &mut self,
        expr: Expr,
        target: Oid,
        typmod: TypeMod,
        context: CoercionContext,
        form: CoercionForm,
        location: Option<u32>,
    ) -> Result<Expr> {
        let source = expr.ty.oid;
        if (source == target || target == oid::ANY || self.is_polymorphic(target))
            && (source != oid::UNKNOWN || !self.is_container_pseudo_type(target))
        {
            return Ok(self.relabel_domain_for(expr, target, form));
        }
        if source == oid::UNKNOWN
            && let ExprKind::Const(value) = &expr.kind
        {
            let value = value.clone();
            return self.coerce_literal(&expr, &value, target, typmod, location);
        }
        if source == oid::UNKNOWN
            && let ExprKind::Param(index) = expr.kind
        {
            return self.coerce_param(index, &expr, target, location);
        }
        if let ExprKind::Collate(arg) = expr.kind {
            let coerced = self.coerce_type(*arg, target, typmod, context, form, location)?;
            if self.type_collation(target).is_none() {
                return Ok(coerced);
            }
            let ty = ExprType { collation: expr.ty.collation, ..coerced.ty };
            return Ok(Expr { kind: ExprKind::Collate(Box::new(coerced)), ty, location: expr.location });
        }
        if let Some(pathway) = self.lookup().coercion_pathway(source, target, context) {
            self.refuse_domain(target, location)?;
            return self.convert(expr, pathway, target, typmod, context, form, location);
        }
        if source == oid::RECORD && self.is_row_type(target) {
            return self.coerce_record(expr, target, context, form, location);
        }
        let row_as_record = (target == oid::RECORD && self.is_row_type(source)) || target == oid::RECORD_ARRAY;
        if row_as_record {
            return Ok(expr);
        }
        Err(PgError::internal(format!(
            "failed to find conversion function from {} to {}",
            self.format_type(source, -1),
            self.format_type(target, -1)
        )))
    }

    /// A domain over an array is its base type where any array is wanted.
    fn relabel_domain_for(&self, expr: Expr, target: Oid, form: CoercionForm) -> Expr {
        let base = self.base_type(expr.ty.oid);
        if base == expr.ty.oid || !self.is_container_pseudo_type(target) {
            return expr;
        }
        let location = expr.location;
        Expr { kind: ExprKind::Relabel(Box::new(expr), form), ty: ExprType::new(base), location }
    }

    /// An unknown literal, read as the target type reads text.
    fn coerce_literal(
        &mut self,
        literal: &Expr,
        value: &Datum,
        target: Oid,
        typmod: TypeMod,
        location: Option<u32>,
    ) -> Result<Expr> {
        self.refuse_domain(target, location.or(literal.location))?;
        let typmod = if target == oid::INTERVAL { typmod } else { -1 };
        let value = match value {
            Datum::Text(text) => self.input(target, typmod, text, position(literal.location))?,
            _ => Datum::Null,
        };
        let ty = ExprType { oid: target, typmod, collation: self.type_collation(target) };
        Ok(Expr::constant(value, ty).at(literal.location))
    }

    /// A conversion in the tree (`build_coercion_expression`).
    fn convert(
        &mut self,
        expr: Expr,
        pathway: Pathway,
        target: Oid,
        typmod: TypeMod,
        context: CoercionContext,
        form: CoercionForm,
        location: Option<u32>,
    ) -> Result<Expr> {
        let ty = ExprType::new(target);
        let kind = match pathway {
            Pathway::Relabel => ExprKind::Relabel(Box::new(expr), form),
            Pathway::ViaIo => ExprKind::CoerceViaIo(Box::new(expr), form),
            Pathway::Function(function) => {
                self.dependencies.insert(function);
                let mut args = vec![expr];
                let width = self.argument_count(function);
                if width >= 2 {
                    args.push(Expr::constant(Datum::I32(typmod), ExprType::new(oid::INT4)));
                }
                if width >= 3 {
                    let explicit = context == CoercionContext::Explicit;
                    args.push(Expr::constant(Datum::Bool(explicit), ExprType::new(oid::BOOL)));
                }
                ExprKind::Func(FuncExpr {
                    function,
                    operator: Oid::NONE,
                    args,
                    input_collation: Oid::NONE,
                    variadic: false,
                    form,
                })
            }
            Pathway::ArrayCoerce => {
                let hole = || PgError::internal("an array without elements' type");
                let from = self.element_type(self.base_type(expr.ty.oid)).ok_or_else(hole)?;
                let to = self.element_type(target).ok_or_else(hole)?;
                let typmod_in = expr.ty.typmod;
                let element_ty = ExprType { oid: from, typmod: typmod_in, collation: Oid::NONE };
                let element = Expr { kind: ExprKind::CaseTestExpr, ty: element_ty, location: None };
                let element = self
                    .coerce_to_target_type(element, to, typmod, context, form, location)?
                    .ok_or_else(|| PgError::internal("array elements that cannot be coerced"))?;
                let ty = ExprType { oid: target, typmod: element.ty.typmod, collation: Oid::NONE };
                let kind = ExprKind::ArrayCoerce { arg: Box::new(expr), element: Box::new(element) };
                return Ok(Expr { kind, ty, location });
            }
        };
        Ok(Expr { kind, ty, location })
    }

    /// Applies a modifier to a value that has the type already (`coerce_type_typmod`). `hide`: the coercion below was
    /// made for this one, and is not shown.
    #[allow(clippy::too_many_arguments)]
    fn coerce_typmod(
        &self,
        mut expr: Expr,
        target: Oid,
        typmod: TypeMod,
        context: CoercionContext,
        form: CoercionForm,
        location: Option<u32>,
        hide: bool,
    ) -> Expr {
        if typmod == expr.ty.typmod {
            return expr;
        }
        if hide {
            hide_coercion(&mut expr);
        }
        let ty = ExprType { oid: target, typmod, collation: expr.ty.collation };
        let explicit = context == CoercionContext::Explicit;
        let kind = if typmod >= 0 && self.has_length_coercion(target) {
            ExprKind::ApplyTypmod { arg: Box::new(expr), explicit }
        } else {
            ExprKind::Relabel(Box::new(expr), form)
        };
        Expr { kind, ty, location }
    }

    /// `ROW(...)::composite`, field by field (`coerce_record_to_complex`).
    fn coerce_record(
        &mut self,
        expr: Expr,
        target: Oid,
        context: CoercionContext,
        form: CoercionForm,
        location: Option<u32>,
    ) -> Result<Expr> {
        let refuse = |analyzer: &Self, detail: String| {
            let message = format!(
                "cannot cast type {} to {}",
                analyzer.format_type(oid::RECORD, -1),
                analyzer.format_type(target, -1)
            );
            error(SqlState::CANNOT_COERCE, message).with_detail(detail).at(position(location))
        };
        let place = expr_location(&expr);
        let ExprKind::Row(fields) = expr.kind else {
            return Err(PgError::unsupported("a cast of a record that is not written as a row").at(position(place)));
        };
        let columns = self.row_type_columns(target).ok_or_else(|| PgError::internal("a row type without columns"))?;
        if fields.len() < columns.len() {
            return Err(refuse(self, "Input has too few columns.".to_owned()));
        }
        if fields.len() > columns.len() {
            return Err(refuse(self, "Input has too many columns.".to_owned()));
        }
        let mut coerced = Vec::with_capacity(fields.len());
        for (index, (field, (_, ty))) in fields.into_iter().zip(columns).enumerate() {
            let source = field.ty.oid;
            let field =
                self.coerce_to_target_type(field, ty.oid, ty.typmod, context, CoercionForm::Implicit, location)?;
            coerced.push(field.ok_or_else(|| {
                let (from, to) = (self.format_type(source, -1), self.format_type(ty.oid, -1));
                refuse(self, format!("Cannot cast type {from} to {to} in column {}.", index + 1))
            })?);
        }
        let _ = form;
        Ok(Expr { kind: ExprKind::Row(coerced), ty: ExprType::new(target), location: place })
    }

    /// Domains constrain their values, which nothing here checks.
    fn refuse_domain(&self, target: Oid, location: Option<u32>) -> Result<()> {
        if self.base_type(target) == target {
            return Ok(());
        }
        let what = format!("a cast to domain {}", self.format_type(target, -1));
        Err(PgError::unsupported(what).at(position(location)))
    }

    /// A condition (`coerce_to_boolean`).
    pub(super) fn coerce_to_boolean(&mut self, expr: Expr, construct: &str) -> Result<Expr> {
        self.coerce_to_specific_type(expr, oid::BOOL, construct)
    }

    /// An argument of a construct that takes one type (`coerce_to_specific_type`).
    pub(super) fn coerce_to_specific_type(&mut self, expr: Expr, target: Oid, construct: &str) -> Result<Expr> {
        let (source, place) = (expr.ty.oid, expr_position(&expr));
        let expr = if source == target {
            expr
        } else {
            let assignment = (CoercionContext::Assignment, CoercionForm::Implicit);
            self.coerce_to_target_type(expr, target, -1, assignment.0, assignment.1, None)?.ok_or_else(|| {
                let message = format!(
                    "argument of {construct} must be type {}, not type {}",
                    self.format_type(target, -1),
                    self.format_type(source, -1)
                );
                error(SqlState::DATATYPE_MISMATCH, message).at(place)
            })?
        };
        if find(&expr, &|part| matches!(part.kind, ExprKind::SetReturning(_))).is_some() {
            let message = format!("argument of {construct} must not return a set");
            return Err(error(SqlState::DATATYPE_MISMATCH, message).at(place));
        }
        Ok(expr)
    }

    /// One of several values that share a type (`coerce_to_common_type`).
    pub(super) fn coerce_to_common_type(&mut self, expr: Expr, common: Oid, construct: &str) -> Result<Expr> {
        let source = expr.ty.oid;
        if source == common {
            return Ok(expr);
        }
        if !self.can_coerce(source, common, CoercionContext::Implicit) {
            let message = format!(
                "{construct} could not convert type {} to {}",
                self.format_type(source, -1),
                self.format_type(common, -1)
            );
            return Err(error(SqlState::CANNOT_COERCE, message).at(expr_position(&expr)));
        }
        self.coerce_type(expr, common, -1, CoercionContext::Implicit, CoercionForm::Implicit, None)
    }

    /// The type of several values (`select_common_type`); `construct` names them in the error.
    pub(super) fn select_common_type(&self, exprs: &[&Expr], construct: &str) -> Result<Oid> {
        let types: Vec<Oid> = exprs.iter().map(|expr| expr.ty.oid).collect();
        self.lookup()
            .select_common_type(&types, construct)
            .map_err(|(index, refusal)| refusal.at(exprs.get(index).and_then(|expr| expr_position(expr))))
    }

    /// The same without an error.
    pub(super) fn try_select_common_type(&self, exprs: &[&Expr]) -> Option<Oid> {
        let types: Vec<Oid> = exprs.iter().map(|expr| expr.ty.oid).collect();
        self.lookup().select_common_type(&types, "").ok()
    }

    /// Whether the values can all become the common type (`verify_common_type`).
    pub(super) fn verify_common_type(&self, common: Oid, exprs: &[&Expr]) -> bool {
        exprs.iter().all(|expr| self.can_coerce(expr.ty.oid, common, CoercionContext::Implicit))
    }

    /// Arguments as the function declares them (`make_fn_arguments`).
    pub(super) fn make_function_arguments(&mut self, args: Vec<Expr>, declared: &[Oid]) -> Result<Vec<Expr>> {
        let mut coerced = Vec::with_capacity(args.len());
        for (arg, &target) in args.into_iter().zip(declared) {
            coerced.push(if arg.ty.oid == target {
                arg
            } else {
                self.coerce_type(arg, target, -1, CoercionContext::Implicit, CoercionForm::Implicit, None)?
            });
        }
        Ok(coerced)
    }
}

/// Makes the coercion on top of an expression one that is not shown (`hide_coercion_node`).
fn hide_coercion(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Func(call) => call.form = CoercionForm::Implicit,
        ExprKind::Relabel(_, form) | ExprKind::CoerceViaIo(_, form) => *form = CoercionForm::Implicit,
        _ => {}
    }
}

/// The modifier that values of a common type share, else none (`select_common_typmod`).
pub(super) fn select_common_typmod(exprs: &[&Expr], common: Oid) -> TypeMod {
    let parts: Vec<(Oid, TypeMod)> = exprs.iter().map(|expr| (expr.ty.oid, expr.ty.typmod)).collect();
    helios_catalog::resolve::select_common_typmod(&parts, common)
}
