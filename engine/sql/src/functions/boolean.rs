//! bool: comparison, and its text form.

use helios_types::Datum;

use super::native::{comparisons, map};
use super::{Entry, Implementation, arguments::bool_at};

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    comparisons!("bool", |a: bool, b: bool| a, b),
    &[
        map!("btboolcmp", |a: bool, b: bool| -> i32 { i32::from(a) - i32::from(b) }),
        map!("booland_statefunc", |a: bool, b: bool| -> bool { a & b }),
        map!("boolor_statefunc", |a: bool, b: bool| -> bool { a | b }),
        (
            "booltext",
            Implementation::Scalar(|_, args| Ok(Datum::text(if bool_at(args, 0) { "true" } else { "false" }))),
        ),
    ],
];
