//! `pg_type`, and what says how types behave: casts, operators, operator classes, collations.

use helios_types::Oid;

use super::value::{Letter, Null, row};
use super::{Row, Source};
use crate::facts::{self, Type};
use crate::model::POSTGRES_ROLE;

pub(super) fn pg_type(source: &Source<'_>) -> Vec<Row> {
    let owner = |row: &Type| {
        let relation = if row.relation.is_none() {
            source.catalog.type_by_oid(row.element).map_or(Oid::NONE, |element| element.relation)
        } else {
            row.relation
        };
        let table = source.catalog.table(relation).map(|table| table.owner);
        table.or_else(|| source.catalog.view(relation).map(|view| view.owner)).unwrap_or(POSTGRES_ROLE)
    };
    let one = |t: &Type| {
        let kind = Letter(u8::try_from(t.kind.letter()).expect("an ASCII letter"));
        row![
            t.oid,
            t.name.as_ref(),
            t.namespace,
            owner(t),
            t.length,
            t.by_value,
            kind,
            Letter(t.category),
            t.preferred,
            t.defined,
            Letter(t.delimiter),
            t.relation,
            t.subscript,
            t.element,
            t.array,
            t.input,
            t.output,
            t.receive,
            t.send,
            t.modifier_input,
            t.modifier_output,
            t.analyze,
            Letter(t.alignment),
            Letter(t.storage),
            t.not_null,
            t.base,
            t.base_modifier,
            t.dimensions,
            t.collation,
            Null,
            t.default,
            Null,
        ]
    };
    facts::types().all().chain(source.catalog.user_types()).map(one).collect()
}

pub(super) fn pg_range() -> Vec<Row> {
    let one =
        |r: &facts::Range| row![r.range, r.subtype, r.multirange, r.collation, r.opclass, r.canonical, r.difference];
    facts::ranges().iter().map(one).collect()
}

pub(super) fn pg_collation() -> Vec<Row> {
    let one = |c: &facts::Collation| {
        row![
            c.oid,
            c.name,
            c.namespace,
            POSTGRES_ROLE,
            Letter(c.provider),
            c.deterministic,
            c.encoding,
            c.collate,
            c.ctype,
            c.locale,
            Null,
            // Versions are of the C library or ICU; the built-in provider says 1.
            (c.provider == b'b').then_some("1"),
        ]
    };
    facts::collations().by_oids().map(one).collect()
}

pub(super) fn pg_cast() -> Vec<Row> {
    let letter = |letter: char| letter.to_string();
    let one = |c: &facts::Cast| {
        row![c.oid, c.source, c.target, c.function, letter(c.context.letter()), letter(c.method.letter())]
    };
    facts::casts().all().iter().map(one).collect()
}

pub(super) fn pg_operator() -> Vec<Row> {
    let one = |o: &facts::Operator| {
        row![
            o.oid,
            o.name,
            o.namespace,
            POSTGRES_ROLE,
            Letter(if o.prefix { b'l' } else { b'b' }),
            o.can_merge,
            o.can_hash,
            o.left,
            o.right,
            o.result,
            o.commutator,
            o.negator,
            o.function,
            o.restriction,
            o.join,
        ]
    };
    facts::operators().all().map(one).collect()
}

pub(super) fn pg_am() -> Vec<Row> {
    let one = |a: &facts::AccessMethod| row![a.oid, a.name, a.handler, Letter(a.kind)];
    facts::access_methods().by_oids().map(one).collect()
}

pub(super) fn pg_opclass() -> Vec<Row> {
    let one = |c: &facts::OperatorClass| {
        row![c.oid, c.method, c.name, c.namespace, POSTGRES_ROLE, c.family, c.input, c.default, c.key]
    };
    facts::operator_classes().all().map(one).collect()
}

pub(super) fn pg_opfamily() -> Vec<Row> {
    let one = |f: &facts::OperatorFamily| row![f.oid, f.method, f.name, f.namespace, POSTGRES_ROLE];
    facts::operator_families().by_oids().map(one).collect()
}

pub(super) fn pg_amop() -> Vec<Row> {
    let one = |o: &facts::FamilyOperator| {
        row![o.oid, o.family, o.left, o.right, o.strategy, Letter(o.purpose), o.operator, o.method, o.sort_family]
    };
    facts::family_operators().all().iter().map(one).collect()
}

pub(super) fn pg_amproc() -> Vec<Row> {
    let one = |p: &facts::FamilyProc| row![p.oid, p.family, p.left, p.right, p.number, p.function];
    facts::family_procs().iter().map(one).collect()
}
