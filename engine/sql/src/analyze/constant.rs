//! Literals, and the text of literals read by types' input functions.

use std::sync::Arc;

use helios_catalog::facts;
use helios_types::io::{InputContext, TypeSource};
use helios_types::{Datum, Oid, PgError, Result, SqlState, TypeMod, oid};

use super::{Analyzer, error, place};
use crate::expr::{Expr, ExprType};
use crate::parse::protobuf as pb;
use crate::parse::protobuf::a_const::Val;

/// `pg_type.oid` of regprocedure's kin that `oid` names; all print and read as names.
const REGISTERED: [Oid; 11] = [
    oid::REGPROC,
    oid::REGPROCEDURE,
    oid::REGOPER,
    oid::REGOPERATOR,
    oid::REGCLASS,
    oid::REGTYPE,
    oid::REGCONFIG,
    oid::REGDICTIONARY,
    oid::REGNAMESPACE,
    oid::REGROLE,
    oid::REGCOLLATION,
];

impl Analyzer<'_> {
    /// A literal (`make_const`): a string has no type yet.
    pub(super) fn constant(&mut self, constant: &pb::AConst) -> Result<Expr> {
        let location = place(constant.location);
        let (value, type_oid) = match &constant.val {
            _ if constant.isnull => (Datum::Null, oid::UNKNOWN),
            None => return Err(PgError::internal("a constant without a value")),
            Some(Val::Ival(integer)) => (Datum::I32(integer.ival), oid::INT4),
            Some(Val::Boolval(boolean)) => (Datum::Bool(boolean.boolval), oid::BOOL),
            Some(Val::Sval(string)) => (Datum::text(string.sval.as_str()), oid::UNKNOWN),
            Some(Val::Fval(float)) => match parse_integer(&float.fval) {
                Some(integer) => match i32::try_from(integer) {
                    Ok(small) => (Datum::I32(small), oid::INT4),
                    Err(_) => (Datum::I64(integer), oid::INT8),
                },
                None => (self.input(oid::NUMERIC, -1, &float.fval, super::at(constant.location))?, oid::NUMERIC),
            },
            Some(Val::Bsval(_)) => {
                return Err(PgError::unsupported("a bit string literal").at(super::at(constant.location)));
            }
        };
        let ty = ExprType { oid: type_oid, typmod: -1, collation: self.type_collation(type_oid) };
        Ok(Expr::constant(value, ty).at(location))
    }

    /// A literal's text as a value of a type; errors point at the literal.
    pub(super) fn input(&self, type_oid: Oid, typmod: TypeMod, text: &str, position: Option<usize>) -> Result<Datum> {
        if REGISTERED.contains(&type_oid) {
            return self.input_registered(type_oid, text).map_err(|error| error.at(position));
        }
        if let Some(row) = self.lookup().type_by_oid(type_oid)
            && row.kind == facts::TypeKind::Pseudo
            && !matches!(type_oid, oid::RECORD | oid::CSTRING | oid::VOID | oid::UNKNOWN)
        {
            let message = format!("cannot accept a value of type {}", row.name);
            return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(position));
        }
        let context = InputContext { style: &self.session.style, now: self.session.now(), types: self };
        helios_types::io::input(type_oid, typmod, text, &context).map_err(|error| error.at(position))
    }

    /// `'t'::regclass` and its kin: a name, a number, or `-` for none.
    fn input_registered(&self, type_oid: Oid, text: &str) -> Result<Datum> {
        if text == "-" {
            return Ok(Datum::U32(0));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse::<u32>() {
                Ok(number) => Ok(Datum::U32(number)),
                Err(_) => {
                    let message = format!("value \"{text}\" is out of range for type oid");
                    Err(error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
                }
            };
        }
        let found = match type_oid {
            oid::REGTYPE => self.input_regtype(text)?,
            oid::REGCLASS => {
                let names = split_name(text)?;
                let (schema, name) = schema_and_name(&names, &self.session.database)?;
                self.catalog.lookup_relation(self.search_path, schema, name)?.oid()
            }
            oid::REGNAMESPACE => self.catalog.lookup_schema(single_name(text)?.as_str())?,
            oid::REGROLE => {
                let name = single_name(text)?;
                self.catalog
                    .role_oid(&name)
                    .ok_or_else(|| error(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))?
            }
            oid::REGPROC => self.input_regproc(text)?,
            _ => {
                return Err(PgError::unsupported(format!(
                    "a name as a value of type {}",
                    self.format_type(type_oid, -1)
                )));
            }
        };
        Ok(Datum::U32(found.0))
    }

    fn input_regtype(&self, text: &str) -> Result<Oid> {
        // Positions inside the literal mean nothing to the statement.
        let name = crate::parse::parse_type_name(text).map_err(PgError::without_position)?;
        self.type_name(&name).map(|(type_oid, _)| type_oid).map_err(PgError::without_position)
    }

    fn input_regproc(&self, text: &str) -> Result<Oid> {
        let names = split_name(text)?;
        let (schema, name) = schema_and_name(&names, &self.session.database)?;
        let schema = schema.map(|schema| self.catalog.lookup_schema(schema)).transpose()?;
        let visible = |proc: &&facts::Proc| match schema {
            Some(schema) => proc.namespace == schema,
            None => self.search_path.contains(&proc.namespace),
        };
        let mut found = facts::procs().by_name(name).iter().filter(visible);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.oid),
            (Some(_), Some(_)) => {
                Err(error(SqlState::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\"")))
            }
            (None, _) => Err(error(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))),
        }
    }
}

