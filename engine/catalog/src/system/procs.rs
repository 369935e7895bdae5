//! `pg_proc`, `pg_aggregate`, `pg_language`.

use helios_types::{Datum, oid};

use super::Row;
use super::value::{Letter, Null, array, oid_vector, row, text_array};
use crate::facts;
use crate::model::POSTGRES_ROLE;

fn count(number: u16) -> i16 {
    i16::try_from(number).expect("a function has at most 100 parameters")
}

pub(super) fn pg_proc() -> Vec<Row> {
    facts::procs().all().map(proc_row).collect()
}

fn proc_row(p: &facts::Proc) -> Row {
    let letter = |letter: char| letter.to_string();
    let modes = |modes: &str| array(oid::CHAR, modes.bytes().map(Letter));
    row![
        p.oid,
        p.name,
        p.namespace,
        POSTGRES_ROLE,
        p.language,
        p.cost,
        p.rows,
        p.variadic,
        p.support,
        letter(p.kind.letter()),
        p.security_definer,
        p.leakproof,
        p.strict,
        p.returns_set,
        letter(p.volatility.letter()),
        Letter(p.parallel),
        count(p.arg_count),
        count(p.default_count),
        p.result,
        oid_vector(p.arg_types.iter().copied()),
        p.all_arg_types.as_ref().map(|types| array(oid::OID, types.iter().copied())),
        p.arg_modes.map(modes),
        p.arg_names.as_ref().map(|names| text_array(names.iter().copied())),
        (!p.defaults.is_empty()).then(|| p.defaults.join(", ")),
        Null,
        p.source,
        p.library,
        p.sql_body,
        Null,
        Datum::Null,
    ]
}

pub(super) fn pg_aggregate() -> Vec<Row> {
    let one = |a: &facts::Aggregate| {
        row![
            a.function,
            Letter(a.kind),
            count(a.direct_arg_count),
            a.transition,
            a.final_function,
            a.combine,
            a.serialize,
            a.deserialize,
            a.moving_transition,
            a.moving_inverse,
            a.moving_final,
            a.final_extra,
            a.moving_final_extra,
            Letter(a.final_modify),
            Letter(a.moving_final_modify),
            a.sort_operator,
            a.transition_type,
            a.transition_space,
            a.moving_transition_type,
            a.moving_transition_space,
            a.initial_value,
            a.moving_initial_value,
        ]
    };
    facts::aggregates().by_oids().map(one).collect()
}

pub(super) fn pg_language() -> Vec<Row> {
    let one = |l: &facts::Language| {
        row![l.oid, l.name, POSTGRES_ROLE, l.procedural, l.trusted, l.call_handler, l.inline, l.validator, Null]
    };
    facts::languages().by_oids().map(one).collect()
}
