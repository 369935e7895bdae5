//! Type names: `numeric(10, 2)`, `text[]`, `pg_catalog.int4` as type OID and modifier (`parse_type.c`).

use helios_types::{Oid, PgError, Result, SqlState, TypeMod};

use super::{AnalyzeContext, Analyzer, ParamTypes, at, error, inner, name_list};
use crate::parse::protobuf::{self as pb, a_const::Val, node::Node};

/// The type and modifier that a type name means.
///
/// # Errors
///
/// 42704 `type "x" does not exist`, 3F000, 22023 for modifiers out of range; each at the name's place.
pub fn transform_type_name(name: &pb::TypeName, context: &AnalyzeContext<'_>) -> Result<(Oid, TypeMod)> {
    Analyzer::new(context, ParamTypes::none()).type_name(name)
}

/// The collation that a name means.
///
/// # Errors
///
/// 42704 `collation "x" for encoding "UTF8" does not exist`, at `location`.
pub fn transform_collation(name: &[pb::Node], location: i32, context: &AnalyzeContext<'_>) -> Result<Oid> {
    Analyzer::new(context, ParamTypes::none()).collation_by_name(name, location)
}

impl Analyzer<'_> {
    /// `typenameTypeIdAndMod`.
    pub(super) fn type_name(&self, name: &pb::TypeName) -> Result<(Oid, TypeMod)> {
        let location = at(name.location);
        if name.pct_type {
            return Err(PgError::unsupported("a type name with %TYPE").at(location));
        }
        if name.names.is_empty() {
            return Ok((Oid(name.type_oid), name.typemod));
        }
        let parts = name_list(&name.names)?;
        let (schema, base) = match parts.as_slice() {
            [base] => (None, *base),
            [schema, base] => (Some(*schema), *base),
            [catalog, schema, base] if *catalog == &*self.session.database => (Some(*schema), *base),
            [_, _, _] => {
                let message = format!("cross-database references are not implemented: {}", parts.join("."));
                return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", parts.join("."));
                return Err(error(SqlState::SYNTAX_ERROR, message));
            }
        };
        let missing =
            |shown: String| error(SqlState::UNDEFINED_OBJECT, format!("type \"{shown}\" does not exist")).at(location);
        let array_suffix = if name.array_bounds.is_empty() { "" } else { "[]" };
        let found = self.lookup().type_by_name(schema, base).map_err(|refusal| refusal.at(location))?;
        let found = found.ok_or_else(|| missing(format!("{}{array_suffix}", parts.join("."))))?;
        if !found.defined {
            let message = format!("type \"{}\" is only a shell", parts.join("."));
            return Err(error(SqlState::UNDEFINED_OBJECT, message).at(location));
        }
        let typmod = self.type_modifier(name, found.oid)?;
        let type_oid = if name.array_bounds.is_empty() {
            found.oid
        } else {
            self.array_type(found.oid).ok_or_else(|| missing(format!("{}[]", parts.join("."))))?
        };
        Ok((type_oid, typmod))
    }

    /// `typenameTypeMod`.
    fn type_modifier(&self, name: &pb::TypeName, type_oid: Oid) -> Result<TypeMod> {
        if name.typmods.is_empty() {
            return Ok(name.typemod);
        }
        let location = at(name.location);
        let element = self.element_type(type_oid).unwrap_or(type_oid);
        let row = self.lookup().type_by_oid(element);
        if row.is_none_or(|row| row.modifier_input.is_none()) {
            let message = format!("type modifier is not allowed for type \"{}\"", self.format_type(type_oid, -1));
            return Err(error(SqlState::SYNTAX_ERROR, message).at(location));
        }
        let mut numbers = Vec::with_capacity(name.typmods.len());
        for node in &name.typmods {
            numbers.push(match inner(node)? {
                Node::AConst(pb::AConst { val: Some(Val::Ival(integer)), .. }) => integer.ival,
                Node::AConst(pb::AConst { val: Some(Val::Fval(text)), .. }) => text.fval.parse().map_err(|_| {
                    let message = format!("invalid input syntax for type integer: \"{}\"", text.fval);
                    error(SqlState::INVALID_TEXT_REPRESENTATION, message).at(location)
                })?,
                Node::AConst(pb::AConst { val: Some(Val::Sval(text)), .. }) => {
                    let message = format!("invalid input syntax for type integer: \"{}\"", text.sval);
                    text.sval
                        .trim()
                        .parse()
                        .map_err(|_| error(SqlState::INVALID_TEXT_REPRESENTATION, message).at(location))?
                }
                _ => {
                    let message = "type modifiers must be simple constants or identifiers";
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(location));
                }
            });
        }
        // The second value is a warning about a precision cut to what there is; the modifier is what counts.
        helios_types::typmod_in(element, &numbers).map(|(typmod, _)| typmod).map_err(|refusal| refusal.at(location))
    }
}
