//! Binary forms, comparison, type names and casts.

use helios_types::io::{receive, send};
use helios_types::{Datum, Numeric, Oid, Result, cast, compare, format_type, oid, typmod_in, typmod_out};

fn int(datum: &Datum) -> i32 {
    match datum {
        Datum::I32(value) => *value,
        other => panic!("{other:?} is no integer"),
    }
}

fn numbers(datum: &Datum) -> Vec<i32> {
    match datum {
        Datum::Array(array) => array
            .elements
            .iter()
            .map(|element| match element {
                Datum::Text(text) => text.parse().expect("a number"),
                other => panic!("{other:?} is no number"),
            })
            .collect(),
        other => panic!("{other:?} is no array"),
    }
}

/// Calls a function; `None` if it is not one of these.
pub(super) fn call(name: &str, type_oid: Oid, arguments: &[Datum]) -> Option<Result<(Oid, Datum)>> {
    let typmod_type = |prefix: &str| match prefix {
        "numeric" => oid::NUMERIC,
        "varchar" => oid::VARCHAR,
        "bpchar" => oid::BPCHAR,
        "time" => oid::TIME,
        "timetz" => oid::TIMETZ,
        "timestamp" => oid::TIMESTAMP,
        "timestamptz" => oid::TIMESTAMPTZ,
        _ => oid::INTERVAL,
    };
    if name.ends_with("send") {
        let mut bytes = Vec::new();
        let sent = send(type_oid, &arguments[0], &mut bytes);
        // What is sent must be received as what it was.
        let back = receive(type_oid, &bytes).expect("readable");
        assert!(compare(type_oid, &back, &arguments[0]).is_eq(), "{back:?} {:?}", arguments[0]);
        return Some(sent.map(|()| (oid::BYTEA, Datum::Bytes(bytes.into()))));
    }
    if name.ends_with("cmp") {
        let order = compare(type_oid, &arguments[0], &arguments[1]);
        return Some(Ok((oid::INT4, Datum::I32(order as i32))));
    }
    if let Some(prefix) = name.strip_suffix("typmodin") {
        let typmod = typmod_in(typmod_type(prefix), &numbers(&arguments[0]));
        return Some(typmod.map(|(typmod, _)| (oid::INT4, Datum::I32(typmod))));
    }
    if let Some(prefix) = name.strip_suffix("typmodout") {
        let shown = typmod_out(typmod_type(prefix), int(&arguments[0]));
        return Some(Ok((oid::TEXT, Datum::text(shown))));
    }
    Some(match (name, &arguments[0]) {
        ("format_type", Datum::U32(of)) => Ok((oid::TEXT, Datum::text(format_type(Oid(*of), int(&arguments[1]))))),
        ("int2", Datum::I32(value)) => cast::i32_to_i16(*value).map(|value| (oid::INT2, Datum::I16(value))),
        ("int2", Datum::I64(value)) => cast::i64_to_i16(*value).map(|value| (oid::INT2, Datum::I16(value))),
        ("int2", Datum::F32(value)) => cast::f32_to_i16(*value).map(|value| (oid::INT2, Datum::I16(value))),
        ("int2", Datum::F64(value)) => cast::f64_to_i16(*value).map(|value| (oid::INT2, Datum::I16(value))),
        ("int4", Datum::I64(value)) => cast::i64_to_i32(*value).map(|value| (oid::INT4, Datum::I32(value))),
        ("int4", Datum::F32(value)) => cast::f32_to_i32(*value).map(|value| (oid::INT4, Datum::I32(value))),
        ("int4", Datum::F64(value)) => cast::f64_to_i32(*value).map(|value| (oid::INT4, Datum::I32(value))),
        ("int8", Datum::F32(value)) => cast::f32_to_i64(*value).map(|value| (oid::INT8, Datum::I64(value))),
        ("int8", Datum::F64(value)) => cast::f64_to_i64(*value).map(|value| (oid::INT8, Datum::I64(value))),
        ("oid", Datum::I64(value)) => cast::i64_to_oid(*value).map(|value| (oid::OID, Datum::U32(value))),
        ("float4", Datum::F64(value)) => cast::f64_to_f32(*value).map(|value| (oid::FLOAT4, Datum::F32(value))),
        ("avg" | "sum", _) => {
            let mut sum = helios_types::NumericSum::new();
            let Datum::Array(values) = &arguments[0] else { panic!("no array") };
            for value in &values.elements {
                if let Datum::Numeric(value) = value {
                    sum.add(value);
                }
            }
            let result: Result<Numeric> = if name == "avg" { sum.average() } else { Ok(sum.sum()) };
            result.map(|value| (oid::NUMERIC, Datum::Numeric(value)))
        }
        _ => return None,
    })
}