impl TypeSource for Analyzer<'_> {
    fn array_element(&self, type_oid: Oid) -> Option<Oid> {
        self.element_type(type_oid)
    }

    fn composite(&self, type_oid: Oid) -> Option<Arc<[(Oid, TypeMod)]>> {
        let columns = self.row_type_columns(type_oid)?;
        Some(columns.into_iter().map(|(_, ty)| (ty.oid, ty.typmod)).collect())
    }
}

/// A number literal that is an integer of 64 bits: decimal, or `0x`, `0o`, `0b`, with `_` between digits.
fn parse_integer(text: &str) -> Option<i64> {
    let plain = text.replace('_', "");
    let radix = match plain.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => return plain.parse().ok(),
    };
    i64::from_str_radix(&plain[2..], radix).ok()
}

/// The parts of a qualified name in a string, folded as identifiers are.
fn split_name(text: &str) -> Result<Vec<String>> {
    let invalid = || PgError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next().ok_or_else(invalid)? {
                    (index, '"') if quoted[index + 1..].starts_with('"') => {
                        name.push('"');
                        characters.next();
                    }
                    (index, '"') => break index + 1,
                    (_, other) => name.push(other),
                }
            };
            rest = quoted[end..].trim_start();
            part = name;
        } else {
            let end = rest.find(|c: char| c == '.' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let name = &rest[..end];
            if name.is_empty() || name.contains('"') {
                return Err(invalid());
            }
            part = name.to_ascii_lowercase();
            rest = rest[end..].trim_start();
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

fn single_name(text: &str) -> Result<String> {
    match <[String; 1]>::try_from(split_name(text)?) {
        Ok([name]) => Ok(name),
        Err(_) => Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid name syntax")),
    }
}

fn schema_and_name<'n>(names: &'n [String], database: &str) -> Result<(Option<&'n str>, &'n str)> {
    match names {
        [name] => Ok((None, name)),
        [schema, name] => Ok((Some(schema), name)),
        [catalog, schema, name] if catalog == database => Ok((Some(schema), name)),
        [_, _, _] => {
            let message = format!("cross-database references are not implemented: \"{}\"", names.join("."));
            Err(error(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        _ => {
            let message = format!("improper relation name (too many dotted names): {}", names.join("."));
            Err(error(SqlState::SYNTAX_ERROR, message))
        }
    }
}
