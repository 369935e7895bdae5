//! The functions that recorded cases may call, by the names that PostgreSQL gives them.

use helios_types::io::Style;
use helios_types::{Datum, Numeric, Oid, Result, oid};

fn numeric(datum: &Datum) -> &Numeric {
    match datum {
        Datum::Numeric(value) => value,
        other => panic!("{other:?} is no numeric"),
    }
}

fn int(datum: &Datum) -> i32 {
    match datum {
        Datum::I32(value) => *value,
        other => panic!("{other:?} is no integer"),
    }
}

/// Calls a function.
pub(crate) fn call(name: &str, types: &[&str], arguments: &[Datum], style: &Style) -> Result<(Oid, Datum)> {
    let _ = style;
    let of_numeric = |value: Numeric| Ok((oid::NUMERIC, Datum::Numeric(value)));
    let n = |index: usize| numeric(&arguments[index]);
    match name {
        "numeric_add" => of_numeric(n(0).add(n(1))?),
        "numeric_sub" => of_numeric(n(0).subtract(n(1))?),
        "numeric_mul" => of_numeric(n(0).multiply(n(1))?),
        "numeric_div" => of_numeric(n(0).divide(n(1))?),
        "numeric_mod" => of_numeric(n(0).modulo(n(1))?),
        "numeric_div_trunc" => of_numeric(n(0).divide_truncated(n(1))?),
        "round" if types.len() == 2 => of_numeric(n(0).round(int(&arguments[1]))?),
        "trunc" if types.len() == 2 => of_numeric(n(0).trunc(int(&arguments[1]))?),
        "ceil" => of_numeric(n(0).ceil()?),
        "floor" => of_numeric(n(0).floor()?),
        "trim_scale" => of_numeric(n(0).trim_scale()),
        "gcd" => of_numeric(n(0).gcd(n(1))?),
        "lcm" => of_numeric(n(0).lcm(n(1))?),
        other => panic!("function {other}({types:?}) in a recorded case"),
    }
}
