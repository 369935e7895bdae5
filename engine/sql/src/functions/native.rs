//! Functions over plain values: one definition, two forms.
//!
//! Most of PostgreSQL's hot builtins are a few machine instructions: `int4pl`, `float8lt`, `timestamp_eq`. The macros
//! here take such a definition once and make both forms of an [`Implementation::Kernel`] of it: the scalar that unpacks
//! and packs [`Datum`]s, and the loop over typed slices that the compiler vectorises.
//!
//! ```text
//!   map!("int4eq",  |a: i32, b: i32| -> bool { a == b })              cannot fail
//!   wrap!("int4pl", |a: i32, b: i32| -> i32 { add(a, b) }, out_of_range)   value and "overflowed" flag
//!   fallible!("int4div", |a: i32, b: i32| -> i32 { ... Result ... })  looks at the rows that count, one by one
//! ```
//!
//! A kernel must not fail because of a row that is skipped (it is NULL, or some AND before it was false, and its value
//! is whatever happened to be there). `map!` cannot fail; `wrap!` computes all rows, and only when some row overflowed
//! looks whether one that counts did; `fallible!` leaves skipped rows out.

use helios_types::{Bitmap, Column, ColumnData, Datum, Interval, PgError, Result};

/// A physical class whose values are plain old data.
pub(super) trait Native: Copy + Default {
    /// Unpacks; the catalog facts promise that the class is right.
    fn of(datum: &Datum) -> Self;
    /// Packs.
    fn datum(self) -> Datum;
    /// The column's values.
    fn slice(column: &Column) -> &[Self];
    /// Makes the values a column's.
    fn data(values: Vec<Self>) -> ColumnData;
}

/// An argument's physical class is not the declared one: the caller broke the contract.
#[cold]
#[track_caller]
pub(super) fn mismatch(wanted: &str, got: &dyn std::fmt::Debug) -> ! {
    panic!("a function wanted {wanted} and was called with {got:?}")
}

macro_rules! natives {
    ($($type:ty = $variant:ident,)*) => {
        $(
            impl Native for $type {
                #[inline]
                fn of(datum: &Datum) -> $type {
                    match datum {
                        Datum::$variant(value) => *value,
                        other => mismatch(stringify!($variant), other),
                    }
                }
                #[inline]
                fn datum(self) -> Datum {
                    Datum::$variant(self)
                }
                #[inline]
                fn slice(column: &Column) -> &[$type] {
                    match &column.data {
                        ColumnData::$variant(values) => values,
                        other => mismatch(stringify!($variant), &other.physical()),
                    }
                }
                fn data(values: Vec<$type>) -> ColumnData {
                    ColumnData::$variant(values)
                }
            }
        )*
    };
}

natives! {
    bool = Bool, i16 = I16, i32 = I32, i64 = I64, u32 = U32, f32 = F32, f64 = F64, Interval = Interval, [u8; 16] = Uuid,
}

/// Applies a function that cannot fail to every row.
#[inline]
pub(super) fn map1<A: Native, R: Native>(args: &[&Column], rows: usize, f: impl Fn(A) -> R) -> Result<ColumnData> {
    Ok(R::data(A::slice(args[0])[..rows].iter().map(|a| f(*a)).collect()))
}

/// Applies a function that cannot fail to every row.
#[inline]
pub(super) fn map2<A: Native, B: Native, R: Native>(
    args: &[&Column],
    rows: usize,
    f: impl Fn(A, B) -> R,
) -> Result<ColumnData> {
    let (a, b) = (&A::slice(args[0])[..rows], &B::slice(args[1])[..rows]);
    Ok(R::data(a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()))
}

/// Whether a row is looked at.
#[inline]
pub(super) fn counts(skip: Option<&Bitmap>, row: usize) -> bool {
    !skip.is_some_and(|skip| skip.get(row))
}

/// Applies a function that says whether it overflowed.
#[inline]
pub(super) fn wrap1<A: Native, R: Native>(
    args: &[&Column],
    skip: Option<&Bitmap>,
    rows: usize,
    f: impl Fn(A) -> (R, bool),
    error: fn() -> PgError,
) -> Result<ColumnData> {
    let a = &A::slice(args[0])[..rows];
    let mut any = false;
    let values = a
        .iter()
        .map(|a| f(*a))
        .map(|(value, overflowed)| {
            any |= overflowed;
            value
        })
        .collect();
    if any && (0..rows).any(|row| counts(skip, row) && f(a[row]).1) {
        return Err(error());
    }
    Ok(R::data(values))
}

/// Applies a function that says whether it overflowed.
#[inline]
pub(super) fn wrap2<A: Native, B: Native, R: Native>(
    args: &[&Column],
    skip: Option<&Bitmap>,
    rows: usize,
    f: impl Fn(A, B) -> (R, bool),
    error: fn() -> PgError,
) -> Result<ColumnData> {
    let (a, b) = (&A::slice(args[0])[..rows], &B::slice(args[1])[..rows]);
    let mut any = false;
    let values = a
        .iter()
        .zip(b)
        .map(|(a, b)| f(*a, *b))
        .map(|(value, overflowed)| {
            any |= overflowed;
            value
        })
        .collect();
    if any && (0..rows).any(|row| counts(skip, row) && f(a[row], b[row]).1) {
        return Err(error());
    }
    Ok(R::data(values))
}

