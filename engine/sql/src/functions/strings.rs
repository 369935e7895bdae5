//! Functions whose arguments or results are strings: one definition, two forms.
//!
//! The counterpart of [`super::native`] for functions over `&str` and `&[u8]`. A string result is appended to a buffer
//! that the whole batch shares, so a batch allocates nothing per row.
//!
//! ```text
//!   value!("textlen", |ctx, text: &str| -> i32 { Ok(...) })              a plain value comes out
//!   string!("upper", |ctx, text: &str, out| { ...; Ok(()) })              text is appended to `out`, a String
//!   binary!("byteacat", |ctx, a: &[u8], b: &[u8], out| { ...; Ok(()) })   bytea, to a Vec<u8>
//! ```
//!
//! All are for strict functions that never answer NULL.

use helios_types::{Column, ColumnData, Datum, Interval, Numeric};

use super::native::{Native, mismatch};

/// An argument as functions want it: borrowed from a Datum or from a row of a column.
pub(super) trait Argument<'a>: Sized {
    /// From a single value.
    fn of_datum(datum: &'a Datum) -> Self;
    /// From a row that is not NULL.
    fn of_row(column: &'a Column, row: usize) -> Self;
}

impl<'a> Argument<'a> for &'a str {
    #[inline]
    fn of_datum(datum: &'a Datum) -> &'a str {
        match datum {
            Datum::Text(text) => text,
            other => mismatch("Text", other),
        }
    }
    #[inline]
    fn of_row(column: &'a Column, row: usize) -> &'a str {
        match &column.data {
            ColumnData::Text(values) => values.get_str(row),
            other => mismatch("Text", &other.physical()),
        }
    }
}

impl<'a> Argument<'a> for &'a [u8] {
    #[inline]
    fn of_datum(datum: &'a Datum) -> &'a [u8] {
        match datum {
            Datum::Text(text) => text.as_bytes(),
            Datum::Bytes(bytes) => bytes,
            other => mismatch("Text or Bytes", other),
        }
    }
    #[inline]
    fn of_row(column: &'a Column, row: usize) -> &'a [u8] {
        match &column.data {
            ColumnData::Text(values) | ColumnData::Bytes(values) => values.get(row),
            other => mismatch("Text or Bytes", &other.physical()),
        }
    }
}

impl<'a> Argument<'a> for &'a Numeric {
    #[inline]
    fn of_datum(datum: &'a Datum) -> &'a Numeric {
        match datum {
            Datum::Numeric(value) => value,
            other => mismatch("Numeric", other),
        }
    }
    #[inline]
    fn of_row(column: &'a Column, row: usize) -> &'a Numeric {
        match &column.data {
            ColumnData::Numeric(values) => &values[row],
            other => mismatch("Numeric", &other.physical()),
        }
    }
}

macro_rules! native_arguments {
    ($($type:ty),*) => {
        $(
            impl<'a> Argument<'a> for $type {
                #[inline]
                fn of_datum(datum: &'a Datum) -> $type {
                    <$type as Native>::of(datum)
                }
                #[inline]
                fn of_row(column: &'a Column, row: usize) -> $type {
                    <$type as Native>::slice(column)[row]
                }
            }
        )*
    };
}

native_arguments!(bool, i16, i32, i64, u32, f32, f64, Interval, [u8; 16]);

/// A result that is collected into a column.
pub(super) trait Collect: Sized {
    /// What stands at skipped rows.
    fn nothing() -> Self;
    /// As a single value.
    fn into_datum(self) -> Datum;
    /// As a column.
    fn into_data(values: Vec<Self>) -> ColumnData;
}

impl<T: Native> Collect for T {
    fn nothing() -> T {
        T::default()
    }
    fn into_datum(self) -> Datum {
        self.datum()
    }
    fn into_data(values: Vec<T>) -> ColumnData {
        T::data(values)
    }
}

impl Collect for Numeric {
    fn nothing() -> Numeric {
        Numeric::ZERO
    }
    fn into_datum(self) -> Datum {
        Datum::Numeric(self)
    }
    fn into_data(values: Vec<Numeric>) -> ColumnData {
        ColumnData::Numeric(values)
    }
}

/// An entry that yields a plain value or a numeric.
macro_rules! value {
    ($name:expr, |$ctx:tt $(, $a:ident: $A:ty)+| -> $R:ty $body:block) => {
        ($name, $crate::functions::Implementation::Kernel(
            |$ctx, args| {
                let mut position = 0;
                $(
                    let $a = <$A as $crate::functions::strings::Argument<'_>>::of_datum(&args[position]);
                    position += 1;
                )+
                let _ = position;
                let one = || -> helios_types::Result<$R> { $body };
                one().map($crate::functions::strings::Collect::into_datum)
            },
            |$ctx, args, skip, rows| {
                let mut values = Vec::with_capacity(rows);
                for row in 0..rows {
                    if skip.is_some_and(|skip| skip.get(row)) {
                        values.push(<$R as $crate::functions::strings::Collect>::nothing());
                        continue;
                    }
                    let mut position = 0;
                    $(
                        let $a = <$A as $crate::functions::strings::Argument<'_>>::of_row(args[position], row);
                        position += 1;
                    )+
                    let _ = position;
                    let one = || -> helios_types::Result<$R> { $body };
                    values.push(one()?);
                }
                Ok(<$R as $crate::functions::strings::Collect>::into_data(values))
            },
        ))
    };
}

/// An entry that appends text or bytes to a buffer.
macro_rules! appending {
    ($Buffer:ty, $bytes:ident, $data:ident, $datum:expr,
     $name:expr, |$ctx:tt $(, $a:ident: $A:ty)+ ; $out:ident| $body:block) => {
        ($name, $crate::functions::Implementation::Kernel(
            |$ctx, args| {
                let mut position = 0;
                $(
                    let $a = <$A as $crate::functions::strings::Argument<'_>>::of_datum(&args[position]);
                    position += 1;
                )+
                let _ = position;
                let mut buffer = <$Buffer>::new();
                {
                    let $out = &mut buffer;
                    let one = || -> helios_types::Result<()> { $body };
                    let mut one = one;
                    one()?;
                }
                Ok($datum(buffer))
            },
            |$ctx, args, skip, rows| {
                let mut column = helios_types::ByteColumn::with_capacity(rows);
                let mut buffer = <$Buffer>::new();
                for row in 0..rows {
                    buffer.clear();
                    if !skip.is_some_and(|skip| skip.get(row)) {
                        let mut position = 0;
                        $(
                            let $a = <$A as $crate::functions::strings::Argument<'_>>::of_row(args[position], row);
                            position += 1;
                        )+
                        let _ = position;
                        let $out = &mut buffer;
                        let one = || -> helios_types::Result<()> { $body };
                        let mut one = one;
                        one()?;
                    }
                    $crate::functions::strings::check_room(&column, buffer.len())?;
                    column.push(buffer.$bytes());
                }
                Ok(helios_types::ColumnData::$data(column))
            },
        ))
    };
}

/// An entry that yields text.
macro_rules! string {
    ($name:expr, |$ctx:tt $(, $a:ident: $A:ty)+ ; $out:ident| $body:block) => {
        $crate::functions::strings::appending!(
            String, as_bytes, Text, helios_types::Datum::text, $name, |$ctx $(, $a: $A)+ ; $out| $body
        )
    };
}

/// An entry that yields bytea.
macro_rules! binary {
    ($name:expr, |$ctx:tt $(, $a:ident: $A:ty)+ ; $out:ident| $body:block) => {
        $crate::functions::strings::appending!(
            Vec::<u8>, as_slice, Bytes, |bytes: Vec<u8>| helios_types::Datum::Bytes(bytes.into()),
            $name, |$ctx $(, $a: $A)+ ; $out| $body
        )
    };
}

/// Whether a batch's strings have room for so many more bytes: their offsets have 32 bits.
#[inline]
pub(super) fn check_room(column: &helios_types::ByteColumn, more: usize) -> helios_types::Result<()> {
    if column.bytes.len() + more > u32::MAX as usize {
        return Err(helios_types::PgError::new(
            helios_types::SqlState::PROGRAM_LIMIT_EXCEEDED,
            "the strings of a batch of rows exceed 4 GB",
        ));
    }
    Ok(())
}

pub(super) use {appending, binary, string, value};
