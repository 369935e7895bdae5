//! Unpacking arguments by position. The catalog facts promise their physical classes, so a mismatch is a bug and panics.

use std::sync::Arc;

use helios_types::{Array, Datum, Interval, Numeric};

use super::native::{Native, mismatch};

macro_rules! native_arguments {
    ($($name:ident -> $type:ty,)*) => {
        $(
            #[doc = concat!("The argument at this position, of class `", stringify!($type), "`.")]
            #[inline]
            #[allow(dead_code)]
            pub(super) fn $name(args: &[Datum], position: usize) -> $type {
                <$type as Native>::of(&args[position])
            }
        )*
    };
}

native_arguments! {
    bool_at -> bool, i16_at -> i16, i32_at -> i32, i64_at -> i64, u32_at -> u32, f32_at -> f32, f64_at -> f64,
    interval_at -> Interval, uuid_at -> [u8; 16],
}

/// The text argument at this position.
#[inline]
pub(super) fn text_at(args: &[Datum], position: usize) -> &Arc<str> {
    text_of(&args[position])
}

/// A text value.
#[inline]
pub(super) fn text_of(datum: &Datum) -> &Arc<str> {
    match datum {
        Datum::Text(text) => text,
        other => mismatch("Text", other),
    }
}

/// The bytea argument at this position.
#[inline]
pub(super) fn bytes_at(args: &[Datum], position: usize) -> &Arc<[u8]> {
    match &args[position] {
        Datum::Bytes(bytes) => bytes,
        other => mismatch("Bytes", other),
    }
}

/// The numeric argument at this position.
#[inline]
pub(super) fn numeric_at(args: &[Datum], position: usize) -> &Numeric {
    match &args[position] {
        Datum::Numeric(numeric) => numeric,
        other => mismatch("Numeric", other),
    }
}

/// The array argument at this position.
#[inline]
pub(super) fn array_at(args: &[Datum], position: usize) -> &Arc<Array> {
    match &args[position] {
        Datum::Array(array) => array,
        other => mismatch("Array", other),
    }
}
