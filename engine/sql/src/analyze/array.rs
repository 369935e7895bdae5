//! `ARRAY[...]` and subscripts.

use helios_types::{Datum, Oid, PgError, Result, SqlState, oid};

use super::coerce::{CoercionContext, select_common_typmod};
use super::location::expr_position;
use super::{Analyzer, at, error, inner, place};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};

/// Dimensions that an array may have (`MAXDIM`).
const DIMENSIONS_MAX: usize = 6;

/// Lower bound (slices only) and upper bound, or index, of each dimension.
pub(super) type Indexes = Vec<(Option<Expr>, Option<Expr>)>;

impl Analyzer<'_> {
    /// `ARRAY[...]`, with the array type, element type and modifier of an enclosing cast if there is one.
    pub(super) fn array_expr(&mut self, array: &pb::AArrayExpr, target: Option<(Oid, Oid, i32)>) -> Result<Expr> {
        crate::parse::on_grown_stack(|| self.array_expr_here(array, target))
    }

    fn array_expr_here(&mut self, array: &pb::AArrayExpr, target: Option<(Oid, Oid, i32)>) -> Result<Expr> {
        let mut multidimensional = false;
        let mut elements = Vec::with_capacity(array.elements.len());
        for node in &array.elements {
            let element = match inner(node)? {
                Node::AArrayExpr(nested) => {
                    multidimensional = true;
                    self.array_expr(nested, target)?
                }
                _ => self.expr(node)?,
            };
            let vector = matches!(element.ty.oid, oid::INT2VECTOR | oid::OIDVECTOR);
            if !vector && self.element_type(self.base_type(element.ty.oid)).is_some() {
                multidimensional = true;
            }
            elements.push(element);
        }
        let (array_type, elements, common) = match target {
            Some((array_type, element_type, typmod)) => {
                let to = if multidimensional { array_type } else { element_type };
                let elements = elements.into_iter().map(|element| self.cast_element(element, to, typmod));
                (array_type, elements.collect::<Result<Vec<Expr>>>()?, to)
            }
            None => {
                if elements.is_empty() {
                    return Err(PgError::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                        .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                        .at(at(array.location)));
                }
                let common = self.select_common_type(&elements.iter().collect::<Vec<_>>(), "ARRAY")?;
                let array_type = if multidimensional {
                    if self.element_type(common).is_none() {
                        let message =
                            format!("could not find element type for data type {}", self.format_type(common, -1));
                        return Err(error(SqlState::UNDEFINED_OBJECT, message).at(at(array.location)));
                    }
                    common
                } else {
                    self.array_type(common).ok_or_else(|| {
                        let message =
                            format!("could not find array type for data type {}", self.format_type(common, -1));
                        error(SqlState::UNDEFINED_OBJECT, message).at(at(array.location))
                    })?
                };
                let elements = elements.into_iter().map(|e| self.coerce_to_common_type(e, common, "ARRAY"));
                (array_type, elements.collect::<Result<Vec<Expr>>>()?, common)
            }
        };
        let typmod = select_common_typmod(&elements.iter().collect::<Vec<_>>(), common);
        Ok(Expr {
            kind: ExprKind::Array { elements, multidimensional },
            ty: ExprType { oid: array_type, typmod, collation: Oid::NONE },
            location: place(array.location),
        })
    }

    fn cast_element(&mut self, element: Expr, target: Oid, typmod: i32) -> Result<Expr> {
        let (source, position) = (element.ty.oid, expr_position(&element));
        let explicit = (CoercionContext::Explicit, CoercionForm::Explicit);
        self.coerce_to_target_type(element, target, typmod, explicit.0, explicit.1, None)?.ok_or_else(|| {
            let message =
                format!("cannot cast type {} to {}", self.format_type(source, -1), self.format_type(target, -1));
            error(SqlState::CANNOT_COERCE, message).at(position)
        })
    }

    /// `value[i]`, `value[i:j]` and more of them; without subscripts the value itself.
    pub(super) fn subscript(&mut self, value: Expr, subscripts: &[&pb::AIndices]) -> Result<Expr> {
        if subscripts.is_empty() {
            return Ok(value);
        }
        let position = expr_position(&value);
        let (container, element) = self.container_types(value.ty.oid, position)?;
        let (indexes, slice) = self.subscript_indexes(subscripts)?;
        let ty = if slice { container } else { element };
        let location = value.location;
        let ty = ExprType { oid: ty, typmod: value.ty.typmod, collation: Oid::NONE };
        Ok(Expr { kind: ExprKind::Subscript { arg: Box::new(value), indexes, slice }, ty, location })
    }

    /// The array type behind a type that takes subscripts, and its elements' type.
    pub(super) fn container_types(&self, type_oid: Oid, position: Option<usize>) -> Result<(Oid, Oid)> {
        let container = match self.base_type(type_oid) {
            oid::INT2VECTOR => oid::INT2_ARRAY,
            oid::OIDVECTOR => oid::OID_ARRAY,
            other => other,
        };
        match self.element_type(container) {
            Some(element) => Ok((container, element)),
            None if container == oid::JSONB => Err(PgError::unsupported("subscripting of type jsonb").at(position)),
            None => {
                let message = format!(
                    "cannot subscript type {} because it does not support subscripting",
                    self.format_type(container, -1)
                );
                Err(error(SqlState::DATATYPE_MISMATCH, message).at(position))
            }
        }
    }

    /// The bounds, coerced to integer, and whether any is a slice (then all are).
    pub(super) fn subscript_indexes(&mut self, subscripts: &[&pb::AIndices]) -> Result<(Indexes, bool)> {
        let slice = subscripts.iter().any(|indices| indices.is_slice);
        if subscripts.len() > DIMENSIONS_MAX {
            let message = format!(
                "number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})",
                subscripts.len()
            );
            return Err(error(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let mut indexes = Vec::with_capacity(subscripts.len());
        for indices in subscripts {
            let lower = match indices.lidx.as_deref() {
                Some(lower) => Some(self.subscript_bound(lower)?),
                // `[5]` among slices is `[1:5]`.
                None if slice && !indices.is_slice => Some(Expr::constant(Datum::I32(1), ExprType::new(oid::INT4))),
                None => None,
            };
            let upper = indices.uidx.as_deref().map(|upper| self.subscript_bound(upper)).transpose()?;
            indexes.push((lower, upper));
        }
        Ok((indexes, slice))
    }

    fn subscript_bound(&mut self, node: &pb::Node) -> Result<Expr> {
        let bound = self.expr(node)?;
        let position = expr_position(&bound);
        let assignment = (CoercionContext::Assignment, CoercionForm::Implicit);
        self.coerce_to_target_type(bound, oid::INT4, -1, assignment.0, assignment.1, None)?.ok_or_else(|| {
            PgError::new(SqlState::DATATYPE_MISMATCH, "array subscript must have type integer").at(position)
        })
    }
}
