//! `information_schema.columns`.

use helios_types::{Oid, TypeMod, oid};

use super::definition::visible_expression;
use super::information_schema::{Named, yes_or_no};
use super::value::{Null, row};
use super::{Row, Source};
use crate::facts::{self, Collation, PG_CATALOG, Type, TypeKind};
use crate::model::{Column, Identity};

/// Longest string, in bytes, that PostgreSQL says a string without a limit may have.
const OCTETS_MAX: i32 = 1 << 30;
/// Most bytes that a character takes in UTF-8.
const OCTETS_PER_CHARACTER: i32 = 4;

/// A column, built in or a user's.
struct Described<'a> {
    name: &'a str,
    number: i16,
    type_oid: Oid,
    modifier: TypeMod,
    collation: Oid,
    not_null: bool,
    updatable: bool,
    /// The user's descriptor.
    own: Option<&'a Column>,
}

pub(super) fn columns(source: &Source<'_>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(2_200);
    for named in source.tables_and_views() {
        let users = source.catalog.table(named.oid).map(|table| &table.columns);
        let users = users.or_else(|| source.catalog.view(named.oid).map(|view| &view.columns));
        if let Some(columns) = users {
            for column in columns.iter().filter(|column| !column.dropped) {
                let described = Described {
                    name: &column.name,
                    number: column.attnum,
                    type_oid: column.type_oid,
                    modifier: column.typmod,
                    collation: column.collation,
                    not_null: column.not_null,
                    updatable: !named.is_view,
                    own: Some(column),
                };
                rows.extend(column_row(source, &named, &described));
            }
            continue;
        }
        for column in facts::attributes().of(named.oid) {
            let described = Described {
                name: column.name,
                number: column.number,
                type_oid: column.type_oid,
                modifier: column.modifier,
                collation: column.collation,
                not_null: column.not_null,
                updatable: column.updatable,
                own: None,
            };
            rows.extend(column_row(source, &named, &described));
        }
    }
    rows
}

fn column_row(source: &Source<'_>, named: &Named<'_>, column: &Described<'_>) -> Option<Row> {
    let database = source.context.database();
    let lookup = source.lookup();
    let declared = source.catalog.type_by_oid(column.type_oid)?;
    let is_domain = declared.kind == TypeKind::Domain;
    // The type that lengths and precisions are of.
    let base = if is_domain { source.catalog.type_by_oid(declared.base)? } else { declared };
    let modifier = if is_domain { declared.base_modifier } else { column.modifier };
    let data_type = if !base.element.is_none() && base.length == -1 {
        "ARRAY".to_owned()
    } else if base.namespace == PG_CATALOG {
        lookup.format_type(base.oid)
    } else {
        "USER-DEFINED".to_owned()
    };
    let collation = facts::collations().by_oid(column.collation).filter(|collation| collation.name != "default");
    let collation_schema = collation.map(|collation: &Collation| source.schema_name(collation.namespace));
    let domain = is_domain.then_some(declared);
    let generated = column.own.and_then(|own| own.generated.as_deref());
    let default = column.own.filter(|own| own.identity.is_none()).and_then(|own| own.default.as_deref());
    let identity = column.own.and_then(|own| own.identity);
    let sequence = column.own.filter(|_| identity.is_some()).and_then(|own| source.catalog.sequence(own.sequence?));
    let limit = |value: fn(&crate::model::Sequence) -> i64| sequence.map(|sequence| value(sequence).to_string());
    Some(row![
        database,
        named.schema,
        named.name,
        column.name,
        i32::from(column.number),
        default.filter(|_| generated.is_none()).map(|text| visible_expression(&source.lookup(), text)),
        yes_or_no(!(column.not_null || domain.is_some_and(|domain| domain.not_null))),
        data_type,
        character_length(base.oid, modifier),
        octet_length(base.oid, modifier),
        numeric_precision(base.oid, modifier),
        numeric_radix(base.oid),
        numeric_scale(base.oid, modifier),
        datetime_precision(base.oid, modifier),
        interval_type(&lookup.format_type_with(base.oid, modifier), base),
        Null,
        Null,
        Null,
        Null,
        collation.map(|_| database),
        collation_schema,
        collation.map(|collation| collation.name),
        domain.map(|_| database),
        domain.map(|domain| source.schema_name(domain.namespace)),
        domain.map(|domain| domain.name.as_ref()),
        database,
        source.schema_name(base.namespace),
        base.name.as_ref(),
        Null,
        Null,
        Null,
        Null,
        column.number.to_string(),
        "NO",
        yes_or_no(identity.is_some()),
        identity.map(|identity| match identity {
            Identity::Always => "ALWAYS",
            Identity::ByDefault => "BY DEFAULT",
        }),
        limit(|sequence| sequence.start),
        limit(|sequence| sequence.increment),
        limit(|sequence| sequence.max),
        limit(|sequence| sequence.min),
        yes_or_no(sequence.is_some_and(|sequence| sequence.cycle)),
        if generated.is_some() { "ALWAYS" } else { "NEVER" },
        generated,
        yes_or_no(column.updatable),
    ])
}

fn character_length(type_oid: Oid, modifier: TypeMod) -> Option<i32> {
    match type_oid {
        _ if modifier == -1 => None,
        oid::BPCHAR | oid::VARCHAR => Some(modifier - 4),
        oid::BIT | oid::VARBIT => Some(modifier),
        _ => None,
    }
}

fn octet_length(type_oid: Oid, modifier: TypeMod) -> Option<i32> {
    match type_oid {
        oid::TEXT | oid::BPCHAR | oid::VARCHAR if modifier == -1 => Some(OCTETS_MAX),
        oid::BPCHAR | oid::VARCHAR => Some((modifier - 4) * OCTETS_PER_CHARACTER),
        _ => None,
    }
}

/// `_pg_numeric_precision`.
pub(super) fn numeric_precision(type_oid: Oid, modifier: TypeMod) -> Option<i32> {
    match type_oid {
        oid::INT2 => Some(16),
        oid::INT4 => Some(32),
        oid::INT8 => Some(64),
        oid::NUMERIC if modifier != -1 => Some((modifier - 4) >> 16 & 0xffff),
        oid::FLOAT4 => Some(24),
        oid::FLOAT8 => Some(53),
        _ => None,
    }
}

fn numeric_radix(type_oid: Oid) -> Option<i32> {
    match type_oid {
        oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 => Some(2),
        oid::NUMERIC => Some(10),
        _ => None,
    }
}

fn numeric_scale(type_oid: Oid, modifier: TypeMod) -> Option<i32> {
    match type_oid {
        oid::INT2 | oid::INT4 | oid::INT8 => Some(0),
        oid::NUMERIC if modifier != -1 => Some((modifier - 4) & 0xffff),
        _ => None,
    }
}

fn datetime_precision(type_oid: Oid, modifier: TypeMod) -> Option<i32> {
    match type_oid {
        oid::DATE => Some(0),
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => Some(if modifier < 0 { 6 } else { modifier }),
        oid::INTERVAL if modifier < 0 || modifier & 0xffff == 0xffff => Some(6),
        oid::INTERVAL => Some(modifier & 0xffff),
        _ => None,
    }
}

/// The fields of `interval year to month`, in capitals.
fn interval_type(formatted: &str, base: &Type) -> Option<String> {
    if base.oid != oid::INTERVAL {
        return None;
    }
    let fields = formatted.strip_prefix("interval ")?;
    Some(fields.to_ascii_uppercase())
}
