//! `$1`: parameters, whose types are given beforehand or found where they are used.

use std::ops::ControlFlow;

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::walk::{Descend, walk_query};
use super::{Analyzer, at, error, place, position};
use crate::expr::{Expr, ExprKind, ExprType};
use crate::parse::protobuf as pb;
use crate::query::Query;

/// Parameters that a statement may have: what the wire protocol can count.
const PARAMETERS_MAX: i32 = 65_535;

/// Types of a statement's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamTypes {
    types: Vec<Oid>,
    /// Whether more may come, and unknown ones are inferred.
    inferred: bool,
}

impl ParamTypes {
    /// No parameters: `$1` is an error.
    pub fn none() -> ParamTypes {
        ParamTypes::default()
    }

    /// Exactly these.
    pub fn fixed(types: Vec<Oid>) -> ParamTypes {
        ParamTypes { types, inferred: false }
    }

    /// As many as the statement uses. These are the types that the client said, `Oid::NONE` or unknown for those that
    /// it left to the statement.
    pub fn inferred(types: Vec<Oid>) -> ParamTypes {
        let known = |given: Oid| if given.is_none() { oid::UNKNOWN } else { given };
        ParamTypes { types: types.into_iter().map(known).collect(), inferred: true }
    }

    /// The types, in order. After a successful analysis none is unknown.
    pub fn types(&self) -> &[Oid] {
        &self.types
    }
}

impl Analyzer<'_> {
    pub(super) fn param_ref(&mut self, param: &pb::ParamRef) -> Result<Expr> {
        let missing = || {
            let message = format!("there is no parameter ${}", param.number);
            error(SqlState::UNDEFINED_PARAMETER, message).at(at(param.location))
        };
        if param.number <= 0 || param.number > PARAMETERS_MAX {
            return Err(missing());
        }
        let index = usize::try_from(param.number - 1).map_err(|_| missing())?;
        if self.params.inferred && index >= self.params.types.len() {
            self.params.types.resize(index + 1, oid::UNKNOWN);
        }
        let type_oid = *self.params.types.get(index).filter(|given| !given.is_none()).ok_or_else(missing)?;
        let ty = ExprType { oid: type_oid, typmod: -1, collation: self.type_collation(type_oid) };
        Ok(Expr { kind: ExprKind::Param(index), ty, location: place(param.location) })
    }

    /// Gives a parameter the type that its place wants (`variable_coerce_param_hook`).
    pub(super) fn coerce_param(
        &mut self,
        index: usize,
        param: &Expr,
        target: Oid,
        location: Option<u32>,
    ) -> Result<Expr> {
        let known = self.params.types[index];
        if known == oid::UNKNOWN {
            self.params.types[index] = target;
        } else if known != target {
            let message = format!("inconsistent types deduced for parameter ${}", index + 1);
            let detail = format!("{} versus {}", self.format_type(known, -1), self.format_type(target, -1));
            return Err(error(SqlState::AMBIGUOUS_PARAMETER, message).with_detail(detail).at(position(param.location)));
        }
        let location = match (location, param.location) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let ty = ExprType { oid: target, typmod: -1, collation: self.type_collation(target) };
        Ok(Expr { kind: ExprKind::Param(index), ty, location })
    }

    /// Every parameter must have got a type, the same in every place (`check_variable_parameters`).
    pub(super) fn check_parameters(&self, query: &Query) -> Result<()> {
        if !self.params.inferred || self.params.types.is_empty() {
            return Ok(());
        }
        let untyped = walk_query(query, 0, &mut |expr, _| match expr.kind {
            ExprKind::Param(index) if expr.ty.oid != self.params.types[index] => {
                ControlFlow::Break((index, expr.location))
            }
            _ => ControlFlow::Continue(Descend::Into),
        });
        if let ControlFlow::Break((index, location)) = untyped {
            let message = format!("could not determine data type of parameter ${}", index + 1);
            return Err(error(SqlState::AMBIGUOUS_PARAMETER, message).at(position(location)));
        }
        match self.params.types.iter().position(|&known| known == oid::UNKNOWN) {
            None => Ok(()),
            Some(index) => Err(PgError::new(
                SqlState::INDETERMINATE_DATATYPE,
                format!("could not determine data type of parameter ${}", index + 1),
            )),
        }
    }
}
