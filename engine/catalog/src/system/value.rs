//! Rust values as column values.

use std::sync::Arc;

use helios_types::{Array, Datum, Oid, oid};

/// A "char".
pub(super) struct Letter(pub(super) u8);

/// SQL NULL.
pub(super) struct Null;

/// What can stand in a row.
pub(crate) trait IntoDatum {
    fn into_datum(self) -> Datum;
}

macro_rules! into_datum {
    ($($of:ty: $value:ident => $datum:expr;)*) => {
        $(
            impl IntoDatum for $of {
                fn into_datum(self) -> Datum {
                    let $value = self;
                    $datum
                }
            }
        )*
    };
}

into_datum! {
    Datum: value => value;
    Null: _value => Datum::Null;
    bool: value => Datum::Bool(value);
    i16: value => Datum::I16(value);
    i32: value => Datum::I32(value);
    i64: value => Datum::I64(value);
    f32: value => Datum::F32(value);
    Oid: value => Datum::U32(value.0);
    &str: value => Datum::text(value);
    String: value => Datum::text(value);
    Letter: value => Datum::text(if value.0 == 0 { String::new() } else { char::from(value.0).to_string() });
}

impl<T: IntoDatum> IntoDatum for Option<T> {
    fn into_datum(self) -> Datum {
        self.map_or(Datum::Null, T::into_datum)
    }
}

/// A row of values.
macro_rules! row {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::system::value::IntoDatum::into_datum($value)),*]
    };
}
pub(super) use row;

/// An array with lower bound 1.
pub(crate) fn array(element: Oid, values: impl IntoIterator<Item = impl IntoDatum>) -> Datum {
    Datum::Array(Arc::new(Array::vector(element, values.into_iter().map(IntoDatum::into_datum).collect())))
}

/// An `oidvector` or `int2vector`: its lower bound is 0, and without elements it still has its one dimension.
fn vector(element: Oid, elements: Vec<Datum>) -> Datum {
    let length = i32::try_from(elements.len()).expect("a vector is short");
    Datum::Array(Arc::new(Array { element_type: element, dimensions: vec![(length, 0)], elements }))
}

/// An `oidvector`.
pub(super) fn oid_vector(oids: impl IntoIterator<Item = Oid>) -> Datum {
    vector(oid::OID, oids.into_iter().map(IntoDatum::into_datum).collect())
}

/// An `int2vector`.
pub(super) fn int2_vector(numbers: impl IntoIterator<Item = i16>) -> Datum {
    vector(oid::INT2, numbers.into_iter().map(IntoDatum::into_datum).collect())
}

/// A `text[]`.
pub(super) fn text_array<'t>(texts: impl IntoIterator<Item = &'t str>) -> Datum {
    array(oid::TEXT, texts)
}
