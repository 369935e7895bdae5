//! The functions that recorded cases may call, by the names that PostgreSQL gives them.

mod datetime;
mod forms;

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

fn long(datum: &Datum) -> i64 {
    match datum {
        Datum::I64(value) => *value,
        other => panic!("{other:?} is no bigint"),
    }
}

/// Calls a function.
pub(crate) fn call(name: &str, types: &[&str], arguments: &[Datum], style: &Style) -> Result<(Oid, Datum)> {
    if let Some(result) = datetime::call(name, types, arguments, style) {
        return result;
    }
    if let Some(result) = forms::call(name, crate::type_by_name(types[0]).0, arguments) {
        return result;
    }
    let of_numeric = |value: Numeric| Ok((oid::NUMERIC, Datum::Numeric(value)));
    let n = |index: usize| numeric(&arguments[index]);
    match name {
        "numeric_add" => of_numeric(n(0).add(n(1))?),
        "numeric_sub" => of_numeric(n(0).subtract(n(1))?),
        "numeric_mul" => of_numeric(n(0).multiply(n(1))?),
        "numeric_div" => of_numeric(n(0).divide(n(1))?),
        "numeric_mod" => of_numeric(n(0).modulo(n(1))?),
        "div" => of_numeric(n(0).divide_truncated(n(1))?),
        "round" if types.len() == 2 => of_numeric(n(0).round(int(&arguments[1]))?),
        "trunc" if types.len() == 2 => of_numeric(n(0).trunc(int(&arguments[1]))?),
        "ceil" => of_numeric(n(0).ceil()?),
        "floor" => of_numeric(n(0).floor()?),
        "trim_scale" => of_numeric(n(0).trim_scale()),
        "sign" => of_numeric(n(0).sign()),
        "abs" => of_numeric(n(0).abs()),
        "numeric_uminus" => of_numeric(n(0).negate()),
        "min_scale" => Ok((oid::INT4, n(0).min_scale().map_or(Datum::Null, |scale| Datum::I32(i32::from(scale))))),
        "scale" => Ok((oid::INT4, if n(0).is_finite() { Datum::I32(i32::from(n(0).scale())) } else { Datum::Null })),
        "factorial" => of_numeric(Numeric::factorial(long(&arguments[0]))?),
        "sqrt" => of_numeric(n(0).sqrt()?),
        "exp" => of_numeric(n(0).exp()?),
        "ln" => of_numeric(n(0).ln()?),
        "log" if types.len() == 1 => of_numeric(n(0).log10()?),
        "log" => of_numeric(n(0).log_of(n(1))?),
        "power" => of_numeric(n(0).power(n(1))?),
        "width_bucket" => Ok((oid::INT4, Datum::I32(n(0).width_bucket(n(1), n(2), int(&arguments[3]))?))),
        "int2" => Ok((oid::INT2, Datum::I16(n(0).to_i16()?))),
        "int4" => Ok((oid::INT4, Datum::I32(n(0).to_i32()?))),
        "int8" => Ok((oid::INT8, Datum::I64(n(0).to_i64()?))),
        "float4" => Ok((oid::FLOAT4, Datum::F32(n(0).to_f32()?))),
        "float8" => Ok((oid::FLOAT8, Datum::F64(n(0).to_f64()?))),
        "numeric" => of_numeric(match &arguments[0] {
            Datum::F64(value) => Numeric::from_f64(*value),
            Datum::F32(value) => Numeric::from_f32(*value),
            Datum::I16(value) => Numeric::from(*value),
            Datum::I32(value) => Numeric::from(*value),
            other => Numeric::from(long(other)),
        }),
        "gcd" => of_numeric(n(0).gcd(n(1))?),
        "lcm" => of_numeric(n(0).lcm(n(1))?),
        other => panic!("function {other}({types:?}) in a recorded case"),
    }
}