/// Applies a function that may fail to the rows that count.
#[inline]
pub(super) fn fallible1<A: Native, R: Native>(
    args: &[&Column],
    skip: Option<&Bitmap>,
    rows: usize,
    f: impl Fn(A) -> Result<R>,
) -> Result<ColumnData> {
    let a = &A::slice(args[0])[..rows];
    let one = |row: usize| if counts(skip, row) { f(a[row]) } else { Ok(R::default()) };
    Ok(R::data((0..rows).map(one).collect::<Result<Vec<R>>>()?))
}

/// Applies a function that may fail to the rows that count.
#[inline]
pub(super) fn fallible2<A: Native, B: Native, R: Native>(
    args: &[&Column],
    skip: Option<&Bitmap>,
    rows: usize,
    f: impl Fn(A, B) -> Result<R>,
) -> Result<ColumnData> {
    let (a, b) = (&A::slice(args[0])[..rows], &B::slice(args[1])[..rows]);
    let one = |row: usize| if counts(skip, row) { f(a[row], b[row]) } else { Ok(R::default()) };
    Ok(R::data((0..rows).map(one).collect::<Result<Vec<R>>>()?))
}

/// An entry whose function cannot fail.
macro_rules! map {
    ($name:expr, |$a:ident: $A:ty| -> $R:ty $body:block) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    Ok($crate::functions::native::Native::datum({
                        let value: $R = $body;
                        value
                    }))
                },
                |_, args, _, rows| $crate::functions::native::map1(args, rows, |$a: $A| -> $R { $body }),
            ),
        )
    };
    ($name:expr, |$a:ident: $A:ty, $b:ident: $B:ty| -> $R:ty $body:block) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    let $b = <$B as $crate::functions::native::Native>::of(&args[1]);
                    Ok($crate::functions::native::Native::datum({
                        let value: $R = $body;
                        value
                    }))
                },
                |_, args, _, rows| $crate::functions::native::map2(args, rows, |$a: $A, $b: $B| -> $R { $body }),
            ),
        )
    };
}

/// An entry whose function yields a value and whether it overflowed.
macro_rules! wrap {
    ($name:expr, |$a:ident: $A:ty| -> $R:ty $body:block, $error:expr) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    let (value, overflowed): ($R, bool) = $body;
                    if overflowed { Err($error()) } else { Ok($crate::functions::native::Native::datum(value)) }
                },
                |_, args, skip, rows| {
                    $crate::functions::native::wrap1(args, skip, rows, |$a: $A| -> ($R, bool) { $body }, $error)
                },
            ),
        )
    };
    ($name:expr, |$a:ident: $A:ty, $b:ident: $B:ty| -> $R:ty $body:block, $error:expr) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    let $b = <$B as $crate::functions::native::Native>::of(&args[1]);
                    let (value, overflowed): ($R, bool) = $body;
                    if overflowed { Err($error()) } else { Ok($crate::functions::native::Native::datum(value)) }
                },
                |_, args, skip, rows| {
                    $crate::functions::native::wrap2(args, skip, rows, |$a: $A, $b: $B| -> ($R, bool) { $body }, $error)
                },
            ),
        )
    };
}

/// An entry whose function may fail.
macro_rules! fallible {
    ($name:expr, |$a:ident: $A:ty| -> $R:ty $body:block) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    let one = || -> helios_types::Result<$R> { $body };
                    Ok($crate::functions::native::Native::datum(one()?))
                },
                |_, args, skip, rows| {
                    $crate::functions::native::fallible1(args, skip, rows, |$a: $A| -> helios_types::Result<$R> {
                        $body
                    })
                },
            ),
        )
    };
    ($name:expr, |$a:ident: $A:ty, $b:ident: $B:ty| -> $R:ty $body:block) => {
        (
            $name,
            $crate::functions::Implementation::Kernel(
                |_, args| {
                    let $a = <$A as $crate::functions::native::Native>::of(&args[0]);
                    let $b = <$B as $crate::functions::native::Native>::of(&args[1]);
                    let one = || -> helios_types::Result<$R> { $body };
                    Ok($crate::functions::native::Native::datum(one()?))
                },
                |_, args, skip, rows| {
                    $crate::functions::native::fallible2(
                        args,
                        skip,
                        rows,
                        |$a: $A, $b: $B| -> helios_types::Result<$R> { $body },
                    )
                },
            ),
        )
    };
}

/// The six comparisons of two values brought to one type: `PREFIXeq`, `PREFIXne`, ...
macro_rules! comparisons {
    ($prefix:expr, |$a:ident: $A:ty, $b:ident: $B:ty| $left:expr, $right:expr) => {
        &[
            map!(concat!($prefix, "eq"), |$a: $A, $b: $B| -> bool { $left == $right }),
            map!(concat!($prefix, "ne"), |$a: $A, $b: $B| -> bool { $left != $right }),
            map!(concat!($prefix, "lt"), |$a: $A, $b: $B| -> bool { $left < $right }),
            map!(concat!($prefix, "le"), |$a: $A, $b: $B| -> bool { $left <= $right }),
            map!(concat!($prefix, "gt"), |$a: $A, $b: $B| -> bool { $left > $right }),
            map!(concat!($prefix, "ge"), |$a: $A, $b: $B| -> bool { $left >= $right }),
        ]
    };
}

pub(super) use {comparisons, fallible, map, wrap};
