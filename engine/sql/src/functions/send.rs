//! Values in their binary form, as the protocol has it: `int4send`, `textsend` and their kin.

use helios_types::{Datum, Result, io};

use super::{Entry, FunctionContext, Implementation};

fn send(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let mut bytes = Vec::new();
    io::send(ctx.arg_types[0], &args[0], &mut bytes)?;
    Ok(Datum::Bytes(bytes.into()))
}

macro_rules! sends {
    ($($name:literal)*) => { &[$(($name, Implementation::Scalar(send))),*] };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[sends! {
    "boolsend" "int2send" "int4send" "int8send" "float4send" "float8send" "numeric_send" "textsend" "varcharsend"
    "bpcharsend" "namesend" "charsend" "byteasend" "uuid_send" "oidsend" "date_send" "time_send" "timetz_send"
    "timestamp_send" "timestamptz_send" "interval_send" "array_send"
}];
