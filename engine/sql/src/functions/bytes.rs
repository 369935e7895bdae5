//! Comparison of strings and byte strings: text, varchar, bpchar, name, "char" and bytea.
//!
//! The default collation orders by bytes (code points, in UTF-8), as `C.UTF-8` of PostgreSQL's builtin provider does,
//! so one comparison serves them all. bpchar ignores trailing blanks.

use std::cmp::Ordering;

use helios_types::{ByteColumn, Column, ColumnData, Datum, io};

use super::native::mismatch;
use super::{Entry, Implementation};

/// The contents of a string or byte string.
#[inline]
fn bytes(datum: &Datum) -> &[u8] {
    match datum {
        Datum::Text(text) => text.as_bytes(),
        Datum::Bytes(bytes) => bytes,
        other => mismatch("Text or Bytes", other),
    }
}

/// The values of a column of strings or byte strings.
#[inline]
pub(super) fn byte_column(column: &Column) -> &ByteColumn {
    match &column.data {
        ColumnData::Text(values) | ColumnData::Bytes(values) => values,
        other => mismatch("Text or Bytes", &other.physical()),
    }
}

/// A bpchar without its padding.
#[inline]
pub(super) fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &bytes[..end]
}

#[inline]
fn plain(bytes: &[u8]) -> &[u8] {
    bytes
}

/// What PostgreSQL's comparison functions answer: the first differing bytes' difference, else which is longer.
#[inline]
pub(super) fn compare(a: &[u8], b: &[u8]) -> i32 {
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((a, b)) => i32::from(*a) - i32::from(*b),
        None => a.len().cmp(&b.len()) as i32,
    }
}

macro_rules! entry {
    ($name:expr, $of:expr, $data:ident, |$a:ident, $b:ident| $body:expr) => {
        (
            $name,
            Implementation::Kernel(
                |_, args| {
                    let ($a, $b) = ($of(bytes(&args[0])), $of(bytes(&args[1])));
                    Ok(Datum::$data($body))
                },
                |_, args, _, rows| {
                    let (left, right) = (byte_column(args[0]), byte_column(args[1]));
                    Ok(ColumnData::$data(
                        (0..rows)
                            .map(|row| {
                                let ($a, $b) = ($of(left.get(row)), $of(right.get(row)));
                                $body
                            })
                            .collect(),
                    ))
                },
            ),
        )
    };
}

macro_rules! byte_comparisons {
    ($of:expr, $eq:literal, $ne:literal, $lt:literal, $le:literal, $gt:literal, $ge:literal $(, $cmp:literal)?) => {
        &[
            entry!($eq, $of, Bool, |a, b| a == b),
            entry!($ne, $of, Bool, |a, b| a != b),
            entry!($lt, $of, Bool, |a, b| a < b),
            entry!($le, $of, Bool, |a, b| a <= b),
            entry!($gt, $of, Bool, |a, b| a > b),
            entry!($ge, $of, Bool, |a, b| a >= b),
            $(entry!($cmp, $of, I32, |a, b| compare(a, b)),)?
        ]
    };
}

/// The byte that a "char" is.
#[inline]
fn char_byte(bytes: &[u8]) -> u8 {
    io::char_byte(std::str::from_utf8(bytes).expect("the text form of \"char\" is ASCII"))
}

macro_rules! char_comparisons {
    ($eq:literal, $ne:literal, $lt:literal, $le:literal, $gt:literal, $ge:literal, $cmp:literal) => {
        &[
            entry!($eq, char_byte, Bool, |a, b| a == b),
            entry!($ne, char_byte, Bool, |a, b| a != b),
            entry!($lt, char_byte, Bool, |a, b| a < b),
            entry!($le, char_byte, Bool, |a, b| a <= b),
            entry!($gt, char_byte, Bool, |a, b| a > b),
            entry!($ge, char_byte, Bool, |a, b| a >= b),
            entry!($cmp, char_byte, I32, |a, b| i32::from(a) - i32::from(b)),
        ]
    };
}

/// `btnamecmp`: names end with a zero byte, which takes part.
fn compare_names(a: &[u8], b: &[u8]) -> i32 {
    let ended = |bytes: &[u8]| bytes.iter().copied().chain([0]).collect::<Vec<u8>>();
    compare(&ended(a), &ended(b))
}

/// `a` when it compares as `keep` to `b`, else `b`.
macro_rules! choice {
    ($name:literal, $of:expr, $keep:pat) => {
        (
            $name,
            Implementation::Scalar(|_, args| {
                let keep = matches!($of(bytes(&args[0])).cmp($of(bytes(&args[1]))), $keep);
                Ok(args[usize::from(!keep)].clone())
            }),
        )
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    byte_comparisons!(plain, "texteq", "textne", "text_lt", "text_le", "text_gt", "text_ge", "bttextcmp"),
    byte_comparisons!(plain, "nameeq", "namene", "namelt", "namele", "namegt", "namege"),
    char_comparisons!("chareq", "charne", "charlt", "charle", "chargt", "charge", "btcharcmp"),
    byte_comparisons!(plain, "byteaeq", "byteane", "bytealt", "byteale", "byteagt", "byteage", "byteacmp"),
    byte_comparisons!(
        plain,
        "nameeqtext",
        "namenetext",
        "namelttext",
        "nameletext",
        "namegttext",
        "namegetext",
        "btnametextcmp"
    ),
    byte_comparisons!(
        plain,
        "texteqname",
        "textnename",
        "textltname",
        "textlename",
        "textgtname",
        "textgename",
        "bttextnamecmp"
    ),
    byte_comparisons!(
        without_padding,
        "bpchareq",
        "bpcharne",
        "bpcharlt",
        "bpcharle",
        "bpchargt",
        "bpcharge",
        "bpcharcmp"
    ),
    &[
        entry!("btnamecmp", plain, I32, |a, b| compare_names(a, b)),
        entry!("text_pattern_lt", plain, Bool, |a, b| a < b),
        entry!("text_pattern_le", plain, Bool, |a, b| a <= b),
        entry!("text_pattern_gt", plain, Bool, |a, b| a > b),
        entry!("text_pattern_ge", plain, Bool, |a, b| a >= b),
        entry!("bttext_pattern_cmp", plain, I32, |a, b| compare(a, b)),
        entry!("bpchar_pattern_lt", without_padding, Bool, |a, b| a < b),
        entry!("bpchar_pattern_le", without_padding, Bool, |a, b| a <= b),
        entry!("bpchar_pattern_gt", without_padding, Bool, |a, b| a > b),
        entry!("bpchar_pattern_ge", without_padding, Bool, |a, b| a >= b),
        entry!("btbpchar_pattern_cmp", without_padding, I32, |a, b| compare(a, b)),
        entry!("text_starts_with", plain, Bool, |a, b| a.starts_with(b)),
        choice!("text_larger", plain, Ordering::Greater),
        choice!("text_smaller", plain, Ordering::Less),
        choice!("bytea_larger", plain, Ordering::Greater),
        choice!("bytea_smaller", plain, Ordering::Less),
        choice!("bpchar_larger", without_padding, Ordering::Greater | Ordering::Equal),
        choice!("bpchar_smaller", without_padding, Ordering::Less | Ordering::Equal),
    ],
];
