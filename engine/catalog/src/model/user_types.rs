//! The types that come with users' relations: a row type, and the array of it.
//!
//! They are not stored: a relation's descriptor says all about them. The row type has the relation's name and the OID
//! `row_type`; the array's OID is one more, and its name has an underscore in front (and a number
//! behind, when that one is taken).

use std::borrow::Cow;

use helios_types::Oid;

use crate::facts::{ARRAY_SUBSCRIPT_HANDLER, Type, TypeKind};

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// The row type of a relation.
pub(super) fn row_type(oid: Oid, relation: Oid, namespace: Oid, name: &str) -> Type {
    let (record_in, record_out, record_recv, record_send) = (Oid(2290), Oid(2291), Oid(2402), Oid(2403));
    Type {
        kind: TypeKind::Composite,
        category: b'C',
        relation,
        array: array_of(oid),
        input: record_in,
        output: record_out,
        receive: record_recv,
        send: record_send,
        ..blank(oid, namespace, name.to_owned())
    }
}

/// The array type of a row type. `taken` tells whether a name is in use in the schema.
pub(super) fn array_type(row: &Type, taken: impl Fn(&str) -> bool) -> Type {
    let (array_in, array_out, array_recv, array_send, array_typanalyze) =
        (Oid(750), Oid(751), Oid(2400), Oid(2401), Oid(3816));
    let suffixes = std::iter::once(String::new()).chain((1..).map(|nth| format!("_{nth}")));
    let candidate = |suffix: String| {
        let room = NAME_BYTES_MAX - 1 - suffix.len();
        let cut = (0..=room.min(row.name.len())).rev().find(|&at| row.name.is_char_boundary(at));
        format!("_{}{suffix}", &row.name[..cut.expect("0 is a character boundary")])
    };
    let name = suffixes.map(candidate).find(|name| !taken(name)).expect("numbers do not run out");
    Type {
        category: b'A',
        subscript: ARRAY_SUBSCRIPT_HANDLER,
        element: row.oid,
        input: array_in,
        output: array_out,
        receive: array_recv,
        send: array_send,
        analyze: array_typanalyze,
        ..blank(array_of(row.oid), row.namespace, name)
    }
}

/// The OID of the array type that belongs to a row type.
pub(super) fn array_of(row_type: Oid) -> Oid {
    Oid(row_type.0 + 1)
}

fn blank(oid: Oid, namespace: Oid, name: String) -> Type {
    Type {
        oid,
        name: Cow::Owned(name),
        namespace,
        length: -1,
        by_value: false,
        kind: TypeKind::Base,
        category: b'U',
        preferred: false,
        defined: true,
        delimiter: b',',
        relation: Oid::NONE,
        subscript: Oid::NONE,
        element: Oid::NONE,
        array: Oid::NONE,
        input: Oid::NONE,
        output: Oid::NONE,
        receive: Oid::NONE,
        send: Oid::NONE,
        modifier_input: Oid::NONE,
        modifier_output: Oid::NONE,
        analyze: Oid::NONE,
        alignment: b'd',
        storage: b'x',
        not_null: false,
        base: Oid::NONE,
        base_modifier: -1,
        dimensions: 0,
        collation: Oid::NONE,
        default: None,
    }
}
